"""`crossroads log fsck` against a log whose keys are in a real OpenBao."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from services.cli import log as command
from services.cli.platform.configuration import toml
from services.cli.platform.home import Home
from services.logging.store import LogStore
from services.runtime.clock import SystemClock
from services.runtime.migrations import migrate
from services.runtime.postgres import Database
from services.runtime.vault import Vault
from tests.support.logs import Log
from tests.support.platform import OpenBao


@pytest.fixture
async def database(
    openbao: OpenBao, open_vault: Callable[[str], Awaitable[Vault]]
) -> AsyncIterator[Database]:
    """The log's database as Vault lets the service into it."""
    vault = await open_vault("logging")
    opened = await Database.open(
        openbao.database_config("logging"),
        lambda: vault.database_credentials("logging"),
        SystemClock(),
    )
    await migrate(opened, "services.logging")
    yield opened
    await opened.close()


@pytest.fixture
async def log(
    database: Database, open_vault: Callable[[str], Awaitable[Vault]]
) -> AsyncIterator[Log]:
    """A log of its own origin, signed by Vault."""
    origin = f"crossroads.test/{secrets.token_hex(4)}"
    store = await LogStore.open(database, origin)
    log = Log(store, origin=origin, safe=await open_vault("logging"))
    async with log.running(key=True):
        await log.sequencer.append([log.entry() for _ in range(300)])
        await log.checkpoints.publish()
        yield log


@pytest.fixture
def config(openbao: OpenBao, log: Log, tmp_path: Path) -> Path:
    """The log's configuration, as the platform writes it."""
    (tmp_path / "copy").write_text(log.copy.note)
    runtime = {
        "name": "logging",
        "vault": asdict(openbao.config("logging")),
        "database": asdict(openbao.database_config("logging")),
    }
    own: dict[str, Any] = {
        "origin": log.origin,
        "checkpoint_file": str(tmp_path / "copy"),
        "runtime": runtime,
    }
    file = tmp_path / "logging.toml"
    file.write_text(toml(own))
    return file


async def test_a_log_is_clean_and_its_first_difference_is_printed(
    config: Path, database: Database, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fsck() -> tuple[int, dict[str, object]]:
        code = await asyncio.to_thread(
            command.fsck, Home(config.parent), config=config, as_json=True
        )
        said: dict[str, object] = json.loads(capsys.readouterr().out)
        return code, said

    code, said = await fsck()
    assert (code, said["difference"], said["advice"]) == (command.CLEAN, "", "")
    assert said["entries"] == said["published"] == 301
    async with database.connection() as conn:
        await conn.execute(
            "UPDATE entry SET attempt = 2 WHERE index = 7 AND log_id ="
            " (SELECT log_id FROM log_head WHERE origin = %s)",
            (log.origin,),
        )
    code, said = await fsck()
    assert (code, said["difference"]) == (
        command.DIFFERENT,
        "entry 7: attempt is not what was sealed",
    )
    assert "never repaired" in str(said["advice"])


def test_what_can_not_be_looked_at_is_neither_clean_nor_different(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.fsck(Home(tmp_path)) == command.UNABLE
    assert "can't look" in capsys.readouterr().err
