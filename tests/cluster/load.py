"""Runs in a pod: exchanges in a few strands, each repeated while a repeat may help.

`python load.py FOLDER SECONDS`; FOLDER as in services/institution/trial.py. Prints a JSON object
each second with how many were `answered` so far. The last one has also `repeated` (of these `late`:
no answer in time), `failed` with the reasons of what was refused for good, or for longer than a
minute, and `pauses`: since when (seconds of the epoch) and for how many seconds nothing at all was
answered, where that was longer than half a second.
"""

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

from services.institution.client import CrossroadsClient
from services.institution.trial import Trial
from services.runtime.certificates import Certificates, FileIssuer
from services.runtime.clock import SystemClock
from services.runtime.config import load
from services.runtime.errors import CrossroadsError, Reason

STRANDS, PATIENCE_SECONDS, CALL_SECONDS = 3, 60.0, 10.0
PAUSE_SECONDS = 0.5


class Counts(Counter[str]):
    """How often what happened, and the pauses between answers."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[tuple[float, float]] = []
        self._last = time.time()

    def answered(self) -> None:
        """An answer has come."""
        now = time.time()
        if now - self._last > PAUSE_SECONDS:
            self.pauses.append((self._last, now - self._last))
        self._last = now
        self["answered"] += 1


async def one(client: CrossroadsClient, trial: Trial, counts: Counts) -> None:
    """One exchange, until it is answered."""
    until, request_id = time.monotonic() + PATIENCE_SECONDS, str(uuid.uuid4())
    while True:
        try:
            await client.exchange(
                trial.service,
                trial.version,
                subject=trial.subject,
                purpose=trial.purpose,
                request_id=request_id,
                timeout=CALL_SECONDS,
            )
        except CrossroadsError as error:
            # A call that was late may be made again like one that was refused for now: the
            # platform knows the request by its id.
            late = error.reason is Reason.DEADLINE_EXCEEDED
            counts["late"] += late
            if not (error.retryable or late) or time.monotonic() > until:
                counts[f"failed {error.reason}"] += 1
                return
            counts["repeated"] += 1
            await asyncio.sleep(error.retry_after or 0.1)
        else:
            counts.answered()
            return


async def tell(counts: Counts) -> None:
    """How many were answered so far, each second."""
    while True:
        sys.stdout.write(json.dumps({"answered": counts["answered"]}) + "\n")
        sys.stdout.flush()
        await asyncio.sleep(1)


async def main(folder: Path, seconds: float) -> None:
    """All strands, for so long."""
    issuer = FileIssuer(key_file=folder / "key.pem", chain_file=folder / "chain.pem")
    trial = load(Trial, folder / "exchange.toml")
    counts = Counts()
    until = time.monotonic() + seconds
    async with CrossroadsClient(
        certificates=Certificates(issuer=issuer, clock=SystemClock()),
        platform=(folder / "platform.pem").read_bytes(),
        routing="routing:8443",
        logging="logging:8443",
    ) as client:

        async def strand() -> None:
            while time.monotonic() < until:
                await one(client, trial, counts)

        telling = asyncio.create_task(tell(counts))
        await asyncio.gather(*(strand() for _ in range(STRANDS)))
        telling.cancel()
    failed = {name: n for name, n in counts.items() if name.startswith("failed")}
    told = {name: counts[name] for name in ("answered", "repeated", "late")}
    sys.stdout.write(json.dumps(told | {"failed": failed, "pauses": counts.pauses}) + "\n")


asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
