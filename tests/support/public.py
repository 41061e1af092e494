"""Snapshots to push, as messages: a growing log with its key, authorizations, a small catalogue."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message

from crossroads.publication.v1 import publication_service_pb2 as api
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.trust.v1 import trust_pb2 as trust
from services.proof import checkpoint as checkpoints
from services.proof import tiles
from services.proof.checkpoint import Checkpoint
from services.proof.merkle import Tree, node_hash
from services.proof.snapshot import SnapshotDigest
from services.publication import wire
from services.publication.model import Collection, Item, Snapshot

ORIGIN = "crossroads.test/log"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def leaf(number: int) -> bytes:
    """The hash of a leaf, another for each number."""
    return sha256(b"\x00" + number.to_bytes(8, "big")).digest()


class PublicLog:
    """The public half of a log of `size` entries, with a key of its own."""

    def __init__(self, key: Ed25519PrivateKey | None = None, *, first: int = 0) -> None:
        """`first`: the number of the first leaf, so that two logs can differ."""
        self.key = key or Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes_raw()
        self._first = first

    @property
    def verifier_key(self) -> str:
        """The C2SP verifier key."""
        return checkpoints.verifier_key(ORIGIN, self.public)

    def policy(self) -> str:
        """A policy that believes this key and asks for no witness."""
        return f"log {self.verifier_key}\nquorum none\n"

    def verify(self, note: str) -> Checkpoint:
        """The checkpoint in a note."""
        return checkpoints.verify(note, ORIGIN, [self.verifier_key])

    def leaves(self, size: int) -> list[bytes]:
        """The hashes of its leaves."""
        return [leaf(self._first + number) for number in range(size)]

    def note(self, size: int) -> str:
        """The checkpoint of that size."""
        tree = Tree()
        tree.append(self.leaves(size))
        body = checkpoints.body(ORIGIN, size, tree.root())
        return checkpoints.signed(body, ORIGIN, self.public, self.key.sign(body.encode()))

    def tile(self, tile: tiles.Tile, size: int) -> bytes:
        """The hashes of a tile."""
        row = _row(self._first, tile.level, size)
        start = tile.index * tiles.WIDTH
        return b"".join(row[start : start + tile.width])

    def items(self, old: int, size: int) -> list[Message]:
        """A push from one size to another."""
        found: list[Message] = [api.Checkpoint(note=self.note(size))]
        for each in tiles.tiles_between(old, size):
            hashes = self.tile(each, size)
            found.append(api.Tile(level=each.level, index=each.index, hashes=hashes))
        return found


@cache
def _row(first: int, level: int, size: int) -> list[bytes]:
    """The hashes of one level of tiles."""
    if level == 0:
        return [leaf(first + number) for number in range(size)]
    row = _row(first, level - 1, size)
    for _ in range(tiles.HEIGHT):
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
    return row


def authorizations(text: str = "one") -> list[Message]:
    """Files as authorization exports them."""
    return [
        api.File(path="authorizations.json", content=b'{"a":'),
        api.File(path="authorizations.json", content=b"1}"),
        api.File(path="fr/index.html", content=f"<p>{text}</p>".encode()),
    ]


def catalogue() -> list[Message]:
    """One service of one institution, with two elements and a code."""
    labels = registry.Labels(fr="<Début>", nl="Begin", de="Beginn", en="Start")
    return [
        registry.Institution(
            trust=trust.Institution(id="onss", active=True),
            name=registry.Labels(fr="Office national & Cie"),
            acronym_fr="ONSS",
            acronym_nl="RSZ",
            sector="primary",
        ),
        registry.DataElement(
            id="employment.start", labels=labels, type="date", sensitivity="personal",
            authentic_source="onss", legal_basis="Loi",
        ),
        registry.DataElement(
            id="employment.kind", labels=labels, type="code", code_list="kinds",
            sensitivity="sensitive", authentic_source="onss", deprecated=True,
        ),
        registry.Code(list="kinds", code="1", labels=labels),
        registry.ExchangeService(
            id="employment_periods", version=1, title=labels, question_message="a.Question",
            answer_message="a.Answer", schema=b"\x0a\x00", sources=["onss/dmfa"],
            elements=["employment.start", "employment.kind"],
        ),
    ]  # fmt: skip


def snapshot(
    collection: Collection, items: Iterable[Message], version: int = 1, made_at: datetime = AT
) -> Snapshot:
    """The snapshot of these items."""
    digest = SnapshotDigest()
    for each in items:
        digest.add(each.DESCRIPTOR.full_name, each.SerializeToString())
    return Snapshot(collection, version, made_at, digest.value)


def requests(head: Snapshot, items: Iterable[Message]) -> Iterator[api.PushRequest]:
    """The messages of a push."""
    yield api.PushRequest(snapshot=wire.snapshot_to(head))
    for each in items:
        request = api.PushRequest()
        request.item.Pack(each)
        yield request


async def arriving(items: Sequence[Message]) -> AsyncIterator[Item]:
    """Items as the servicer hands them on."""
    for request in requests(snapshot(Collection.LOG, []), items):
        if request.WhichOneof("part") == "item":
            yield wire.item_from(request.item)


def packed(message: Any) -> Any:
    """A message as an item."""
    request = api.PushRequest()
    request.item.Pack(message)
    return request.item
