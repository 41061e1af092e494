"""The configuration of each service on this machine, as TOML under `config/`.

Contract: `service_config` is the text that `python -m services.<name> --config` reads. It holds no
secret: it names the files that do.
"""

from collections.abc import Mapping

from services.cli.platform.home import Home
from services.runtime.config import DatabaseConfig

Value = str | int | float | bool | Mapping[str, "Value"] | list[str]


def database_config(home: Home, service: str) -> DatabaseConfig:
    """A service's database on this machine's PostgreSQL, over the Unix socket."""
    return DatabaseConfig(
        name=service, role=service, owner=f"{service}_owner", host=str(home.socket_dir)
    )


def toml(table: Mapping[str, Value]) -> str:
    """A TOML document; nested mappings become tables."""
    lines: list[str] = []
    _append(lines, "", table)
    return "\n".join(lines).strip() + "\n"


def _append(lines: list[str], path: str, table: Mapping[str, Value]) -> None:
    nested = {key: each for key, each in table.items() if isinstance(each, Mapping)}
    plain = {key: each for key, each in table.items() if key not in nested}
    if path and (plain or not nested):
        lines += ["", f"[{path}]"]
    lines += [f"{_key(key)} = {_scalar(each)}" for key, each in plain.items()]
    for key, each in nested.items():
        if isinstance(each, Mapping):
            _append(lines, f"{path}.{_key(key)}" if path else _key(key), each)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else _text(key)


def _scalar(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(_text(each) for each in value)}]"
    return str(value)


def _text(value: str) -> str:
    """A basic string (TOML 1.0): quotation marks, backslashes and controls escaped."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(_control(each) for each in escaped) + '"'


def _control(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x20 or code == 0x7F else character
