"""The digest of a snapshot that goes to the public cloud: over its items, in their order. Pure."""

from hashlib import sha256


class SnapshotDigest:
    """SHA-256 over, for each item, SHA-256(full name of its type, 0x00, its octets)."""

    def __init__(self) -> None:
        self._hash = sha256()

    def add(self, type_name: str, octets: bytes) -> None:
        """Take the next item."""
        self._hash.update(sha256(type_name.encode() + b"\x00" + octets).digest())

    @property
    def value(self) -> bytes:
        """Of all items so far."""
        return self._hash.digest()
