"""Brings a Vault to what is declared, and says what is left.

Contract: `apply` writes what differs and nothing else: applied again it changes nothing. It removes
extra rights when told to, and never what holds data or keys. What the session may not do, and what
only a person can, is left, each with what to do. Raises VaultError when Vault does not answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from services.cli.vault.declaration import Declaration, Item, Kind, holder_role
from services.cli.vault.difference import Change, Difference, differences
from services.cli.vault.kinds import PLACES
from services.runtime.vaultsession import Session, VaultError

NEEDS_ROOT = (
    "this login may not do it; apply with a root token that a quorum of the recovery keys made"
)
BY_HAND = {
    Kind.ENGINE: "it holds keys or data: look at what uses it, then remove it as root",
    Kind.METHOD: "somebody can log in by it: look who, then disable it as root",
    Kind.KEY: "what it wrapped is lost with it: find out who made it, then delete it as root",
    Kind.CONNECTION: "revoke the logins made by it, then delete it",
}
LASTING = frozenset({"type", "exportable", "allow_plaintext_backup", "derived"})
"""Fields of engines and keys that can't be changed, or not back."""

Login = Callable[[str], dict[str, Any]]
"""How Vault logs in to a service's database for the first time: `username` and `password`, and
whatever else of the connection is known only there. Raises PlatformError when nobody knows."""


@dataclass
class Outcome:
    """What was done, and what is left with what to do."""

    done: list[Difference] = field(default_factory=list)
    left: list[tuple[Difference, str]] = field(default_factory=list)


def apply(
    session: Session, declaration: Declaration, *, login: Login, remove: bool = False
) -> Outcome:
    """Write what differs. `remove`: extra rights too."""
    bodies = {(item.kind, item.name): item for item in declaration.items}
    outcome = Outcome()
    for difference in differences(session, declaration):
        item = bodies.get((difference.kind, difference.name))
        if item is None and difference.change is Change.CHANGED:
            item = holder_role(difference.kind, difference.name)
        try:
            why = _bring(session, difference, item, login=login, remove=remove)
        except VaultError as error:
            if error.status != 403:
                raise
            why = NEEDS_ROOT
        if why:
            outcome.left.append((difference, why))
        else:
            outcome.done.append(difference)
    return outcome


def connect(session: Session, item: Item, *, login: Login) -> None:
    """Hand Vault its login to a database, unless it has one that works; then only it knows it."""
    path = PLACES[item.kind].path.format(name=item.name)
    body = {**item.body, "verify_connection": True}
    try:
        session.request("GET", path)
        session.request("POST", path, body)  # tries the password that it has
    except VaultError as error:
        if error.status not in (400, 404):
            raise
    else:
        return
    session.request("POST", path, body | login(item.name))
    session.request("POST", f"database/rotate-root/{item.name}")


def _bring(
    session: Session, difference: Difference, item: Item | None, *, login: Login, remove: bool
) -> str:
    """Take one difference away; else why it stays."""
    place = PLACES[difference.kind]
    if item is None:
        if not place.removable:
            return BY_HAND[difference.kind]
        if not remove:
            return "nobody declared it: remove it with --remove, or declare it in infra/vault"
        place.remove(session, difference.name)
        return ""
    # What nobody declared goes back to nothing: Vault keeps a field that it is not told of.
    undeclared = [each for each in difference.fields if each.name not in item.body]
    nothing = {each.name: each.declared or type(each.found)() for each in undeclared}
    item = replace(item, body={**nothing, **item.body})
    if item.kind is Kind.CONNECTION:
        connect(session, item, login=login)
        return ""
    lasting = sorted({each.name for each in difference.fields} & LASTING)
    if difference.change is Change.CHANGED and lasting and item.kind in BY_HAND:
        return f"{', '.join(lasting)} can't be changed back; rotate or replace it"
    place.write(session, item.name, item.body, exists=difference.change is Change.CHANGED)
    return ""
