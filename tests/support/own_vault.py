"""An OpenBao of a test's own, and the databases that it makes logins to: for what harms others.

Contract: `OwnVault` starts both servers; `root` is a session that outlives the bootstrap, so that a
test can do what an attacker with root could. `command` runs `crossroads vault …`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.cli import vault_commands
from services.cli.platform import ports
from services.cli.platform.home import DATABASES, Home
from services.cli.platform.openbao import ACTIVE, UNINITIALISED, OpenBaoServer
from services.cli.platform.postgres import PostgresServer
from services.runtime.vaultsession import Session


@dataclass(frozen=True)
class OwnVault:
    """The servers of one home, initialised and nothing more."""

    home: Home
    server: OpenBaoServer
    postgres: PostgresServer
    token: str
    root: Session

    def session(self, token: str = "") -> Session:
        """A session with this token."""
        return Session(address=self.server.address, ca_file=str(self.home.vault_ca), token=token)

    def command(self, *arguments: str) -> Result:
        """`crossroads vault …` in this home."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CROSSROADS_HOME", str(self.home.path))
            return CliRunner().invoke(vault_commands.app, arguments)

    def diff(self, *arguments: str) -> list[dict[str, Any]]:
        """What `crossroads vault diff` finds; its exit code says whether that is anything."""
        result = self.command("diff", "--json", *arguments)
        document = json.loads(result.stdout)
        found: list[dict[str, Any]] = document["differences"]
        assert result.exit_code == (4 if found else 0)
        return found


@contextmanager
def own_vault(folder: Path) -> Iterator[OwnVault]:
    """Start both servers in `folder`; stop them afterwards."""
    home = Home(folder / "home")
    home.make()
    chosen = ports.claim(home, ["openbao", "openbao-cluster"])
    server = OpenBaoServer(
        home=home, port=chosen["openbao"], cluster_port=chosen["openbao-cluster"]
    )
    postgres = PostgresServer(home=home, durable=False)
    try:
        postgres.start()
        postgres.provision(DATABASES)
        server.start()
        server.wait(UNINITIALISED)
        anonymous = Session(address=server.address, ca_file=str(home.vault_ca))
        body = {"recovery_shares": 0, "recovery_threshold": 0}
        token = str(anonymous.request("POST", "sys/init", body)["root_token"])
        server.wait(ACTIVE)
        anonymous.become(token)
        orphan = anonymous.request("POST", "auth/token/create-orphan", {"policies": ["root"]})
        anonymous.become(orphan["auth"]["client_token"])
        yield OwnVault(home, server, postgres, token, anonymous)
        anonymous.close()
    finally:
        server.stop()
        postgres.stop()
        home.socket_dir.rmdir()
