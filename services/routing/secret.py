"""The key by which repeats are told from other questions: made once, kept wrapped, held in memory.

Contract: all processes of routing get the same key. Vault is needed at start only.
"""

from datetime import datetime
from typing import Protocol

PURPOSE = "question"


class Vault(Protocol):
    """Transit."""

    async def data_key(self, key: str) -> tuple[bytes, str]:
        """A new key of 32 octets, and the same wrapped."""
        ...

    async def unwrap(self, key: str, wrapped: str) -> bytes:
        """The key that `wrapped` holds."""
        ...


class WrappedKeys(Protocol):
    """Where wrapped keys are kept."""

    async def get(self, purpose: str) -> tuple[str, str] | None:
        """The Transit key and the wrapped key."""
        ...

    async def put_if_absent(
        self, purpose: str, transit_key: str, wrapped: str, now: datetime
    ) -> None:
        """Keep it unless there is one."""
        ...


async def question_key(vault: Vault, kept: WrappedKeys, transit_key: str, now: datetime) -> bytes:
    """The key (32 octets), made if there is none. Raises UNAVAILABLE, STORE_UNAVAILABLE."""
    found = await kept.get(PURPOSE)
    if found is None:
        _, wrapped = await vault.data_key(transit_key)
        await kept.put_if_absent(PURPOSE, transit_key, wrapped, now)
        # Another process may have been first: what is kept counts.
        found = await kept.get(PURPOSE)
        if found is None:
            raise RuntimeError("the key that was just kept is gone")
    return await vault.unwrap(*found)
