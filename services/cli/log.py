"""`crossroads log`: look at the log as it is stored.

Contract: reads with the log's own login (its configuration names Vault and database, on one
machine as on a cluster) and writes nothing. 0: clean; 1: the first difference is printed; 2: could
not look.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from services.cli.log_advice import advice
from services.cli.platform.home import Home
from services.logging.config import Config
from services.logging.fsck import Fsck, Report, Trust
from services.logging.model import microseconds
from services.proof.note import COSIGNATURE, VerifierKey, parse_verifier_key
from services.proof.policy import parse_policy
from services.runtime.clock import SystemClock
from services.runtime.config import ConfigError, load
from services.runtime.errors import CrossroadsError
from services.runtime.vault import Vault

CLEAN, DIFFERENT, UNABLE = 0, 1, 2
FSCK_PATIENCE = timedelta(days=1)
"""How long one statement may take: a large table is sorted, and nothing waits for it."""


def fsck(
    home: Home,
    *,
    config: Path | None = None,
    notes: Sequence[Path] = (),
    keys: Sequence[str] = (),
    as_json: bool = False,
) -> int:
    """`crossroads log fsck`: rebuild tree, index and evidence; name the first difference.

    `config` is the log's configuration, else this home's. `notes` are checkpoints that were kept
    elsewhere. `keys` are verifier keys, of the log and of witnesses; without one of the log, Vault
    is asked for those of the log.
    """
    began = time.monotonic()
    try:
        settings = load(Config, config or home.config / "logging.toml")
        # Before the state of the tables is fixed: the copy never runs ahead of them.
        copy = Path(settings.checkpoint_file) if settings.checkpoint_file else None
        copies = [copy] if copy is not None and copy.exists() else []
        held = [note.read_text("utf-8") for note in (*copies, *notes)]
        given = [parse_verifier_key(key) for key in keys] or _policy_keys(settings)
        report = asyncio.run(_fsck(settings, held, given))
    except (ConfigError, CrossroadsError, OSError, ValueError) as error:
        print(f"can't look: {getattr(error, 'message', error)}", file=sys.stderr)
        return UNABLE
    seconds = time.monotonic() - began
    print(_as_json(report, seconds) if as_json else _as_text(report, seconds))
    return DIFFERENT if report.difference else CLEAN


def _policy_keys(config: Config) -> list[VerifierKey]:
    """The witnesses that this log asks."""
    file = Path(config.witness_policy) if config.witness_policy else None
    if file is None or not file.exists():
        return []
    return [each.key for each in parse_policy(file.read_text("utf-8")).witnesses.values()]


async def _fsck(config: Config, held: list[str], keys: list[VerifierKey]) -> Report:
    # psycopg costs 0.2 s, which the other commands should not pay.
    from services.logging.snapshot import open_snapshot  # noqa: PLC0415
    from services.runtime.postgres import Database  # noqa: PLC0415

    clock, stored = SystemClock(), config.runtime.database
    if config.runtime.vault is None or stored is None:
        raise ValueError("the configuration names no Vault or no database")
    async with AsyncExitStack() as stack:
        vault = await Vault.open(config.runtime.vault, clock=clock)
        stack.push_async_callback(vault.close)
        database = await Database.open(
            stored, lambda: vault.database_credentials(stored.role), clock
        )
        stack.push_async_callback(database.close)
        logs = [key for key in keys if key.kind != COSIGNATURE]
        if not logs:
            versions = await vault.key_versions(config.checkpoint_key)
            logs = [VerifierKey(config.origin, half) for half in versions.public.values()]
        conn = await stack.enter_async_context(database.connection(patience=FSCK_PATIENCE))
        snapshot = await stack.enter_async_context(open_snapshot(conn, config.origin))
        return await Fsck(
            tables=snapshot,
            origin=config.origin,
            keys=VaultKeys(vault=vault),
            now=microseconds(clock.now()),
            trust=Trust(logs, [key for key in keys if key.kind == COSIGNATURE], held),
            progress=_progress,
        ).run()


class VaultKeys:
    """Month keys out of Vault, for fsck."""

    def __init__(self, *, vault: Vault) -> None:
        self._vault = vault

    async def secret(self, transit_key: str, wrapped: str) -> bytes | None:
        """The data key in clear; None when its Transit key was erased."""
        if not await self._vault.key_exists(transit_key):
            return None
        try:
            return await self._vault.unwrap(transit_key, wrapped)
        except CrossroadsError:
            if self._vault.healthy:  # it answered, and refused
                raise ValueError("Vault refuses what is stored") from None
            raise


def _progress(done: int, size: int) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    if end == "\r" or done * 10 // size > (done - 4096) * 10 // size:
        print(f"{done:,} of {size:,} entries", end=end, file=sys.stderr, flush=True)


def _as_json(report: Report, seconds: float) -> str:
    values = {
        "difference": report.difference,
        "advice": advice(report.difference),
        "entries": report.entries,
        "published": report.published,
        "erased": report.erased,
        "root": report.root.hex(),
        "seconds": round(seconds, 3),
    }
    return json.dumps(values)


def _as_text(report: Report, seconds: float) -> str:
    if report.difference:
        return f"DIFFERENT: {report.difference}\n\n{advice(report.difference)}"
    erased = f", {report.erased:,} of them erased" if report.erased else ""
    return (
        f"clean: {report.entries:,} entries{erased}, {report.published:,} of them in a signed"
        f" checkpoint; root {report.root.hex()}; {seconds:.1f} s"
    )
