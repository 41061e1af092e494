"""Who is active, as publication knows it: services, less certificates that an operator named."""

from collections.abc import Set as AbstractSet
from typing import Any


class Nobody:
    """A directory (services/runtime/callers.py) without institutions and persons."""

    def __init__(self, *, revoked: AbstractSet[str]) -> None:
        """`revoked`: serials in lower-case hexadecimal."""
        self._revoked = revoked

    def require(self) -> None:
        """What the configuration says is always current."""

    def application_active(self, institution: str, application: str) -> bool:  # noqa: ARG002
        """No institution calls here."""
        return False

    def roles(self, person: str) -> AbstractSet[Any]:  # noqa: ARG002
        """No person calls here."""
        return frozenset()

    def revoked(self, serial: str) -> bool:
        """Whether the operator refuses this certificate."""
        return serial in self._revoked
