"""Identifiers and random octets that operations are given."""

import os
import uuid
from typing import Protocol


class Ids(Protocol):
    """What operations know of chance."""

    def uuid(self) -> uuid.UUID:
        """A new identifier (RFC 9562, version 4)."""
        ...

    def token(self, size: int) -> bytes:
        """`size` octets that nobody can guess (salts, secrets)."""
        ...


class SystemIds:
    """The operating system's source of randomness."""

    def uuid(self) -> uuid.UUID:
        """A new identifier (RFC 9562, version 4)."""
        return uuid.uuid4()

    def token(self, size: int) -> bytes:
        """`size` octets that nobody can guess."""
        return os.urandom(size)
