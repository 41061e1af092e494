"""The witness as a real process: what it promised survives its death."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cli.platform import ports
from services.cli.platform.home import Home
from services.proof import note
from services.proof.note import parse_verifier_key
from services.proof.submission import format_submission
from tests.support.witness_process import WitnessProcess
from tests.support.witnesses import ORIGIN, SignedTree, key_of

LEAVES = [bytes([n]) for n in range(40)]
LOG = SignedTree(LEAVES)
FORK = SignedTree([b"another", *LEAVES[1:]], key=LOG.key)


@pytest.fixture
async def witness(tmp_path: Path) -> AsyncIterator[WitnessProcess]:
    """A witness of one log, started."""
    home = Home(tmp_path / "home")
    home.make()
    port = ports.claim(home, ["witness"])["witness"]
    logs = {ORIGIN: [LOG.verifier.text()]}
    made = WitnessProcess(tmp_path / "witness", name="witness.test/one", port=port, logs=logs)
    await made.start()
    yield made
    await made.end()


async def submit(witness: WitnessProcess, body: bytes) -> tuple[int, str]:
    answer = await witness.client.post("add-checkpoint", body, seconds=5)
    return answer.status, answer.body.decode()


async def test_what_it_cosigned_before_it_was_killed_binds_it_afterwards(
    witness: WitnessProcess,
) -> None:
    for old, size in ((0, 10), (10, 25)):
        status, line = await submit(witness, LOG.submission(old, size))
        assert status == 200
        note.verify(LOG.note(size) + line, [parse_verifier_key(witness.verifier_key)])
    await witness.end(signal.SIGKILL)
    await witness.start()
    assert await submit(witness, FORK.submission(0, 30)) == (409, "25\n")
    assert (await submit(witness, FORK.submission(25, 30)))[0] == 422
    assert (await submit(witness, format_submission(25, [], FORK.note(25))))[0] == 422
    disputed = (witness.folder / "seen.json.disputed").read_text()
    assert FORK.note(25) in disputed
    assert (await submit(witness, LOG.submission(25, 30)))[0] == 200


async def test_a_new_key_of_a_log_is_taken_up_without_a_restart(witness: WitnessProcess) -> None:
    newer = SignedTree(LEAVES, key=key_of("newer"))
    assert (await submit(witness, newer.submission(0, 3)))[0] == 403
    witness.configure({ORIGIN: [LOG.verifier.text(), newer.verifier.text()]})
    assert witness.process is not None
    witness.process.send_signal(signal.SIGHUP)
    assert (await submit(witness, LOG.submission(0, 3)))[0] == 200
    assert (await submit(witness, newer.submission(3, 9)))[0] == 200


async def test_what_speaks_no_http_or_too_much_of_it_is_refused(witness: WitnessProcess) -> None:
    import asyncio  # noqa: PLC0415 - for this test's raw connections

    for sent, status in (
        (b"rubbish\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\n\r\n", b" 400 "),
        (b"POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n", b""),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b" 431 "),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", witness.port)
        writer.write(sent + (b"x" * 900_000 if not status else b""))
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 413" if not status else b"HTTP/1.1" + status)
        writer.close()
    assert (await submit(witness, LOG.submission(0, 3)))[0] == 200
