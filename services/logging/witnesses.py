"""The witnesses that are asked to cosign each checkpoint, and what comes of it.

Contract: who they are stands in a file (C2SP tlog-policy) that is read again when it changes. They
are asked at the same time, each a few seconds at most; one that does not answer is left alone for a
while and never keeps the log from anything. A witness that shows a checkpoint which the log's own
key signed and which the log does not continue has proven two histories: `FencedError`.
"""

import asyncio
import logging
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from services.logging.checkpoints import Checkpoints
from services.logging.model import Checkpoint, FencedError
from services.logging.proofs import Proofs
from services.proof import checkpoint as c2sp
from services.proof import note as notes
from services.proof.merkle import verify_consistency
from services.proof.note import Signature, VerifierKey
from services.proof.policy import Known, Policy, parse_policy
from services.proof.submission import decimal, format_submission
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError
from services.runtime.webclient import Answer, WebClient, WebError

ANSWER_SECONDS = 2.0
REST_SECONDS = 5.0
"""How long a witness that did not cosign is left alone."""

_logger = logging.getLogger(__name__)


class CosignedStore(Protocol):
    """Where cosignatures are kept with the checkpoint."""

    async def cosign(self, checkpoint: Checkpoint) -> None:
        """Replace the note of the published checkpoint, if it still is of that size and root."""
        ...


class Witness:
    """One witness, as the log asks it."""

    def __init__(self, *, known: Known, origin: str, proofs: Proofs) -> None:
        """Raises ValueError when the URL is none."""
        self.key: VerifierKey = known.key
        self.url = known.url
        self.rests_until = 0.0
        self._client = WebClient(url=known.url)
        self._path = f"{sha256(origin.encode()).hexdigest()}/checkpoint"
        self._proofs = proofs
        self._seen = 0

    async def cosign(self, checkpoint: Checkpoint) -> Signature:
        """Its signature. Raises WebError when there is none, DisputedError when it refuses."""
        for _ in range(2):
            answer = await self._add(checkpoint)
            if answer.status == 200:
                self._seen = checkpoint.size
                return self._signature(checkpoint, answer.body)
            if answer.status == 409:
                self._seen = self._size(answer.body)
                if self._seen <= checkpoint.size:
                    continue
            if answer.status in (409, 422):
                raise DisputedError(f"status {answer.status}")
            break
        raise WebError(f"status {answer.status}")

    async def newest(self) -> str:
        """What it cosigned last of this log, with its signature and ours. Raises WebError."""
        answer = await self._client.get(self._path, seconds=ANSWER_SECONDS)
        try:
            if answer.status == 200:
                return answer.body.decode()
        except UnicodeDecodeError:
            pass
        raise WebError(f"status {answer.status}")

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()

    async def _add(self, checkpoint: Checkpoint) -> Answer:
        old = self._seen
        proof = await self._proofs.consistency(old, checkpoint.size) if old else []
        body = format_submission(old, proof, checkpoint.note)
        return await self._client.post("add-checkpoint", body, seconds=ANSWER_SECONDS)

    def _signature(self, checkpoint: Checkpoint, body: bytes) -> Signature:
        text = notes.parse(checkpoint.note).text
        try:
            for line in notes.parse_signature_lines(body.decode()):
                if (line.name, line.key_id) == (self.key.name, self.key.key_id):
                    self.key.verify(text, line.signature)
                    return line
        except ValueError as error:
            raise WebError(str(error)) from None
        raise WebError("no signature by the key that is known")

    def _size(self, body: bytes) -> int:
        try:
            return decimal(body.decode().removesuffix("\n"), "size")
        except ValueError as error:
            raise WebError(str(error)) from None


class DisputedError(Exception):
    """A witness saw something else of this log."""


class Witnesses:
    """Has checkpoints cosigned; `run` is its task."""

    def __init__(
        self,
        *,
        policy_file: str,
        checkpoints: Checkpoints,
        proofs: Proofs,
        store: CosignedStore,
        clock: Clock,
    ) -> None:
        """`policy_file` "" asks nobody."""
        self._file = Path(policy_file) if policy_file else None
        self._checkpoints = checkpoints
        self._proofs = proofs
        self._store = store
        self._clock = clock
        self._read_at: int | None = None
        self._witnesses: list[Witness] = []
        self.healthy = True
        self.served = checkpoints.newest
        """The newest checkpoint whose witnesses have answered, or had their time."""

    async def run(self) -> None:
        """Have each new checkpoint cosigned; never ends by itself. Raises FencedError."""
        newest = await self._checkpoints.after(0)
        while True:
            await self.round(newest)
            newest = await self._next()

    async def _next(self) -> Checkpoint:
        """The next checkpoint; the same again after a while: a witness may have come back."""
        try:
            async with asyncio.timeout(REST_SECONDS):
                return await self._checkpoints.after(self.served.size)
        except TimeoutError:
            return self.served

    async def round(self, checkpoint: Checkpoint) -> None:
        """Ask everybody about one checkpoint. Raises FencedError when two histories are proven."""
        await self._read_policy()
        now = self._clock.monotonic()
        signed = {(each.name, each.key_id) for each in notes.parse(checkpoint.note).signatures}
        missing = [w for w in self._witnesses if (w.key.name, w.key.key_id) not in signed]
        asked = [each for each in missing if each.rests_until <= now]
        asking = (self._ask(each, checkpoint) for each in asked)
        got: list[Signature] = []
        for answer in await asyncio.gather(*asking, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            got += [answer] if answer else []
        self.healthy = len(got) == len(missing)
        if got:
            lines = "".join(map(notes.signature_line, got))
            checkpoint = replace(checkpoint, note=checkpoint.note + lines)
            await self._keep(checkpoint)
        self.served = checkpoint

    async def close(self) -> None:
        """End the connections."""
        for each in self._witnesses:
            await each.close()

    async def _keep(self, checkpoint: Checkpoint) -> None:
        try:
            await self._store.cosign(checkpoint)
            await self._checkpoints.cosigned(checkpoint)
        except CrossroadsError as error:
            _logger.warning("cosignatures not kept: %s", error.message)

    async def _ask(self, witness: Witness, checkpoint: Checkpoint) -> Signature | None:
        try:
            return await witness.cosign(checkpoint)
        except (WebError, CrossroadsError) as error:
            _logger.warning("%s did not cosign: %s", witness.key.name, error)
        except DisputedError as error:
            await self._hear(witness, error)
        witness.rests_until = self._clock.monotonic() + REST_SECONDS
        return None

    async def _hear(self, witness: Witness, dispute: DisputedError) -> None:
        """What a witness that refuses has to show. Raises FencedError when it proves its case."""
        _logger.error("%s disputes the log (%s)", witness.key.name, dispute)
        try:
            note = await witness.newest()
            shown = c2sp.verify(note, self._checkpoints.origin, self._checkpoints.verifier_keys)
        except (WebError, ValueError) as error:
            _logger.error("%s proves nothing: %s", witness.key.name, error)  # noqa: TRY400
            return
        if not await self._continues(shown.size, shown.root):
            raise FencedError(
                f"the log's key signed another tree of {shown.size} entries, which"
                f" {witness.key.name} cosigned: was an older database put back, or does another log"
                " run under this name? Begin a new origin"
            )

    async def _continues(self, size: int, root: bytes) -> bool:
        """Whether the log as it stands begins with that tree."""
        newest = self._checkpoints.newest
        if size > newest.size:
            return False
        proof = await self._proofs.consistency(size, newest.size) if size else []
        try:
            verify_consistency(size, newest.size, proof, root, newest.root)
        except ValueError:
            return False
        return True

    async def _read_policy(self) -> None:
        """Take up the file when it changed; one that can't be read leaves things as they are."""
        if self._file is None:
            return
        try:
            changed = self._file.stat().st_mtime_ns
            if changed == self._read_at:
                return
            self._read_at = changed
            await self._take(parse_policy(self._file.read_text("utf-8")))
        except FileNotFoundError:
            self._read_at = None
            await self._take(Policy())
        except (OSError, ValueError) as error:
            _logger.error("%s: %s; the witnesses stay", self._file, error)  # noqa: TRY400

    async def _take(self, policy: Policy) -> None:
        before = {(each.key, each.url): each for each in self._witnesses}
        wanted = [each for each in policy.witnesses.values() if each.url]
        self._witnesses = [
            before.pop((each.key, each.url)) if (each.key, each.url) in before else self._made(each)
            for each in wanted
        ]
        for gone in before.values():
            await gone.close()

    def _made(self, known: Known) -> Witness:
        return Witness(known=known, origin=self._checkpoints.origin, proofs=self._proofs)
