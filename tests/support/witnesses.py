"""A log's keys and trees, and submissions of them to a witness, for tests."""

from collections.abc import Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.proof import checkpoint, merkle
from services.proof.note import COSIGNATURE, TIME_SIZE, Signature, VerifierKey, cosigned
from services.proof.submission import format_submission

ORIGIN = "crossroads.test/log"


def key_of(seed: str) -> Ed25519PrivateKey:
    """The same key for the same words: names of tests must not change from worker to worker."""
    return Ed25519PrivateKey.from_private_bytes(sha256(seed.encode()).digest())


class SignedTree:
    """A log that signs whatever it is told: what an honest log, or another one, could show."""

    def __init__(
        self, leaves: Sequence[bytes], *, key: Ed25519PrivateKey | None = None, origin: str = ORIGIN
    ) -> None:
        """`leaves` in clear, few."""
        self.key = key or key_of("a log")
        self.origin = origin
        self.hashes = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
        self.verifier = VerifierKey(origin, self.key.public_key().public_bytes_raw())

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves."""
        return merkle.fold([self.node(*each) for each in merkle.range_nodes(0, size)])

    def node(self, level: int, index: int) -> bytes:
        """A perfect node."""
        if level == 0:
            return self.hashes[index]
        below = self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1)
        return merkle.node_hash(*below)

    def note(self, size: int | None = None, root: bytes | None = None) -> str:
        """The checkpoint of the first `size` leaves (all), signed."""
        size = len(self.hashes) if size is None else size
        body = checkpoint.body(self.origin, size, self.root(size) if root is None else root)
        signature = self.key.sign(body.encode())
        return checkpoint.signed(body, self.origin, self.verifier.public_key, signature)

    def submission(self, old: int, size: int | None = None) -> bytes:
        """The body of add-checkpoint from `old` to `size` leaves (all)."""
        size = len(self.hashes) if size is None else size
        proof = merkle.consistency_proof(old, size, self.node) if old <= size else []
        return format_submission(old, proof, self.note(size))


def cosignature(key: Ed25519PrivateKey, name: str, text: str, time: int) -> Signature:
    """A witness's signature of a checkpoint's text."""
    verifier = VerifierKey(name, key.public_key().public_bytes_raw(), COSIGNATURE)
    signature = time.to_bytes(TIME_SIZE, "big") + key.sign(cosigned(text, time))
    return Signature(name, verifier.key_id, signature)
