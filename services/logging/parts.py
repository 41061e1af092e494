"""The parts of one log, put together: what the service runs, and what its tests look into.

Contract: constructing it starts nothing and asks nobody; who runs which part is the wiring's.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.logging.checkpoints import Checkpoints, CheckpointStore, Copy
from services.logging.closing import Sweeper, SweepStore
from services.logging.proofs import EntryStore, Proofs
from services.logging.receipts import Receipts
from services.logging.sealing import Custody, DataKeys, KeyRing, Sealer
from services.logging.sequencer import Limits, Sequencer, Writer
from services.logging.signing import Signer
from services.logging.tree import TileStore, Tree
from services.runtime.clock import Clock
from services.runtime.ids import Ids


class Store(CheckpointStore, SweepStore, DataKeys, TileStore, EntryStore, Protocol):
    """The tables of the log, as all parts together see them."""

    def writer(self, epoch: int | None) -> AbstractAsyncContextManager[Writer]:
        """A session of the sequencer."""
        ...


class Vault(Custody, Signer, Protocol):
    """Transit: month keys and the key of checkpoints."""


class Parts:
    """All of them, by name. The key that signs receipts is new in each process."""

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        copy: Copy,
        origin: str,
        checkpoint_key: str,
        limits: Limits,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self.keys = KeyRing(custody=vault, store=store)
        self.sealer = Sealer(keys=self.keys, ids=ids)
        self.receipts = Receipts(origin=origin, key=Ed25519PrivateKey.generate())
        self.tree = Tree(store=store)
        self.checkpoints = Checkpoints(
            origin=origin,
            key=checkpoint_key,
            tree=self.tree,
            store=store,
            signer=vault,
            copy=copy,
            clock=clock,
        )
        self.sequencer = Sequencer(
            sessions=store.writer,
            sealer=self.sealer,
            receipts=self.receipts,
            tree=self.checkpoints,
            clock=clock,
            limits=limits,
        )
        self.sweeper = Sweeper(
            store=store, sequencer=self.sequencer, sealer=self.sealer, keys=self.keys, clock=clock
        )
        self.proofs = Proofs(checkpoints=self.checkpoints, tree=self.tree, store=store)
