"""What a log shows over HTTP, read by somebody who knows nothing of it but its keys."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cli import tlog
from services.logging.tile_servicer import TileServicer
from services.logging.witnesses import Witnesses
from services.proof.bundle import parse_bundle, verify_bundle
from services.proof.note import VerifierKey
from services.proof.policy import Policy, parse_policy
from services.runtime.web import Request, Response, WebServer
from services.runtime.webclient import WebClient, WebError
from tests.support.log_store import MemoryLogStore
from tests.support.logs import ORIGIN, Log, Safe
from tools import verify_log


class Shown:
    """A log as its readers see it. What is `hidden` is not there; `kept_note` is shown instead of
    the newest checkpoint.
    """

    def __init__(self, log: Log, witnesses: Witnesses) -> None:
        self.log = log
        self.witnesses = witnesses
        self.hidden: set[str] = set()
        self.kept_note = ""
        self._servicer = TileServicer(checkpoints=witnesses, tree=log.tree)
        self.server = WebServer(handler=self._answer, listen="127.0.0.1:0")

    async def _answer(self, request: Request) -> Response:
        if request.path in self.hidden:
            return Response(404)
        if request.path == "/checkpoint" and self.kept_note:
            return Response(200, self.kept_note.encode())
        return await self._servicer(request)

    @property
    def url(self) -> str:
        return f"http://{self.server.address}"

    def policy(self, safe: Safe | None = None) -> Policy:
        key = VerifierKey(ORIGIN, (safe or self.log.safe).key.public_key().public_bytes_raw())
        return parse_policy(f"log {key.text()}\nquorum none")


@pytest.fixture
async def shown() -> AsyncIterator[Shown]:
    """The log at work, 600 entries published."""
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry() for _ in range(600)])
        await log.checkpoints.publish()
        witnesses = Witnesses(
            policy_file="",
            checkpoints=log.checkpoints,
            proofs=log.proofs,
            store=log.store,
            clock=log.clock,
        )
        made = Shown(log, witnesses)
        await made.server.start()
        yield made
        await made.server.stop()


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 599])
async def test_a_proof_made_from_tiles_verifies_offline(shown: Shown, index: int) -> None:
    text, leaf = await tlog.inclusion(shown.url, index, shown.policy())
    assert leaf == shown.log.store.entries[index].leaf_hash
    keys = [each.key for each in shown.policy().logs]
    said = verify_bundle(parse_bundle(text), leaf, origin=ORIGIN, log=keys)
    assert said.size == 600
    at, proof, note = verify_log.read_bundle(text)
    verify_log.verify_note(note, [key.text() for key in keys])
    origin, size, root = verify_log.read_checkpoint(note)
    assert (at, origin) == (index, ORIGIN)
    verify_log.verify_inclusion(at, size, leaf, proof, root)


async def test_a_partial_tile_that_is_gone_is_taken_from_the_full_one(shown: Shown) -> None:
    shown.hidden = {"/tile/0/002.p/88"}
    with pytest.raises(WebError, match="404"):
        await tlog.inclusion(shown.url, 599, None)
    shown.kept_note = shown.log.checkpoints.newest.note  # as a cache may, while the log grows on
    await shown.log.sequencer.append([shown.log.entry() for _ in range(200)])
    await shown.log.checkpoints.publish()
    shown.witnesses.served = shown.log.checkpoints.newest
    text, leaf = await tlog.inclusion(shown.url, 599, shown.policy())
    assert parse_bundle(text).checkpoint == shown.kept_note
    assert leaf == shown.log.store.entries[599].leaf_hash


async def test_a_log_that_another_signs_is_not_believed(shown: Shown) -> None:
    with pytest.raises(ValueError, match="not signed"):
        await tlog.inclusion(shown.url, 5, shown.policy(Safe()))


async def test_a_log_that_shows_other_hashes_is_not_believed(shown: Shown) -> None:
    shown.log.store.kept_tiles[0, 0] = bytes(8192)
    shown.log.tree._cache.clear()
    with pytest.raises(ValueError, match="another root"):
        await tlog.inclusion(shown.url, 5, None)


async def test_an_entry_beyond_the_checkpoint_has_no_proof(shown: Shown) -> None:
    with pytest.raises(ValueError, match="not in the log yet"):
        await tlog.inclusion(shown.url, 600, None)


async def test_headers_let_caches_keep_tiles_and_not_the_checkpoint(shown: Shown) -> None:
    client = WebClient(url=shown.url)
    for path, kind in (
        ("checkpoint", "text/plain; charset=utf-8"),
        ("tile/0/000", "application/octet-stream"),
    ):
        assert (await client.get(path, seconds=5)).content_type == kind
    assert (await client.get("tile/entries/000", seconds=5)).status == 404
    await client.close()


def test_a_url_that_is_none_is_refused(tmp_path: Path) -> None:
    for url in ("", "ftp://x", "http://", "file:///etc/passwd", "http://x/?a=b"):
        with pytest.raises(ValueError, match="not the URL"):
            WebClient(url=url)
