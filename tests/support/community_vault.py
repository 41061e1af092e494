"""Who sets up the OpenBao of the community cloud, by the steps of infra/vault/README.md.

OpenBao, PostgreSQL, the requests and the offline root are real; of the cluster only the TokenReview
API is here (tests/support/cluster.py), and PostgreSQL is reached over its socket.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from typer.testing import Result

from services.cli.platform.home import write_secret
from services.cli.vault.declaration import declare
from tests.support.cluster import Cluster
from tests.support.own_vault import OwnVault

URL = "host={socket} dbname=${{service}} user={{{{username}}}} password={{{{password}}}}"


class Operator:
    """Who sets up the cluster's Vault, in a folder of their own."""

    def __init__(self, vault: OwnVault, cluster: Cluster) -> None:
        self.vault = vault
        self.cluster = cluster
        self.folder = vault.home.path / "operator"
        self.authorities = self.folder / "authorities"
        self._root = (
            f"--key-file={self.folder / 'root.key'}",
            f"--certificate-file={self.folder / 'root.pem'}",
            f"--passphrase-file={self.folder / 'passphrase'}",
        )

    def prepare(self) -> None:
        """The root token, and what the databases' owner gives."""
        self.take(self.vault.token)
        (self.folder / "passphrase").write_text("a passphrase of this test\n")
        for item in declare("community").items:
            if item.kind == "database connection":
                _, password = self.vault.postgres.reset_vault_login(item.name)
                write_secret(self.folder / "databases" / item.name / "password", password)

    def take(self, token: str) -> None:
        """A root token, in its file."""
        write_secret(self.folder / "root-token", token)

    def root(self) -> Result:
        """Make the offline root."""
        return self.vault.command("root", *self._root)

    def sign(self) -> Result:
        """Sign what waits."""
        return self.vault.command("sign", *self._root, f"--authorities={self.authorities}")

    def run(self, name: str, *arguments: str, authorities: Path | None = None) -> Result:
        """`crossroads vault diff|apply` on the cluster's Vault."""
        return self.vault.command(
            name,
            "--environment=community",
            f"--address={self.vault.server.address}",
            f"--ca-file={self.vault.home.vault_ca}",
            f"--databases={self.folder / 'databases'}",
            f"--authorities={authorities or self.authorities}",
            f"--value=connection_url={URL.format(socket=self.vault.home.socket_dir)}",
            f"--value=kubernetes_host={self.cluster.address}",
            f"--value=kubernetes_ca={self.cluster.ca.read_text()}",
            *arguments,
        )

    def apply(self) -> Result:
        """Apply with the root token."""
        return self.run("apply", f"--token-file={self.folder / 'root-token'}", "--json")

    def diff(self, account: str, namespace: str, *, authorities: Path | None = None) -> Result:
        """Compare, as a pod with this service account."""
        token = self.folder / f"token-{account}"
        token.write_text(self.cluster.token(account, namespace=namespace))
        login = f"--kubernetes-token-file={token}"
        return self.run("diff", login, "--json", authorities=authorities)


@dataclass(frozen=True)
class SetUp:
    """What the steps said: apply before the root signed, again, after it; and the requests."""

    first: Result
    second: Result
    last: Result
    requests: Mapping[str, bytes]
    requests_again: Mapping[str, bytes]
