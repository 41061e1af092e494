"""What anyone may verify: checkpoints, inclusion and consistency proofs, an exchange's leaves.

Contract: proofs are about published checkpoints only. They are made from tiles, so that one costs
a few look-ups at any size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.logging.checkpoints import Checkpoints
from services.logging.model import Checkpoint, LoggedEntry, ReceiptKey
from services.logging.tree import Tree
from services.proof import merkle
from services.runtime.errors import CrossroadsError, Reason, invalid

RETRY_SECONDS = 1.0


class EntryStore(Protocol):
    """What is read of the entries."""

    async def find_exchange(self, exchange_id: bytes) -> list[LoggedEntry]:
        """The entries of one exchange."""
        ...

    async def receipt_keys(self) -> list[ReceiptKey]:
        """The newest receipt keys, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A proof for one leaf. `checkpoint` is the note of that size, "" when it is not the newest."""

    tree_size: int
    leaf_hash: bytes
    hashes: Sequence[bytes]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Published:
    """The newest checkpoint and what it, and receipts, are verified with."""

    checkpoint: Checkpoint
    verifier_keys: Sequence[str]
    receipt_keys: Sequence[bytes]


class Proofs:
    """Answers questions about what is published."""

    def __init__(self, *, checkpoints: Checkpoints, tree: Tree, store: EntryStore) -> None:
        self._checkpoints = checkpoints
        self._tree = tree
        self._store = store

    async def checkpoint(self) -> Published:
        """The newest checkpoint. Raises NOT_FOUND before the first."""
        newest = self._checkpoints.newest
        if newest.size == 0:
            raise _not_yet("no checkpoint is published yet")
        keys = await self._store.receipt_keys()
        return Published(newest, self._checkpoints.verifier_keys, [key.public_key for key in keys])

    async def inclusion(self, index: int, tree_size: int) -> InclusionProof:
        """The proof that leaf `index` is in the tree of `tree_size` leaves (0: the newest's).

        Raises NOT_FOUND (RetryInfo) when no checkpoint covers it yet, INVALID_ARGUMENT.
        """
        newest = self._checkpoints.newest
        size = tree_size or newest.size
        if size > newest.size or index >= newest.size:
            raise _not_yet("no published checkpoint covers this yet")
        if index >= size:
            raise invalid("index", "must be less than tree_size")
        plan = merkle.inclusion_plan(index, size)
        found = await self._tree.nodes([(0, index), *merkle.nodes_of(plan)])
        note = newest.note if size == newest.size else ""
        return InclusionProof(size, found[0, index], _built(plan, found), note)

    async def consistency(self, first: int, second: int) -> list[bytes]:
        """The proof that the tree of `first` leaves is the start of that of `second`.

        Raises INVALID_ARGUMENT, NOT_FOUND.
        """
        if not 0 < first <= second:
            raise invalid("first_size", "must be at least 1 and at most second_size")
        if second > self._checkpoints.newest.size:
            raise _not_yet("no published checkpoint is that large yet")
        plan = merkle.consistency_plan(first, second)
        return _built(plan, await self._tree.nodes(merkle.nodes_of(plan)))

    async def exchange(self, exchange_id: bytes) -> list[LoggedEntry]:
        """The entries of one exchange. Raises NOT_FOUND."""
        found = await self._store.find_exchange(exchange_id)
        if not found:
            raise CrossroadsError(Reason.NOT_FOUND, "the log has no entry of this exchange")
        return found


def _built(plan: merkle.Plan, found: Mapping[merkle.Node, bytes]) -> list[bytes]:
    return merkle.build(plan, lambda level, index: found[level, index])


def _not_yet(message: str) -> CrossroadsError:
    return CrossroadsError(
        Reason.NOT_FOUND, f"{message}; ask again in a second", retry_after=RETRY_SECONDS
    )
