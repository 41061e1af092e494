"""What a witness does: looks at a checkpoint, remembers it, cosigns it."""

import asyncio
import logging
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from services.proof import note as notes
from services.proof.note import COSIGNATURE, TIME_SIZE, Signature, VerifierKey
from services.proof.submission import parse_submission
from services.witness.model import (
    NOTHING,
    ForkError,
    Logs,
    RefusalError,
    Seen,
    authenticate,
    check_growth,
)

_logger = logging.getLogger(__name__)


class Memory(Protocol):
    """Where a witness remembers what it cosigned."""

    def seen(self, origin: str) -> Seen | None:
        """What was cosigned last of a log."""
        ...

    async def remember(self, origin: str, seen: Seen) -> None:
        """Keep it, durably: once this returned, no crash makes the witness forget."""
        ...

    async def dispute(self, note: str, *, proven: bool) -> None:
        """Keep a note that its log signed and that was not shown to continue what was cosigned.

        `proven`: it can't, whatever the proof.
        """
        ...


class Witness:
    """One witness."""

    def __init__(
        self,
        *,
        name: str,
        public_key: bytes,
        sign: Callable[[bytes], bytes],
        logs: Logs,
        memory: Memory,
        clock: Callable[[], int],
    ) -> None:
        """`sign` gives an Ed25519 signature; `clock` whole seconds since 1970."""
        self.key = VerifierKey(name, public_key, COSIGNATURE)
        self.logs = logs
        self._sign = sign
        self._memory = memory
        self._clock = clock
        # Looking at what was seen and remembering what follows must not be interleaved.
        self._turn = asyncio.Lock()

    async def add_checkpoint(self, body: bytes) -> str:
        """The cosignature, a line of a note, for a submission. Raises RefusalError."""
        try:
            submission = parse_submission(body)
        except ValueError as error:
            raise RefusalError(400, str(error)) from None
        checkpoint = authenticate(submission, self.logs)
        async with self._turn:
            seen = self._memory.seen(checkpoint.origin) or NOTHING
            try:
                check_growth(submission, checkpoint, seen)
            except ForkError as error:
                # Of equal size, the two notes alone prove it; else the proof may just be wrong.
                proven = checkpoint.size == seen.size
                what = "two histories of" if proven else "not proven:"
                _logger.error("%s %s: %s", what, checkpoint.origin, error)  # noqa: TRY400
                await self._memory.dispute(submission.note, proven=proven)
                raise
            line = self._cosign(notes.parse(submission.note).text)
            cosigned = Seen(checkpoint.size, checkpoint.root, self._kept(submission.note, line))
            await self._memory.remember(checkpoint.origin, cosigned)
        return line

    def checkpoint(self, origin_hash: str) -> str | None:
        """What was cosigned last of the log whose origin hashes to this (SHA-256, hexadecimal)."""
        for origin in self.logs:
            if sha256(origin.encode()).hexdigest() == origin_hash:
                seen = self._memory.seen(origin)
                return seen.note if seen else None
        return None

    def _cosign(self, text: str) -> str:
        time = self._clock()
        signature = time.to_bytes(TIME_SIZE, "big") + self._sign(notes.cosigned(text, time))
        return notes.signature_line(Signature(self.key.name, self.key.key_id, signature))

    def _kept(self, note: str, line: str) -> str:
        """The note with the log's signatures that were verified, and ours."""
        parsed = notes.parse(note)
        origin = parsed.text.partition("\n")[0]
        known = {(key.name, key.key_id) for key in self.logs[origin]}
        by_log = [s for s in parsed.signatures if (s.name, s.key_id) in known]
        return notes.format_note(parsed.text, by_log) + line
