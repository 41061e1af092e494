"""A platform with the demo sector, and the command `crossroads` on it, as their user has them."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.platform.configuration import toml
from services.cli.platform.home import Home
from services.institution.population import Store

PERSONS = 400
COMMAND_SECONDS = 180


@dataclass(frozen=True)
class Command:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Running:
    """A platform of the test's own; `shown` is what `up --demo` printed."""

    home: Home
    shown: str
    store: Store

    def crossroads(self, *arguments: str) -> Command:
        """Run the command on this platform."""
        return crossroads(self.home, *arguments)


def crossroads(home: Home, *arguments: str) -> Command:
    """Run the command `crossroads` as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        env=os.environ | {"CROSSROADS_HOME": str(home.path), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return Command(done.returncode, done.stdout, done.stderr)


async def migrated(service: str, folder: Path, configuration: dict[str, Any]) -> tuple[int, str]:
    """Exit code and output of the job that brings a service's tables up, so configured."""
    file = folder / "config.toml"
    file.write_text(toml(configuration))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services", service, "--config", str(file), "--migrate"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()
