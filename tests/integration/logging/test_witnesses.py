"""A log and the real processes of its witnesses."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cli.platform import ports
from services.cli.platform.home import Home
from services.logging.model import Checkpoint, FencedError
from services.logging.witnesses import Witnesses
from services.proof.bundle import format_bundle, parse_bundle, verify_bundle
from services.proof.note import VerifierKey, parse, parse_verifier_key
from services.proof.policy import parse_policy
from tests.support.log_store import MemoryLogStore
from tests.support.logs import ORIGIN, Log, NoteInMemory, Safe
from tests.support.witness_process import WitnessProcess


def log_key(safe: Safe) -> str:
    """The verifier key of a log."""
    return VerifierKey(ORIGIN, safe.key.public_key().public_bytes_raw()).text()


class Pair:
    """Two witnesses of one log, and the file that names them."""

    def __init__(self, folder: Path, safe: Safe) -> None:
        home = Home(folder / "home")
        home.make()
        self.safe = safe
        self.asked: list[Witnesses] = []
        claimed = ports.claim(home, ["one", "two"])
        logs = {ORIGIN: [log_key(safe)]}
        self.witnesses = [
            WitnessProcess(folder / name, name=f"{name}.test/w", port=port, logs=logs)
            for name, port in claimed.items()
        ]
        self.policy = folder / "policy"
        lines = [f"log {log_key(safe)}"]
        lines += [f"witness {w.name} {w.verifier_key} {w.url}" for w in self.witnesses]
        lines += [f"group both all {' '.join(w.name for w in self.witnesses)}", "quorum both\n"]
        self.policy.write_text("\n".join(lines))

    def asked_by(self, log: Log) -> Witnesses:
        """The log's side."""
        self.asked.append(
            Witnesses(
                policy_file=str(self.policy),
                checkpoints=log.checkpoints,
                proofs=log.proofs,
                store=log.store,
                clock=log.clock,
            )
        )
        return self.asked[-1]

    async def close(self) -> None:
        """End everything."""
        await asyncio.gather(*(each.close() for each in self.asked))
        await asyncio.gather(*(each.end() for each in self.witnesses))


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """Both of them started."""
    made = Pair(tmp_path, Safe())
    await asyncio.gather(*(each.start() for each in made.witnesses))
    yield made
    await made.close()


async def grow(log: Log, entries: int) -> Checkpoint:
    await log.sequencer.append([log.entry() for _ in range(entries)])
    await log.checkpoints.publish()
    return log.checkpoints.newest


async def test_a_checkpoint_is_published_with_the_signatures_of_a_quorum(pair: Pair) -> None:
    policy = parse_policy(pair.policy.read_text())
    async with Log(MemoryLogStore(), safe=pair.safe).running() as log:
        witnesses = pair.asked_by(log)
        for entries in (3, 300):
            await witnesses.round(await grow(log, entries))
            assert policy.verify(witnesses.served.note, ORIGIN).size == log.tree.size
        assert log.store.published.note == witnesses.served.note == log.copy.note
        assert witnesses.healthy
        proof = await log.proofs.inclusion(7, 0)
    bundle = parse_bundle(format_bundle(7, proof.hashes, proof.checkpoint))
    said = verify_bundle(
        bundle,
        log.store.entries[7].leaf_hash,
        origin=ORIGIN,
        log=[parse_verifier_key(log_key(pair.safe))],
        witnesses=[each.key for each in policy.witnesses.values()],
        quorum=2,
    )
    assert said.size == 303


async def test_witnesses_that_are_down_do_not_stop_the_log(pair: Pair) -> None:
    one, two = pair.witnesses
    async with Log(MemoryLogStore(), safe=pair.safe).running() as log:
        witnesses = pair.asked_by(log)
        await one.end(signal.SIGKILL)
        await witnesses.round(await grow(log, 3))
        assert [each.name for each in parse(witnesses.served.note).signatures] == [ORIGIN, two.name]
        assert not witnesses.healthy
        await two.end()
        await witnesses.round(await grow(log, 3))
        assert [each.name for each in parse(witnesses.served.note).signatures] == [ORIGIN]
        await asyncio.gather(one.start(), two.start())
        again = pair.asked_by(log)  # which has not yet left anybody alone for a while
        await again.round(await grow(log, 3))
        assert len(parse(again.served.note).signatures) == 3
        assert again.healthy


async def test_the_task_has_each_checkpoint_cosigned(pair: Pair) -> None:
    async with Log(MemoryLogStore(), safe=pair.safe).running() as log:
        witnesses = pair.asked_by(log)
        task = asyncio.create_task(witnesses.run())
        for _ in range(3):
            newest = await grow(log, 2)
            async with asyncio.timeout(10):
                while witnesses.served.size < newest.size:  # noqa: ASYNC110 - as its readers do
                    await asyncio.sleep(0.01)
            assert len(parse(log.copy.note).signatures) == 3
        task.cancel()
        await asyncio.wait({task})


async def test_a_signature_that_was_missing_is_added_to_the_same_checkpoint(pair: Pair) -> None:
    one, two = pair.witnesses
    async with Log(MemoryLogStore(), safe=pair.safe).running() as log:
        await one.end()
        witnesses = pair.asked_by(log)
        await witnesses.round(await grow(log, 3))
        await one.start()
        await pair.asked_by(log).round(log.checkpoints.newest)
        signed = parse(log.store.published.note).signatures
        assert [each.name for each in signed] == [ORIGIN, two.name, one.name]


async def test_a_log_that_shows_two_histories_is_caught_and_stops(pair: Pair) -> None:
    async with Log(MemoryLogStore(), safe=pair.safe).running() as log:
        await pair.asked_by(log).round(await grow(log, 20))
    for size in (20, 25):
        async with Log(MemoryLogStore(), safe=pair.safe).running() as other:
            witnesses = pair.asked_by(other)
            with pytest.raises(FencedError, match="another tree of 20 entries"):
                await witnesses.round(await grow(other, size))
            assert (
                parse(other.store.published.note).signatures
                == parse(other.checkpoints.newest.note).signatures
            )
            assert len(parse(other.store.published.note).signatures) == 1
    for witness in pair.witnesses:
        assert other.store.published.note in (witness.folder / "seen.json.disputed").read_text()


async def test_a_database_put_back_with_everything_beside_it_is_caught(pair: Pair) -> None:
    store, copy = MemoryLogStore(), NoteInMemory()
    async with Log(store, safe=pair.safe, copy=copy).running() as log:
        await pair.asked_by(log).round(await grow(log, 20))
        backup = [*store.entries], dict(store.recent), store.published, copy.note
        await pair.asked_by(log).round(await grow(log, 20))
    store.entries, store.recent, store.published, copy.note = backup
    async with Log(store, safe=pair.safe, copy=copy).running() as log:
        with pytest.raises(FencedError, match="another tree of 40 entries"):
            await pair.asked_by(log).round(await grow(log, 1))


async def test_a_witness_that_lies_does_not_stop_the_log(pair: Pair) -> None:
    """It says that it saw more, but has no note of the log's to show for it."""
    one, two = pair.witnesses
    other = Log(MemoryLogStore(), safe=Safe())
    one.configure({ORIGIN: [log_key(pair.safe), log_key(other.safe)]})
    assert one.process is not None
    one.process.send_signal(signal.SIGHUP)
    await two.end()
    async with other.running():
        await pair.asked_by(other).round(await grow(other, 50))
    async with Log(MemoryLogStore(), safe=pair.safe).running() as log:
        witnesses = pair.asked_by(log)
        await witnesses.round(await grow(log, 5))
        assert len(parse(witnesses.served.note).signatures) == 1
        assert witnesses.served.size == 5


async def test_a_policy_that_is_missing_or_broken_asks_nobody_new(
    pair: Pair, tmp_path: Path
) -> None:
    whole = pair.policy.read_text()
    async with Log(MemoryLogStore(), safe=pair.safe).running() as log:
        witnesses = pair.asked_by(log)
        pair.policy.unlink()
        await witnesses.round(await grow(log, 1))
        assert len(parse(witnesses.served.note).signatures) == 1
        pair.policy.write_text(whole)
        await witnesses.round(await grow(log, 1))
        assert len(parse(witnesses.served.note).signatures) == 3
        pair.policy.write_text("rubbish")
        await witnesses.round(await grow(log, 1))
        assert len(parse(witnesses.served.note).signatures) == 3
