"""Other services behind what identity's operations need: the log."""

from services.proof.act import act
from services.runtime.channel import Channel
from services.runtime.journal import Journal


class LoggingJournal:
    """Appends identity's acts."""

    def __init__(self, *, channel: Channel) -> None:
        self._journal = Journal(channel=channel)

    async def registered(self, act_id: bytes, by: str, count: int, digest: bytes) -> int:
        """Log that keys were taken up: how many, and their digest; no key."""
        audit = {"digest": digest.hex(), "keys": count}
        return await self._journal.append(act(act_id, "identity.register", by=[by], audit=audit))

    async def replaced(self, act_id: bytes, by: str, old: str, current: str) -> int:
        """Log a replacement under the current key, where the person will look for it."""
        subject = {"act": "identity.replace", "current": current, "replaced": old}
        return await self._journal.append(
            act(
                act_id,
                "identity.replace",
                by=[by],
                audit={},
                subject=subject,
                subject_key=current,
            )
        )
