"""A platform with the demo sector, and the command `crossroads` on it, as their user has them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

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
