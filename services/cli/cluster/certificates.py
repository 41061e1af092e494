"""Certificates that the cluster's objects hold: how long do they live?

Those of services live a day, in the memory of their pods: no object shows them, and one that was
not renewed shows in readiness. Here are those that a person renews: authorities in config maps, and
the databases' own.
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
        for key, text in (config_map.get("data") or {}).items():
            for pem in _PEM.findall(text):
                yield from _config_map(f"config map {name_of(config_map)}, {key}", pem, state.now)
    for database in state.databases or ():
        yield from _database(database, state.now)


def _config_map(subject: str, pem: str, now: datetime) -> Iterator[Finding]:
    from cryptography import x509  # noqa: PLC0415 - 0.1 s

    try:
        end = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    except ValueError:
        yield Finding(
            Area.CERTIFICATES,
            subject,
            "is not a certificate, though it looks like one",
            "put the PEM of the authority there again",
        )
        return
    todo = "renew it, and put both the old and the new one there until nobody uses the old one"
    yield from _ends(subject, end, now, todo)


def _database(database: Json, now: datetime) -> Iterator[Finding]:
    """CloudNativePG says when each of the secrets' certificates ends, and renews its own."""
    stated = database["status"].get("certificates", {}).get("expirations") or {}
    for secret, text in sorted(stated.items()):
        found = _INSTANT.match(str(text))
        if found is None:
            continue
        end = datetime.fromisoformat(f"{found[1]}T{found[2]}").replace(tzinfo=UTC)
        # It renews seven days before the end: what is nearer than that was not renewed.
        subject = f"database {name_of(database)}, secret {secret}"
        todo = "CloudNativePG renews it a week before: look at its operator's log, and restart it"
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
