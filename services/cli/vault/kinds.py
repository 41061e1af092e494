"""How each sort of thing in a Vault is listed, read, written and removed.

Contract: bodies are in Vault's terms, nested ones flattened to what is declared. What `read` leaves
out is either no setting (a key's versions) or not for us to say (which version signs). Raises
VaultError.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.cli.vault.declaration import Kind
from services.runtime.vaultsession import Session, VaultError

BUILT_IN = frozenset({"cubbyhole", "identity", "sys", "token"})
"""Engines and login methods that every Vault has."""
OWN_POLICIES = frozenset({"default", "root"})


@dataclass(frozen=True)
class Place:
    """Where a sort of thing lives.

    `removable`: an extra one is nothing but a right, and apply may remove it; what holds data or
    keys a person removes. `nested` is the field of the answer whose fields belong to the body.
    `defaults` are what Vault says for a field that nobody set, where that is not empty.
    """

    path: str
    listed: str = ""
    removable: bool = False
    nested: str = ""
    unsaid: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def names(self, session: Session) -> set[str]:
        """Those that are there."""
        if not self.listed:
            return {self.path.rsplit("/", 1)[1]} if self.read(session, "") is not None else set()
        answer = _found(session, "LIST", self.listed)
        return set(answer["data"]["keys"] or ()) if answer else set()

    def read(self, session: Session, name: str) -> dict[str, Any] | None:
        """What is there, None when nothing is."""
        answer = _found(session, "GET", self.path.format(name=name))
        if answer is None:
            return None
        body = dict(answer["data"])
        body |= body.pop(self.nested, {}) if self.nested else {}
        return {key: value for key, value in body.items() if key not in self.unsaid}

    def write(
        self,
        session: Session,
        name: str,
        body: Mapping[str, Any],
        *,
        exists: bool,  # noqa: ARG002 - for those who ask
    ) -> None:
        """Make it, or make it say this."""
        session.request("POST", self.path.format(name=name), dict(body))

    def remove(self, session: Session, name: str) -> None:
        """Remove it."""
        session.request("DELETE", self.path.format(name=name))


@dataclass(frozen=True)
class Mounts(Place):
    """Engines and login methods: they come in one answer, and are not set as they are made."""

    def names(self, session: Session) -> set[str]:
        """Those that are there, without those that every Vault has."""
        mounts = session.request("GET", self.listed)["data"]
        return {path.rstrip("/") for path in mounts} - BUILT_IN

    def read(self, session: Session, name: str) -> dict[str, Any] | None:
        """Its type and settings."""
        mount = session.request("GET", self.listed)["data"].get(f"{name}/")
        if mount is None:
            return None
        config = {k: v for k, v in mount["config"].items() if k not in self.unsaid}
        return {"type": mount["type"], **config}

    def write(self, session: Session, name: str, body: Mapping[str, Any], *, exists: bool) -> None:
        """Mount it, or change the settings of one that is there."""
        config = {key: value for key, value in body.items() if key != "type"}
        path = self.path.format(name=name)
        if exists:
            session.request("POST", f"{path}/tune", config)
        else:
            session.request("POST", path, {"type": body["type"], "config": config})


@dataclass(frozen=True)
class Keys(Place):
    """Transit keys, whose settings have a path of their own; the kind of one is for ever."""

    def write(self, session: Session, name: str, body: Mapping[str, Any], *, exists: bool) -> None:
        """Make it, or take back what can be taken back."""
        path = self.path.format(name=name)
        if not exists:
            session.request("POST", path, dict(body))
            return
        settings = {"deletion_allowed": False, "auto_rotate_period": 0}
        session.request("POST", f"{path}/config", settings)


_MOUNT = frozenset({"force_no_cache", "default_lease_ttl", "listing_visibility", "token_type"})
# Versions, and what a kind of key is able to do: no settings.
_KEY = frozenset(
    {
        *("name", "keys", "latest_version", "min_available_version", "min_decryption_version"),
        *("min_encryption_version", "imported_key", "supports_decryption", "supports_derivation"),
        *("supports_encryption", "supports_signing", "convergent_encryption_version"),
    }
)
_POLICY = frozenset({"name", "modified", "version"})
PLACES: Mapping[Kind, Place] = {
    Kind.ENGINE: Mounts("sys/mounts/{name}", "sys/mounts", unsaid=_MOUNT),
    Kind.METHOD: Mounts("sys/auth/{name}", "sys/auth", unsaid=_MOUNT),
    Kind.KEY: Keys("transit/keys/{name}", "transit/keys", unsaid=_KEY),
    Kind.POLICY: Place(
        "sys/policies/acl/{name}", "sys/policies/acl", removable=True, unsaid=_POLICY
    ),
    Kind.APPROLE: Place("auth/approle/role/{name}", "auth/approle/role", removable=True),
    Kind.KUBERNETES_CONFIG: Place("auth/kubernetes/config"),
    Kind.KUBERNETES_ROLE: Place(
        "auth/kubernetes/role/{name}",
        "auth/kubernetes/role",
        removable=True,
        defaults={"alias_name_source": "serviceaccount_uid"},
    ),
    **{
        kind: Place(
            f"{engine}/roles/{{name}}",
            f"{engine}/roles",
            removable=True,
            defaults={
                "cn_validations": ["email", "hostname"],
                "issuer_ref": "default",
                "not_after_bound": "permit",
                "not_before_bound": "permit",
            },
        )
        for kind, engine in (
            (Kind.CERTIFICATE_ROLE, "pki-services"),
            (Kind.INSTITUTION_ROLE, "pki-institutions"),
            (Kind.PERSON_ROLE, "pki-persons"),
        )
    },
    Kind.CONNECTION: Place(
        "database/config/{name}", "database/config", nested="connection_details"
    ),
    Kind.DATABASE_ROLE: Place(
        "database/roles/{name}",
        "database/roles",
        removable=True,
        defaults={"credential_type": "password"},
    ),
}


def _found(session: Session, method: str, path: str) -> dict[str, Any] | None:
    try:
        return session.request(method, path)
    except VaultError as error:
        if error.status != 404:
            raise
        return None
