"""Values in PostgreSQL's binary format, built without a Python object per cell.

Source: the send/recv functions of PostgreSQL's types (array_send, int8send, timestamptz_send):
big-endian; an array is dimensions, "has NULLs", the element's type, length, lower bound, then each
element as length and octets.
"""

import struct
from collections.abc import Iterable, Sequence

BYTEA, INT8, INT2, INT4, TIMESTAMPTZ, UUID = 17, 20, 21, 23, 1184, 2950
POSTGRES_EPOCH = 946_684_800_000_000
"""2000-01-01T00:00Z in microseconds since 1970: where PostgreSQL counts from."""

_HEADER = struct.Struct("!iiIii")
_NULL = b"\xff\xff\xff\xff"
_length = struct.Struct("!i").pack
_int8 = struct.Struct("!q").pack
_int8_element = struct.Struct("!iq").pack
_int4_element = struct.Struct("!ii").pack
_int2_element = struct.Struct("!ih").pack


def int8(value: int) -> bytes:
    """A bigint."""
    return _int8(value)


def int4(value: int) -> bytes:
    """An integer."""
    return _length(value)


def timestamptz(time: int) -> bytes:
    """A timestamptz from microseconds since 1970."""
    return _int8(time - POSTGRES_EPOCH)


def _array(element: int, length: int, cells: Iterable[bytes]) -> bytes:
    return b"".join((_HEADER.pack(1, 1, element, length, 1), *cells))


def int8_range(start: int, length: int) -> bytes:
    """bigint[] of `length` numbers from `start`."""
    return _array(INT8, length, [_int8_element(8, i) for i in range(start, start + length)])


def int4_array(values: Sequence[int]) -> bytes:
    """integer[]."""
    return _array(INT4, len(values), [_int4_element(4, value) for value in values])


def int2_array(values: Sequence[int]) -> bytes:
    """smallint[]."""
    return _array(INT2, len(values), [_int2_element(2, value) for value in values])


def timestamptz_array(times: Sequence[int | None]) -> bytes:
    """timestamptz[] from microseconds since 1970."""
    cells = [_NULL if time is None else _int8_element(8, time - POSTGRES_EPOCH) for time in times]
    return _array(TIMESTAMPTZ, len(times), cells)


def bytea_array(values: Sequence[bytes | None]) -> bytes:
    """bytea[]."""
    return _array(BYTEA, len(values), _octets(values))


def uuid_array(values: Sequence[bytes]) -> bytes:
    """uuid[] from 16 octets each."""
    return _array(UUID, len(values), _octets(values))


def _octets(values: Sequence[bytes | None]) -> Iterable[bytes]:
    for value in values:
        if value is None:
            yield _NULL
        else:
            yield _length(len(value))
            yield value
