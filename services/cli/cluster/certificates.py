"""Certificates that the cluster's objects hold: how long do they live?

Those of services live a day, in the memory of their pods: no object shows them, and one that was
not renewed shows in readiness. Here are those that a person renews: authorities in config maps,
what OpenBao and the way in show, and the databases' own.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from services.cli.cluster.model import Area, Finding, Json, State, name_of

SOON = timedelta(days=30)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) \+0000 UTC")


def certificates(state: State) -> Iterator[Finding]:
    """Those that have ended or end within 30 days."""
    for config_map in state.config_maps or ():
        yield from _config_map(config_map, "", state.now)
    for config_map in state.vault_config_maps or ():
        yield from _config_map(config_map, f" in {state.vault_namespace}", state.now)
    for address, pem in state.shown.items():
        yield from _shown(address, pem, state.now)
    for database in state.databases or ():
        yield from _database(database, state.now)


def ends_of(text: str) -> list[datetime]:
    """When each certificate in a text of PEM ends; what is none is left out."""
    return [end for end in map(_end, _PEM.findall(text)) if end is not None]


def expirations(database: Json) -> dict[str, datetime]:
    """When the certificate in each of a database's secrets ends, as CloudNativePG says."""
    stated = (database["status"].get("certificates") or {}).get("expirations") or {}
    found = {secret: _INSTANT.match(str(text)) for secret, text in sorted(stated.items())}
    return {
        secret: datetime.fromisoformat(f"{instant[1]}T{instant[2]}").replace(tzinfo=UTC)
        for secret, instant in found.items()
        if instant is not None
    }


def _end(pem: str) -> datetime | None:
    from cryptography import x509  # noqa: PLC0415 - 0.1 s

    try:
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    except ValueError:
        return None


def _config_map(config_map: Json, where: str, now: datetime) -> Iterator[Finding]:
    todo = "renew it, and put both the old and the new one there until nobody uses the old one"
    for key, text in (config_map.get("data") or {}).items():
        subject = f"config map {name_of(config_map)}{where}, {key}"
        for pem in _PEM.findall(text):
            end = _end(pem)
            if end is None:
                yield Finding(
                    Area.CERTIFICATES,
                    subject,
                    "is not a certificate, though it looks like one",
                    "put the PEM of the authority there again",
                )
            else:
                yield from _ends(subject, end, now, todo)


def _shown(address: str, pem: str, now: datetime) -> Iterator[Finding]:
    """What OpenBao or the way in shows: only the pods know the file, and no API shows it."""
    end = _end(pem)
    if end is None:
        yield Finding(
            Area.CERTIFICATES,
            address,
            "shows no certificate",
            "see that it runs and is reached from here, or name another address (--tls)",
        )
    else:
        todo = "renew it: infra/runbooks/keys.md, Certificates that persons bring"
        yield from _ends(f"certificate at {address}", end, now, todo)


def _database(database: Json, now: datetime) -> Iterator[Finding]:
    """CloudNativePG renews its own; an authority that a person brought, a person renews."""
    brought = (database["spec"].get("certificates") or {}).values()
    for secret, end in expirations(database).items():
        subject = f"database {name_of(database)}, secret {secret}"
        if secret in brought:
            todo = "certify it again: infra/runbooks/keys.md, Databases' authorities"
            yield from _ends(subject, end, now, todo)
        else:
            # It renews seven days before the end: what is nearer than that was not renewed.
            todo = "CloudNativePG renews it a week before: look at its operator's log, restart it"
            yield from _ends(subject, end, now, todo, soon=timedelta(days=6))


def _ends(
    subject: str, end: datetime, now: datetime, todo: str, *, soon: timedelta = SOON
) -> Iterator[Finding]:
    left = end - now
    if left < timedelta(0):
        yield Finding(Area.CERTIFICATES, subject, f"ended {end:%Y-%m-%d}", todo)
    elif left < soon:
        yield Finding(
            Area.CERTIFICATES, subject, f"ends in {left.days} days ({end:%Y-%m-%d})", todo
        )
