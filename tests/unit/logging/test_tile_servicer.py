"""Tiles and the checkpoint over HTTP, as C2SP tlog-tiles has them."""

from collections.abc import AsyncIterator

import pytest

from services.logging.tile_servicer import TileServicer
from services.proof import checkpoint, merkle, tiles
from services.runtime.web import Request
from tests.support.log_store import MemoryLogStore
from tests.support.logs import ORIGIN, Log


class Shown:
    """Shows the newest checkpoint, as the witnesses' round does."""

    def __init__(self, log: Log) -> None:
        self._log = log

    @property
    def served(self) -> object:
        return self._log.checkpoints.newest


class Reader:
    """A log of 600 published entries and five more, and what it answers."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._servicer = TileServicer(checkpoints=Shown(log), tree=log.tree)  # type: ignore[arg-type]

    async def get(self, path: str, method: str = "GET") -> tuple[int, bytes, dict[str, str]]:
        answer = await self._servicer(Request(method, path, b""))
        return answer.status, answer.body, dict(answer.headers)


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    """The log at work."""
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry() for _ in range(600)])
        await log.checkpoints.publish()
        await log.sequencer.append([log.entry() for _ in range(5)])
        yield Reader(log)


async def test_the_tree_of_the_checkpoint_can_be_grown_from_its_tiles(reader: Reader) -> None:
    status, note, headers = await reader.get("/checkpoint")
    assert status == 200
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    said = checkpoint.verify(note.decode(), ORIGIN, reader.log.checkpoints.verifier_keys)
    got: dict[tiles.Tile, bytes] = {}
    for tile in tiles.tiles_of(said.size):
        status, got[tile], headers = await reader.get(f"/{tile.path}")
        assert status == 200
        assert headers["content-type"] == "application/octet-stream"
        assert "immutable" in headers["cache-control"]
        assert len(got[tile]) == 32 * tile.width
    assert sorted(tile.path for tile in got) == [
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
    ]
    read = tiles.TileReader(size=said.size, read_tile=got.__getitem__)
    assert read.root() == said.root


async def test_an_inclusion_proof_can_be_made_from_the_tiles_alone(reader: Reader) -> None:
    said = checkpoint.parse((await reader.get("/checkpoint"))[1].decode())
    got = {each: (await reader.get(f"/{each.path}"))[1] for each in tiles.tiles_of(said.size)}
    read = tiles.TileReader(size=said.size, read_tile=got.__getitem__)
    for index in (0, 255, 256, 599):
        leaf = reader.log.store.entries[index].leaf_hash
        proof = merkle.inclusion_proof(index, said.size, read)
        merkle.verify_inclusion(index, said.size, leaf, proof, said.root)


async def test_a_narrower_tile_is_the_beginning_of_the_wider(reader: Reader) -> None:
    """Of an earlier checkpoint, say: it must still be there, and may be once it was filled."""
    whole = (await reader.get("/tile/0/001"))[1]
    assert (await reader.get("/tile/0/001.p/7"))[1] == whole[: 7 * 32]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/tile/0/002",
        "/tile/0/002.p/89",  # beyond the published checkpoint, though the tree has it
        "/tile/0/003.p/1",
        "/tile/1/000.p/3",
        "/tile/2/000.p/1",
        "/tile/64/000",
        "/tile/00/000",
        "/tile/0/0",
        "/tile/0/x000/000",
        "/tile/0/000.p/256",
        "/tile/0/000.p/0",
        "/tile/entries/000",
        "/tile/entries/000.p/1",
        "/tile/0/../0/000",
        "//tile/0/000",
        "/checkpoint/",
    ],
)
async def test_nothing_else_is_there(reader: Reader, path: str) -> None:
    assert (await reader.get(path))[0] == 404


async def test_nothing_can_be_sent(reader: Reader) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await reader.get("/checkpoint", method))[0] == 405


async def test_there_is_no_checkpoint_before_the_first() -> None:
    async with Log(MemoryLogStore()).running() as log:
        assert (await Reader(log).get("/checkpoint"))[0] == 404
        assert (await Reader(log).get("/tile/0/000.p/1"))[0] == 404
