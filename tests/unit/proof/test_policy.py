"""Whom to believe: policies in the form of C2SP tlog-policy."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.proof import note
from services.proof.note import COSIGNATURE, VerifierKey
from services.proof.policy import parse_policy
from tests.support.witnesses import ORIGIN, SignedTree, cosignature, key_of

LOG = SignedTree([b"a", b"b"])
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
KEYS = {name: key_of(name) for name in NAMES}
VKEYS = {
    name: VerifierKey(f"{name}.test", key.public_key().public_bytes_raw(), COSIGNATURE).text()
    for name, key in KEYS.items()
}
# The example of the specification, with keys.
EXAMPLE = f"""# a comment
log {LOG.verifier.text()}

witness X1 {VKEYS["X1"]} https://x1.test/
witness X2 {VKEYS["X2"]}
\twitness   X3\t{VKEYS["X3"]}
group X-witnesses 2 X1 X2 X3

witness Y1 {VKEYS["Y1"]}
witness Y2 {VKEYS["Y2"]}
witness Y3 {VKEYS["Y3"]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def cosigned(*names: str) -> str:
    text = note.parse(LOG.note()).text
    lines = [cosignature(KEYS[name], f"{name}.test", text, 1_764_000_000) for name in names]
    return LOG.note() + "".join(map(note.signature_line, lines))


def test_the_example_of_the_specification_is_read() -> None:
    policy = parse_policy(EXAMPLE)
    assert [each.key for each in policy.logs] == [LOG.verifier]
    assert policy.witnesses["X1"].url == "https://x1.test/"
    assert [*policy.witnesses] == [*NAMES]


def test_a_checkpoint_needs_two_of_the_one_group_and_one_of_the_other() -> None:
    policy = parse_policy(EXAMPLE)
    for count in range(len(NAMES) + 1):
        for names in itertools.combinations(NAMES, count):
            quorum = sum(n < "Y" for n in names) >= 2 and any(n > "Y" for n in names)
            if quorum:
                assert policy.verify(cosigned(*names), ORIGIN).size == 2
            else:
                with pytest.raises(ValueError, match="quorum"):
                    policy.verify(cosigned(*names), ORIGIN)


def test_without_a_quorum_the_logs_signature_is_enough() -> None:
    policy = parse_policy(f"log {LOG.verifier.text()}\nquorum none\n")
    assert policy.verify(LOG.note(), ORIGIN).size == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum nobody",
        "quorum none\nquorum none",
        "quorum none\nlog",
        "quorum none\nlog nokey",
        f"quorum none\nlog {LOG.verifier.text()} https://a.test/ more",
        f"quorum none\nlog {LOG.verifier.text()}\nlog {LOG.verifier.text()}",
        f"quorum none\nwitness w {LOG.verifier.text()}",
        f"quorum none\nwitness none {VKEYS['X1']}",
        f"quorum none\nwitness a {VKEYS['X1']}\nwitness b {VKEYS['X1']}",
        f"quorum none\nwitness a {VKEYS['X1']}\nwitness a {VKEYS['X2']}",
        f"quorum a\nwitness a {VKEYS['X1']}",
        f"witness a {VKEYS['X1']}\ngroup g 2 a\nquorum g",
        f"witness a {VKEYS['X1']}\ngroup g 0 a\nquorum g",
        f"witness a {VKEYS['X1']}\ngroup g some a\nquorum g",
        f"witness a {VKEYS['X1']}\ngroup g any\nquorum g",
        f"witness a {VKEYS['X1']}\ngroup g any a a\nquorum g",
        f"witness a {VKEYS['X1']}\ngroup g any a\ngroup h any a\nquorum g",
        f"witness a {VKEYS['X1']}\ngroup g any none\nquorum g",
        "quorum none\r\n",
        "quorum none\x00",
        "sigsum none",
    ],
)
def test_a_policy_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"policy"):
        parse_policy(text)


@given(st.text(max_size=100), st.integers(0, len(EXAMPLE)))
def test_no_text_does_more_than_be_refused(noise: str, cut: int) -> None:
    try:
        policy = parse_policy(EXAMPLE[:cut] + noise + EXAMPLE[cut:])
    except ValueError:
        return
    assert policy.satisfied(set(policy.witnesses))
