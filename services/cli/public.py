"""The public side on one machine: publication and publisher as processes beside the services.

On one machine they share PostgreSQL, OpenBao and the intermediate of services with the rest, each
under names of its own. In production publication has a cloud, a Vault and a database to itself.
"""

from services.cli.platform import ports
from services.cli.platform.configuration import DRAIN_SECONDS, Value, database_config, toml
from services.cli.platform.home import Home
from services.cli.platform.plan import ProcessSpec
from services.cli.platform.ports import LOOPBACK

SITE_PORT = "publication-site"


def processes(home: Home) -> tuple[ProcessSpec, ...]:
    """What runs with `crossroads up --public`."""
    site: dict[str, Value] = {
        "shown_at": f"{LOOPBACK}:{{port:{SITE_PORT}}}",
        "log_policy": str(home.witness_policy),
    }
    pusher: dict[str, Value] = {"log_url": f"http://{LOOPBACK}:{{port:logging-tiles}}"}
    database = database_config(home, "publication")
    own: dict[str, Value] = {
        "database": {
            "name": database.name,
            "role": database.role,
            "owner": database.owner,
            "host": database.host,
        }
    }
    peers = ("registry", "authorization", "logging", "publication")
    calls: dict[str, Value] = {"peers": {name: f"{LOOPBACK}:{{port:{name}}}" for name in peers}}
    return (
        _process(home, "publication", site, own),
        _process(home, "publisher", pusher, calls, ("publication", "authorization", "registry")),
    )


def address(home: Home) -> str:
    """Where the site is."""
    return f"http://{LOOPBACK}:{ports.known(home)[SITE_PORT]}/"


def _process(
    home: Home,
    name: str,
    own: dict[str, Value],
    runtime: dict[str, Value],
    depends_on: tuple[str, ...] = (),
) -> ProcessSpec:
    secrets = home.secrets / name
    shared: dict[str, Value] = {
        "name": name,
        "listen": f"{LOOPBACK}:{{port:{name}}}" if name == "publication" else f"{LOOPBACK}:0",
        "health_listen": f"{LOOPBACK}:{{port:{name}-health}}",
        "run_dir": str(home.run),
        "drain_seconds": DRAIN_SECONDS,
        "vault": {
            "address": f"https://{LOOPBACK}:{{port:openbao}}",
            "ca_file": str(home.vault_ca),
            "role_id_file": str(secrets / "role_id"),
            "secret_id_file": str(secrets / "secret_id"),
        },
        "trust": {"services": str(home.authorities / "services.pem")},
    }
    return ProcessSpec(
        name=name,
        argv=("{python}", "-m", f"services.{name}", "--config", f"{{home}}/config/{name}.toml"),
        config=toml(own | {"runtime": shared | runtime}),
        health=f"{LOOPBACK}:{{port:{name}-health}}",
        depends_on=depends_on,
    )
