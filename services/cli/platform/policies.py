"""What each service, and the operator, may do in Vault: pure text, one policy for each.

Contract: a service may ask for its own certificate, its own database login and its own Transit
keys, and nothing else. The operator may apply again what bootstrap applied (and so, through the
policies that it writes, is as strong as what it writes); it can neither sign with the root, use a
Transit key, nor read a database login.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from services.cli.platform.home import DATABASES

Rules = Mapping[str, Sequence[str]]

# Months and legal holds come and go: logging makes a key for each, and deletes it to erase what it
# wrapped.
_MONTH_KEYS = ("log-month-*", "log-hold-*", "subject-index*")

_OWN: Mapping[str, Rules] = MappingProxyType(
    {
        "logging": {
            "transit/keys/log-checkpoint": ["read"],
            "transit/sign/log-checkpoint": ["update"],
            **{
                f"transit/keys/{key}": ["create", "update", "read", "delete"] for key in _MONTH_KEYS
            },
            **{f"transit/datakey/plaintext/{key}": ["update"] for key in _MONTH_KEYS},
            **{f"transit/decrypt/{key}": ["update"] for key in _MONTH_KEYS},
            "transit/hmac/subject-index*": ["update"],
        },
        "routing": {
            "transit/datakey/plaintext/request-id": ["update"],
            "transit/decrypt/request-id": ["update"],
            "transit/hmac/request-id*": ["update"],
        },
        # Registry sets the names in the certificates of institutions and persons.
        "registry": {
            "pki-institutions/roles/*": ["create", "update", "read", "delete"],
            "pki-institutions/sign/*": ["update"],
            "pki-persons/roles/*": ["create", "update", "read", "delete"],
            "pki-persons/sign/*": ["update"],
        },
    }
)

TRANSIT_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "log-checkpoint": "ed25519",
        "log-month-key": "aes256-gcm96",
        "subject-index": "aes256-gcm96",
        "request-id": "aes256-gcm96",
    }
)
"""Transit keys that bootstrap makes, and their kinds."""


def service_policy(service: str) -> str:
    """The policy of one service."""
    rules: dict[str, Sequence[str]] = {f"pki-services/sign/{service}": ["update"]}
    if service in DATABASES:
        rules[f"database/creds/{service}"] = ["read"]
    return render(rules | dict(_OWN.get(service, {})))


def operator_policy() -> str:
    """The policy of whoever applies the set-up again."""
    write = ["create", "update", "read"]
    rules: dict[str, Sequence[str]] = {
        "sys/mounts": ["read"],
        "sys/policies/acl/service-*": write,
        "auth/approle/role/service-*": write,
        "pki-services/roles/*": write,
        "pki-services/sign/genesis": ["update"],
        "pki-institutions/roles/*": write,
        "pki-persons/roles/*": write,
        "pki-institutions/sign/*": ["update"],
        "pki-persons/sign/*": ["update"],
        "database/config/*": write,
        "database/rotate-root/*": ["update"],
        "database/roles/*": write,
    }
    # A new version of the log's key, and from which version on it signs.
    rules |= {f"transit/keys/log-checkpoint/{what}": ["update"] for what in ("rotate", "config")}
    return render(rules | {f"transit/keys/{key}": write for key in TRANSIT_KEYS})


def render(rules: Rules) -> str:
    """Rules (path to capabilities) in Vault's policy language."""
    lines = []
    for path in sorted(rules):
        capabilities = ", ".join(f'"{each}"' for each in rules[path])
        lines.append(f'path "{path}" {{ capabilities = [{capabilities}] }}')
    return "\n".join(lines) + "\n"
