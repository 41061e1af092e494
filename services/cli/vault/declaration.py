"""What infra/vault says that a Vault holds, for one environment.

Contract: `declare` reads the files and fills in the environment's values; the items come in the
order in which they can be written. Nothing here asks Vault, and nothing here is a secret.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from string import Template
from typing import Any

from services.cli.platform.enrolment import application_names, person_names
from services.cli.platform.home import PlatformError
from services.runtime.issuing import certificate_role

Body = Mapping[str, Any]

MIGRATE = "-migrate"
"""What the account, the role and the policy of a service's migration end with."""


class Kind(StrEnum):
    """Sorts of things in a Vault; the value is what people read."""

    ENGINE = "engine"
    METHOD = "login method"
    AUTHORITY = "authority"
    KEY = "transit key"
    POLICY = "policy"
    APPROLE = "approle"
    KUBERNETES_CONFIG = "kubernetes config"
    KUBERNETES_ROLE = "kubernetes role"
    CERTIFICATE_ROLE = "certificate role"
    INSTITUTION_ROLE = "institution role"
    PERSON_ROLE = "person role"
    CONNECTION = "database connection"
    DATABASE_ROLE = "database role"


@dataclass(frozen=True)
class Item:
    """One thing: its sort, its name within the sort, and what it says, in Vault's own terms."""

    kind: Kind
    name: str
    body: Body


@dataclass(frozen=True)
class Authority:
    """A certificate authority: its name (RFC 5280 subject) and the days that it lives."""

    common_name: str
    days: int


@dataclass(frozen=True)
class Declaration:
    """Everything that one environment's Vault holds.

    `kinds` are those that it has at all; `made` are patterns of Transit keys that services make.
    """

    environment: str
    items: tuple[Item, ...]
    kinds: tuple[Kind, ...]
    made: tuple[str, ...]
    authorities: Mapping[str, Authority]
    services: tuple[str, ...]


def folder() -> Path:
    """Where the files are: beside the code in a wheel, in infra/ of a clone."""
    package = Path(__file__).parent
    packed = package / "infra"
    return packed if packed.is_dir() else package.parents[2] / "infra" / "vault"


def environments() -> list[str]:
    """The environments that there are files for."""
    return sorted(file.stem for file in (folder() / "environments").glob("*.toml"))


def declare(environment: str, values: Mapping[str, str] | None = None) -> Declaration:
    """The declaration for `environment`; `values` are added to those of its file.

    Raises PlatformError when there is no such environment, or a value is missing.
    """
    if environment not in environments():
        known = ", ".join(environments())
        raise PlatformError(f"no environment {environment!r} in {folder()}; there are {known}")
    chosen = _read(f"environments/{environment}")
    intermediates = _read("authorities")["intermediates"]
    return Declaration(
        environment=environment,
        items=tuple(_items(chosen, {**chosen["values"], **(values or {})})),
        kinds=_kinds(chosen),
        made=tuple(_read("keys")["made"]),
        authorities={name: Authority(**intermediates[name]) for name in chosen["authorities"]},
        services=tuple(chosen["services"]),
    )


def root_authority() -> Authority:
    """The root above all intermediates: the same in every environment."""
    return Authority(**_read("authorities")["root"])


def holder_role(kind: Kind, name: str) -> Item | None:
    """The role of an institution's application or of a person, None for a name that is neither's.

    Nobody declares them: they come with their holders. What each must say follows from its name.
    """
    try:
        if kind is Kind.PERSON_ROLE:
            uri, dns = person_names(name)
        else:
            institution, _, application = name.partition(".")
            uri, dns = application_names(institution, application)
    except PlatformError:
        return None
    return Item(kind, name, certificate_role(uri=uri, dns=dns))


def _kinds(chosen: Body) -> tuple[Kind, ...]:
    """The sorts of things in this environment."""
    without = {Kind.APPROLE}
    if chosen["login"] == "approle":
        without = {Kind.KUBERNETES_CONFIG, Kind.KUBERNETES_ROLE}
    if "institutions" not in chosen["authorities"]:
        without.add(Kind.INSTITUTION_ROLE)
    if "persons" not in chosen["authorities"]:
        without.add(Kind.PERSON_ROLE)
    if not chosen["keys"]:
        without.add(Kind.KEY)
    return tuple(kind for kind in Kind if kind not in without)


def _items(chosen: Body, values: Mapping[str, str]) -> Iterator[Item]:
    """All but the authorities, which are not written but made."""
    mounts = {f"pki-{name}" for name in chosen["authorities"]} | {"database"}
    mounts |= {"transit"} if chosen["keys"] else set()
    for path, body in _read("engines").items():
        if path in mounts:
            yield Item(Kind.ENGINE, path, body)
    yield Item(Kind.METHOD, chosen["login"], {"type": chosen["login"]})
    keys = _read("keys")["keys"]
    for name in chosen["keys"]:
        yield Item(Kind.KEY, name, keys[name])
    logins = list(_logins(chosen, values))
    for name in (policy for each in logins for policy in each.body.get("token_policies", ())):
        yield Item(Kind.POLICY, name, {"policy": _policy(name)})
    yield from logins
    role = _read("authorities")["role"]
    for service in (*chosen["services"], *chosen["certificates"]):
        yield Item(Kind.CERTIFICATE_ROLE, service, _fill(role, values, service))
    databases = _read("databases")
    for service in chosen["databases"]:
        body = _fill(databases["connection"], values, service)
        yield Item(Kind.CONNECTION, service, body)
        yield Item(Kind.DATABASE_ROLE, service, _fill(databases["role"], values, service))


def _logins(chosen: Body, values: Mapping[str, str]) -> Iterator[Item]:
    logins = _read("logins")[chosen["login"]]
    if chosen["login"] == "approle":
        yield Item(Kind.APPROLE, "operator", logins["operator"])
        for service in chosen["services"]:
            body = _fill(logins["service"], values, service)
            yield Item(Kind.APPROLE, f"service-{service}", body)
        return
    yield Item(Kind.KUBERNETES_CONFIG, "config", _fill(logins["config"], values, ""))
    for name in sorted(logins.keys() - {"config", "service", "migrate"}):
        yield Item(Kind.KUBERNETES_ROLE, name, logins[name])
    for service in chosen["services"]:
        yield Item(Kind.KUBERNETES_ROLE, service, _fill(logins["service"], values, service))
    for service in chosen["databases"]:
        body = _fill(logins["migrate"], values, service)
        yield Item(Kind.KUBERNETES_ROLE, f"{service}{MIGRATE}", body)


def _policy(name: str) -> str:
    """The text of a policy; all migrations have one in common."""
    service = name.removeprefix("service-").removesuffix(MIGRATE)
    file = MIGRATE.lstrip("-") if name.endswith(MIGRATE) else name
    text: str = _fill((folder() / "policies" / f"{file}.hcl").read_text("utf-8"), {}, service)
    return text


def _fill(value: Any, values: Mapping[str, str], service: str) -> Any:
    """`value` with each ${name} in it replaced, also those that came with a value."""
    if isinstance(value, str):
        names = {**values, "service": service}
        try:
            # Twice: a value may hold names itself.
            return Template(Template(value).substitute(names)).substitute(names)
        except KeyError as error:
            raise PlatformError(f"no value for {error} in {value!r}; give it") from None
    if isinstance(value, Mapping):
        return {key: _fill(each, values, service) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, values, service) for each in value]
    return value


def _read(name: str) -> dict[str, Any]:
    with (folder() / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)
