"""Configuration: TOML text to frozen dataclasses, refused as a whole when anything does not fit.

Contract: `load(cls, text)` gives an instance of the dataclass `cls`, nested dataclasses being
tables. Unknown keys, missing keys and values of another type are all reported at once, each with
its path and the remedy. Secrets never stand in a configuration: it names the files that hold them.
"""

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")
MAPPINGS = (dict, typing.get_origin(Mapping[str, str]))


class ConfigError(Exception):
    """What is wrong with a configuration: one line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class VaultConfig:
    """How to reach Vault, and as whom: by AppRole, or in a cluster by Kubernetes.

    AppRole: the files (mode 0600) that hold its two halves. Kubernetes: the role of the auth method
    mounted at `kubernetes_mount`, and the file that holds the pod's own token, made for Vault; the
    kubelet renews it, so it is read at each login.
    """

    address: str
    ca_file: str = ""
    role_id_file: str = ""
    secret_id_file: str = ""
    kubernetes_role: str = ""
    kubernetes_mount: str = "kubernetes"
    kubernetes_token_file: str = "/var/run/secrets/vault/token"  # noqa: S105 - the path of a file

    def __post_init__(self) -> None:
        """Refuse a login that is none, or two."""
        if bool(self.role_id_file and self.secret_id_file) == bool(self.kubernetes_role):
            raise ValueError("give role_id_file and secret_id_file, or else kubernetes_role")


@dataclass(frozen=True)
class DatabaseConfig:
    """The service's own database. `host` is a host, or the directory of the Unix socket.

    `role` names the role of Vault's database engine that issues logins; `owner` is the NOLOGIN role
    that owns the tables and that each connection becomes. With `ca_file` (PEM) the connection is
    by TLS, and the server's certificate must name `host`.
    """

    name: str
    role: str
    owner: str
    host: str
    port: int = 5432
    max_size: int = 8
    ca_file: str = ""


@dataclass(frozen=True)
class TelemetryConfig:
    """Where spans and metrics go (OTLP over gRPC, host:port), and how many calls are traced.

    A call whose caller traces it is always traced; `sample_ratio` (0 to 1) is for those that
    start here. Without an endpoint nothing is exported, and trace ids still travel.
    """

    otlp_endpoint: str = ""
    sample_ratio: float = 0.01


@dataclass(frozen=True)
class TrustConfig:
    """PEM files of the intermediates that issue each kind of certificate; "" trusts none of it."""

    services: str = ""
    institutions: str = ""
    persons: str = ""


@dataclass(frozen=True)
class CertificateConfig:
    """A certificate that comes from files (read again when they change) instead of from Vault."""

    key_file: str
    chain_file: str


@dataclass(frozen=True)
class RuntimeConfig:
    """What every process needs; the field `runtime` of each service's configuration.

    `peers` maps a service's name to its host:port. `run_dir` is where the address is published, as
    `<name>.json`; "" publishes nothing. `drain_seconds` is how long the process stays reachable
    while it says NOT_SERVING, `grace_seconds` how long calls under way may then still take. At
    `metrics_listen` metrics can be read over HTTP (Prometheus); "" shows them nowhere.
    """

    name: str
    listen: str = "127.0.0.1:0"
    health_listen: str = "127.0.0.1:0"
    metrics_listen: str = ""
    production: bool = False
    vault: VaultConfig | None = None
    certificate: CertificateConfig | None = None
    trust: TrustConfig = TrustConfig()
    database: DatabaseConfig | None = None
    telemetry: TelemetryConfig = TelemetryConfig()
    peers: Mapping[str, str] = field(default_factory=dict)
    run_dir: str = ""
    log_level: str = "INFO"
    drain_seconds: float = 1.0
    grace_seconds: float = 10.0


class Placed:
    """What a service says of itself to who places it; a service's Config derives from this.

    `calls` are the services that it calls: the configuration must name each in `runtime.peers`, and
    no other can be called. `reads` are those that it asks over HTTP. `outside` is what it connects
    to that runs elsewhere ("institutions", "witnesses", a service of the other cloud). `http` names
    the setting that says where it answers HTTP, `state` the one that names a file which must
    outlive the process, `given` those that name files which somebody provides: "config" and
    "secret" before the process starts, "later" at any time. `sensitivity` is for a service that has
    no API in protos/ to say it. The charts are made from this (tools/placement.py).
    """

    calls: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    outside: ClassVar[tuple[str, ...]] = ()
    http: ClassVar[str] = ""
    state: ClassVar[str] = ""
    given: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    sensitivity: ClassVar[str] = ""


def load(cls: type[T], text: str | Path) -> T:
    """The configuration in `text` (TOML), or in the file at `text` when it is a Path.

    Raises ConfigError.
    """
    source = "configuration"
    if isinstance(text, Path):
        source = str(text)
        try:
            text = text.read_text("utf-8")
        except OSError as error:
            remedy = "name a file that this process may read"
            raise ConfigError([f"{source}: {error.strerror}; {remedy}"]) from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{source}: not TOML: {error}; correct that line"]) from error
    problems: list[str] = []
    value = _table(cls, table, "", problems)
    if problems:
        raise ConfigError([f"{source}: {problem}" for problem in problems])
    return typing.cast("T", value)


def _table(cls: type[Any], table: dict[str, Any], path: str, problems: list[str]) -> Any:
    """An instance of the dataclass `cls` from a TOML table; None when it can't be made."""
    hints = typing.get_type_hints(cls)
    fields = {each.name: each for each in dataclasses.fields(cls) if each.init}
    before = len(problems)
    for key in table.keys() - fields.keys():
        near = difflib.get_close_matches(key, fields, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(fields))}"
        problems.append(f"{path}{key}: unknown key; {remedy}")
    values: dict[str, Any] = {}
    for name, each in fields.items():
        if name in table:
            values[name] = _value(hints[name], table[name], f"{path}{name}", problems)
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            problems.append(f"{path}{name}: missing; add it ({_describe(hints[name])})")
    if len(problems) > before:
        return None
    try:
        return cls(**values)
    except ValueError as error:
        problems.append(f"{path.rstrip('.') or cls.__name__}: {error}")
        return None


def _value(hint: Any, value: Any, path: str, problems: list[str]) -> Any:  # noqa: PLR0911 - one for each form of value
    """`value` as the annotated type, or a problem."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        hint = next(each for each in arguments if each is not type(None))
        return _value(hint, value, path, problems)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _table(typing.cast("type[Any]", hint), value, f"{path}.", problems)
    if origin in MAPPINGS and isinstance(value, dict):
        return {
            key: _value(arguments[1], each, f"{path}.{key}", problems)
            for key, each in value.items()
        }
    if origin in (tuple, list) and isinstance(value, list):
        return tuple(
            _value(arguments[0], each, f"{path}[{index}]", problems)
            for index, each in enumerate(value)
        )
    if hint is float and type(value) is int:
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    problems.append(f"{path}: is {_describe(type(value))}; give {_describe(hint)}")
    return None


def _describe(hint: Any) -> str:
    """A type in the words of whoever writes the file."""
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    names |= {dict: "a table", list: "a list", Path: "the path of a file"}
    if hint in names:
        return names[hint]
    if dataclasses.is_dataclass(hint):
        return "a table"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _describe(next(each for each in arguments if each is not type(None)))
    if origin in (tuple, list):
        return f"a list, each {_describe(arguments[0])}"
    return "a table" if origin is not None else getattr(hint, "__name__", str(hint))
