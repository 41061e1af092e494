"""Records: canonical JSON, the leaf's bytes, and what may not go into a section."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from services.proof import record
from services.proof.record import Kind, Section, canonical_json, encode, parse_canonical

keys = st.text(st.characters(max_codepoint=127), max_size=8)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
# Lone surrogates have no UTF-8: refused, tested below.
texts = st.text(st.characters(codec="utf-8"))
scalars = st.one_of(st.none(), st.booleans(), integers, texts)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(keys, v, max_size=4), max_leaves=20
)
sections = st.dictionaries(keys, values, max_size=5)
SALTS = bytes(range(96))


@given(sections)
def test_canonical_json_is_that_of_rfc_8785(section: dict[str, Any]) -> None:
    encoded = canonical_json(section)
    assert encoded == rfc8785.dumps(section)
    assert parse_canonical(encoded) == section


class Name(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


@dataclass
class Thing:
    a: int = 1


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        2**53,
        -(2**53),
        2**70,
        (1,),
        b"x",
        {1},
        Name.A,
        Number.ONE,
        Text("x"),
        Thing(),
        UUID(int=1),
        datetime(2026, 1, 1, tzinfo=UTC),
        "\ud800",
        {"é": 1},
        {1: 1},
        {Name.A: 1},
        [[1.5]],
    ],
    ids=repr,
)
def test_section_with_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not canonical JSON"):
        canonical_json({"a": value})


def test_only_objects_of_bounded_depth_are_sections() -> None:
    with pytest.raises(ValueError, match="must be an object"):
        canonical_json([])  # type: ignore[arg-type]
    value: Any = "x"
    for _ in range(record.MAX_DEPTH):
        value = {"a": value}
    canonical_json({"a": value})
    with pytest.raises(ValueError, match="deeper"):
        canonical_json({"a": {"a": value}})


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":1.0}', b"\xff"],
)
def test_what_is_not_canonical_is_not_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"canonical|not JSON"):
        parse_canonical(data)


@given(sections, sections, sections, st.sampled_from(Kind), st.integers(0, 2**32 - 1))
def test_leaf_is_built_as_the_architecture_says(
    party: dict[str, Any], subject: dict[str, Any], audit: dict[str, Any], kind: Kind, hour: int
) -> None:
    made = encode(kind, hour, party=party, subject=subject, audit=audit, salts=SALTS)
    hashes = [
        sha256(b"crossroads/log/v1/%s\n" % tag + salt + rfc8785.dumps(value)).digest()
        for tag, salt, value in (
            (b"party", SALTS[:32], party),
            (b"subject", SALTS[32:64], subject),
            (b"audit", SALTS[64:], audit),
        )
    ]
    assert [made.party_hash, made.subject_hash, made.audit_hash] == hashes
    assert made.leaf == (
        bytes([1, kind]) + hour.to_bytes(4, "big") + sha256(b"".join(hashes)).digest()
    )
    assert made.leaf_hash == sha256(b"\x00" + made.leaf).digest()
    parts = zip(
        Section, record.salts_apart(SALTS), (made.party, made.subject, made.audit), strict=True
    )
    assert [record.section_hash(*part) for part in parts] == hashes
    read = record.parse_leaf(made.leaf)
    assert (read.kind, read.hour) == (kind, hour)


def test_sections_do_not_pass_for_one_another() -> None:
    hashes = {record.section_hash(s, b"\x00" * 32, b"{}") for s in Section}
    assert len(hashes) == 3


@pytest.mark.parametrize("salts", [b"", b"\x00" * 95, b"\x00" * 97])
def test_salts_of_another_length_are_refused(salts: bytes) -> None:
    with pytest.raises(ValueError, match="96 bytes"):
        encode(Kind.REQUEST, 1, party={}, subject={}, audit={}, salts=salts)
    with pytest.raises(ValueError, match="96 bytes"):
        record.salts_apart(salts)
    with pytest.raises(ValueError, match="32 bytes"):
        record.section_hash(Section.PARTY, salts, b"{}")


@pytest.mark.parametrize(
    ("kind", "hour", "size"), [(1, -1, 32), (1, 2**32, 32), (1, 1, 31), (256, 1, 32)]
)
def test_leaf_of_impossible_parts_is_refused(kind: int, hour: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"hour|hashes|range\(0, 256\)"):
        record.leaf(kind, hour, b"\x00" * size, b"\x00" * 32, b"\x00" * 32)


@given(st.binary(max_size=60))
def test_what_is_no_leaf_is_refused_and_the_rest_is_read(data: bytes) -> None:
    try:
        read = record.parse_leaf(data)
    except ValueError:
        assert len(data) != 38 or data[0] != 1 or not 1 <= data[1] <= 8
    else:
        assert data == bytes([1, read.kind]) + read.hour.to_bytes(4, "big") + read.digest


@pytest.mark.parametrize("data", [b"\x02\x01" + b"\x00" * 36, b"\x01\x00" + b"\x00" * 36])
def test_leaf_of_another_version_or_kind_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="leaf"):
        record.parse_leaf(data)
