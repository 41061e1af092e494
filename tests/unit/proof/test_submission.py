"""What a log sends to a witness: the specification's example, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.proof import checkpoint
from services.proof.submission import format_submission, parse_submission

# The example of C2SP tlog-witness.
EXAMPLE = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501


def test_the_example_of_the_specification_is_read_and_written_again() -> None:
    read = parse_submission(EXAMPLE.encode())
    assert read.old == 20852014
    assert len(read.proof) == 4
    assert checkpoint.parse(read.note).size == 20852163
    assert format_submission(read.old, read.proof, read.note) == EXAMPLE.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1",
        b"old 1\n",
        b"old 01\n\nnote",
        b"old -1\n\nnote",
        b"old +1\n\nnote",
        b"old 1 \n\nnote",
        "old \u0661\n\nnote".encode(),
        b"old 99999999999999999999\n\nnote",
        b"new 1\n\nnote",
        b"old 1\r\n\r\nnote",
        b"old 1\nAAAA\n\nnote",
        b"old 1\n!\n\nnote",
        b"old 1\n" + b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkax=\n" + b"\nnote",
        b"old 1\n" + b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n" * 64 + b"\nnote",
        b"old 1\n\n\xff",
        b"old 1\n\n" + b"x" * 300_000,
    ],
)
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="submission"):
        parse_submission(body)


@given(st.binary(max_size=300))
def test_no_octets_do_more_than_be_refused(body: bytes) -> None:
    try:
        read = parse_submission(body)
    except ValueError:
        return
    assert format_submission(read.old, read.proof, read.note) == body


@given(
    st.integers(0, 10**18), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.text()
)
def test_what_was_written_is_read(old: int, proof: list[bytes], note: str) -> None:
    try:
        note.encode()
    except UnicodeEncodeError:
        return
    read = parse_submission(format_submission(old, proof, note))
    assert (read.old, list(read.proof), read.note) == (old, proof, note)
