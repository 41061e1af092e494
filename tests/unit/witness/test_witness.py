"""What a witness cosigns, and what it never does."""

import asyncio
import json
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.proof import checkpoint, note
from services.proof.note import VerifierKey
from services.proof.submission import format_submission
from services.runtime.web import Request
from services.witness.model import ConflictError, ForkError, Logs, RefusalError, Seen
from services.witness.operations import Witness
from services.witness.servicer import WitnessServicer
from services.witness.store import MAX_DISPUTED, MemoryFile
from tests.support.witnesses import ORIGIN, SignedTree, key_of

TIME = 1_764_000_000
NAME = "witness.test/one"
LEAVES = [bytes([n]) for n in range(40)]
LOG = SignedTree(LEAVES)
FORK = SignedTree([*LEAVES[:20], b"another", *LEAVES[21:]], key=LOG.key)


class Memory:
    """A witness's memory that ends with the test."""

    def __init__(self) -> None:
        self.kept: dict[str, Seen] = {}
        self.disputed: list[str] = []
        self.proven: list[bool] = []

    def seen(self, origin: str) -> Seen | None:
        return self.kept.get(origin)

    async def remember(self, origin: str, seen: Seen) -> None:
        await asyncio.sleep(0)
        self.kept[origin] = seen

    async def dispute(self, note: str, *, proven: bool) -> None:
        self.disputed.append(note)
        self.proven.append(proven)


def witness(memory: Memory | None = None, logs: Logs | None = None) -> Witness:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    return Witness(
        name=NAME,
        public_key=key.public_key().public_bytes_raw(),
        sign=key.sign,
        logs={ORIGIN: [LOG.verifier]} if logs is None else logs,
        memory=memory or Memory(),
        clock=lambda: TIME,
    )


async def test_a_cosignature_verifies_with_the_checkpoint_and_says_when() -> None:
    one = witness()
    line = await one.add_checkpoint(LOG.submission(0, 5))
    cosigned = LOG.note(5) + line
    note.verify(cosigned, [one.key])
    assert checkpoint.verify_keys(cosigned, ORIGIN, [LOG.verifier]).size == 5
    assert note.parse(cosigned).signatures[1].signature[:8] == TIME.to_bytes(8, "big")
    assert one.checkpoint(sha256(ORIGIN.encode()).hexdigest()) == cosigned


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_it_cosigns_what_continues_and_tells_the_size_otherwise(sizes: list[int]) -> None:
    one, seen = witness(), 0
    for size in sizes:
        if size >= seen:
            asyncio.run(one.add_checkpoint(LOG.submission(seen, size)))
            seen = size
        else:
            with pytest.raises(ConflictError) as conflict:
                asyncio.run(one.add_checkpoint(LOG.submission(size, size)))
            assert conflict.value.size == seen


@given(st.integers(21, 40), st.integers(21, 40))
def test_of_two_histories_it_cosigns_one(first: int, second: int) -> None:
    memory = Memory()
    one = witness(memory)
    asyncio.run(one.add_checkpoint(LOG.submission(0, first)))
    old = min(first, second)
    with pytest.raises((ForkError, ConflictError)):
        asyncio.run(one.add_checkpoint(FORK.submission(old, second)))
    body = format_submission(first, [], FORK.note(second))
    with pytest.raises(RefusalError) as refused:
        asyncio.run(one.add_checkpoint(body))
    assert refused.value.status == (422 if second >= first else 400)
    assert memory.kept[ORIGIN].root == LOG.root(first)
    assert set(memory.disputed) <= {FORK.note(second)}


async def test_the_two_notes_of_a_log_with_two_histories_are_kept() -> None:
    memory = Memory()
    one = witness(memory)
    await one.add_checkpoint(LOG.submission(0, 30))
    with pytest.raises(ForkError):
        await one.add_checkpoint(FORK.submission(30, 30))
    assert memory.disputed == [FORK.note(30)]
    assert memory.proven == [True]
    assert memory.kept[ORIGIN].note.startswith(LOG.note(30))


async def test_two_submissions_at_once_do_not_roll_it_back() -> None:
    one = witness()
    await one.add_checkpoint(LOG.submission(0, 4))
    both = await asyncio.gather(
        one.add_checkpoint(LOG.submission(4, 9)),
        one.add_checkpoint(LOG.submission(4, 7)),
        return_exceptions=True,
    )
    assert [type(each) for each in both] == [str, ConflictError]


async def test_a_signature_by_the_old_or_the_new_key_of_a_log_counts() -> None:
    newer = SignedTree(LEAVES, key=key_of("newer"))
    one = witness(logs={ORIGIN: [newer.verifier, LOG.verifier]})
    await one.add_checkpoint(LOG.submission(0, 4))
    await one.add_checkpoint(newer.submission(4, 9))
    one.logs = {ORIGIN: [newer.verifier]}
    with pytest.raises(RefusalError, match="not signed"):
        await one.add_checkpoint(LOG.submission(9, 12))


EMPTY = SignedTree([], key=LOG.key)
OTHERS = SignedTree(LEAVES, key=key_of("another log"))
REFUSED = [
    (b"rubbish", 400),
    (b"old 0\n\nno note", 400),
    (format_submission(0, [], LOG.note(5).replace("\n5\n", "\n05\n")), 400),
    (SignedTree(LEAVES, origin="other.test/log").submission(0, 3), 404),
    (OTHERS.submission(0, 3), 403),
    (format_submission(0, [], LOG.note(5).replace("\n5\n", "\n6\n")), 403),
    (LOG.submission(9, 5), 400),
    (LOG.submission(3, 5), 409),
    (format_submission(0, [bytes(32)], LOG.note(5)), 422),
    (format_submission(0, [], EMPTY.note(0, root=bytes(32))), 422),
]


@pytest.mark.parametrize(("body", "status"), REFUSED)
async def test_what_is_refused_has_the_status_of_the_specification(
    body: bytes, status: int
) -> None:
    answer = await WitnessServicer(witness=witness())(Request("POST", "/add-checkpoint", body))
    assert answer.status == status


async def test_a_published_exchange_with_a_witness_goes_as_published() -> None:
    file = Path(__file__).parents[2] / "data" / "witness_exchange.json"
    exchange = json.loads(file.read_text("utf-8"))
    key = VerifierKey(exchange["origin"], bytes.fromhex(exchange["public_key"]))
    servicer = WitnessServicer(witness=witness(logs={exchange["origin"]: [key]}))
    for step in exchange["steps"]:
        answer = await servicer(Request("POST", "/add-checkpoint", step["body"].encode()))
        assert answer.status == step["status"], step
        if answer.status == 409:
            assert answer.body.decode() == step["answer"]
            assert answer.headers["content-type"] == "text/x.tlog.size"
        if answer.status == 200:
            assert answer.body.decode().startswith(f"— {NAME} ")


@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_octets_do_more_than_be_refused(noise: bytes, cut: int) -> None:
    whole = LOG.submission(0, 7)
    for body in (noise, whole[:cut] + noise + whole[cut:]):
        if body != whole:
            with pytest.raises(RefusalError):
                asyncio.run(witness().add_checkpoint(body))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/index.html", 404),
        ("POST", "/", 405),
        ("GET", "/add-checkpoint", 405),
        ("GET", f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint", 404),
        ("POST", f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint", 405),
        ("GET", f"/{'0' * 64}/checkpoint", 404),
    ],
)
async def test_nothing_else_is_there(method: str, path: str, status: int) -> None:
    answer = await WitnessServicer(witness=witness())(Request(method, path, b""))
    assert answer.status == status


async def test_who_looks_whether_it_answers_is_told_its_key() -> None:
    made = witness()
    answer = await WitnessServicer(witness=made)(Request("GET", "/", b""))
    assert (answer.status, answer.body.decode()) == (200, f"{made.key.text()}\n")


async def test_the_memory_outlives_the_process(tmp_path: Path) -> None:
    file = tmp_path / "seen.json"
    before = MemoryFile(path=file)
    await before.remember(ORIGIN, Seen(30, LOG.root(30), LOG.note(30)))
    await before.dispute(FORK.note(30), proven=True)
    await before.dispute(FORK.note(30), proven=True)
    after = MemoryFile(path=file)
    assert after.seen(ORIGIN) == Seen(30, LOG.root(30), LOG.note(30))
    assert (tmp_path / "seen.json.disputed").read_text() == f"{FORK.note(30)}\n"


async def test_good_checkpoints_with_bad_proofs_leave_room_for_what_proves_two_histories(
    tmp_path: Path,
) -> None:
    memory = MemoryFile(path=tmp_path / "seen.json")
    for filler in "abcd":
        await memory.dispute(filler * (MAX_DISPUTED // 4), proven=False)
    await memory.dispute(FORK.note(30), proven=True)
    kept = (tmp_path / "seen.json.disputed").read_text()
    assert kept.endswith(f"{FORK.note(30)}\n")
    assert len(kept) < MAX_DISPUTED


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"a": "b"}', '"x"', "null"])
def test_a_memory_that_can_not_be_read_stops_the_witness(tmp_path: Path, content: str) -> None:
    file = tmp_path / "seen.json"
    file.write_text(content)
    with pytest.raises(ValueError, match="not the memory of a witness"):
        MemoryFile(path=file)


async def test_a_memory_that_could_not_be_written_cosigns_nothing() -> None:
    class Full(Memory):
        async def remember(self, origin: str, seen: Seen) -> None:
            raise OSError("disk full")

    memory = Full()
    with pytest.raises(OSError, match="disk full"):
        await witness(memory).add_checkpoint(LOG.submission(0, 5))
    assert not memory.kept
