"""The configuration of each service on this machine, as TOML under `config/`.

Contract: `service_config` is the text that `python -m services.<name> --config` reads. It holds no
secret: it names the files that do.
"""

from collections.abc import Mapping

from services.cli.platform.home import INTERMEDIATES, SERVICES, Home
from services.cli.platform.ports import LOOPBACK
from services.runtime.config import DatabaseConfig

DRAIN_SECONDS = 0.2  # nothing balances load here: nobody has to notice before we stop
Value = str | int | float | bool | Mapping[str, "Value"] | list[str] | list[Mapping[str, "Value"]]


def database_config(home: Home, service: str) -> DatabaseConfig:
    """A service's database on this machine's PostgreSQL, over the Unix socket."""
    return DatabaseConfig(
        name=service, role=service, owner=f"{service}_owner", host=str(home.socket_dir)
    )


def service_config(home: Home, service: str, ports: Mapping[str, int]) -> str:
    """The configuration of one of our services. `ports` as in ports.json."""
    secrets, authorities = home.secrets / service, home.authorities
    database = database_config(home, service)
    peers = {name: f"{LOOPBACK}:{ports[name]}" for name in SERVICES if name != service}
    runtime: dict[str, Value] = {
        "name": service,
        "listen": f"{LOOPBACK}:{ports[service]}",
        "health_listen": f"{LOOPBACK}:{ports[f'{service}-health']}",
        "run_dir": str(home.run),
        "drain_seconds": DRAIN_SECONDS,
        "vault": {
            "address": f"https://{LOOPBACK}:{ports['openbao']}",
            "ca_file": str(home.vault_ca),
            "role_id_file": str(secrets / "role_id"),
            "secret_id_file": str(secrets / "secret_id"),
        },
        "trust": {name: str(authorities / f"{name}.pem") for name in INTERMEDIATES},
        "database": {
            "name": database.name,
            "role": database.role,
            "owner": database.owner,
            "host": database.host,
        },
        "telemetry": {"otlp_endpoint": f"{LOOPBACK}:{ports['otlp']}"},
        "peers": peers,
    }
    own: dict[str, Value] = {}
    if service == "logging":
        own["checkpoint_file"] = str(home.path / "checkpoint")
        own["witness_policy"] = str(home.witness_policy)
        own["tiles_listen"] = f"{LOOPBACK}:{ports['logging-tiles']}"
    return toml(own | {"runtime": runtime})


def toml(table: Mapping[str, Value]) -> str:
    """A TOML document; nested mappings become tables, lists of them arrays of tables."""
    lines: list[str] = []
    _append(lines, "", table)
    return "\n".join(lines).strip() + "\n"


def _append(lines: list[str], path: str, table: Mapping[str, Value]) -> None:
    nested = {key: each for key, each in table.items() if _tables(each)}
    plain = {key: each for key, each in table.items() if key not in nested}
    if path and (plain or not nested):
        lines += ["", f"[{path}]"]
    lines += [f"{_key(key)} = {_scalar(each)}" for key, each in plain.items()]
    for key, each in nested.items():
        below = f"{path}.{_key(key)}" if path else _key(key)
        if isinstance(each, Mapping):
            _append(lines, below, each)
        else:
            for one in _tables(each):
                lines += ["", f"[[{below}]]"]
                lines += [f"{_key(name)} = {_scalar(value)}" for name, value in one.items()]


def _tables(value: Value) -> list[Mapping[str, Value]]:
    """The tables that a value is, or is a list of."""
    if isinstance(value, Mapping):
        return [value]
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else _text(key)


def _scalar(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(_text(str(each)) for each in value)}]"
    return str(value)


def _text(value: str) -> str:
    """A basic string (TOML 1.0): quotation marks, backslashes and controls escaped."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(_control(each) for each in escaped) + '"'


def _control(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x20 or code == 0x7F else character
