"""`crossroads vault diff` and `apply` on this machine's OpenBao: they find and mend every drift."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.cli.platform.bootstrap import Bootstrap
from services.cli.platform.home import PlatformError
from services.cli.platform.openbao import ACTIVE
from services.runtime.issuing import certificate_role
from services.runtime.vaultsession import Session, VaultError
from tests.support.own_vault import OwnVault

pytestmark = pytest.mark.xdist_group("own_vault")


@pytest.fixture
def vault(local_vault: OwnVault) -> OwnVault:
    """An OpenBao set up as `crossroads up` does it."""
    return local_vault


@dataclass(frozen=True)
class Drift:
    """A change behind our back: a request, and what diff says about it.

    `mended`: apply takes it away; else it is left to a person, and `undo` takes it away here.
    """

    kind: str
    name: str
    change: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    fields: tuple[str, ...] = ()
    mended: bool = True
    undo: tuple[str, str, dict[str, Any] | None] | None = None


ANY = 'path "*" { capabilities = ["read"] }'
DRIFTS = (
    Drift("policy", "service-contact", "changed", "POST", "sys/policies/acl/service-contact",
          {"policy": ANY}, ("policy",)),
    Drift("policy", "service-contact", "missing", "DELETE", "sys/policies/acl/service-contact"),
    Drift("policy", "service-visitor", "extra", "POST", "sys/policies/acl/service-visitor",
          {"policy": ANY}),
    Drift("policy", "visitor", "extra", "POST", "sys/policies/acl/visitor", {"policy": ANY},
          mended=False, undo=("DELETE", "sys/policies/acl/visitor", None)),
    Drift("approle", "service-contact", "changed", "POST", "auth/approle/role/service-contact",
          {"bind_secret_id": False, "token_bound_cidrs": ["127.0.0.1/32"],
           "token_policies": ["service-contact", "operator"]},
          ("bind_secret_id", "token_bound_cidrs", "token_policies")),
    Drift("approle", "service-visitor", "extra", "POST", "auth/approle/role/service-visitor",
          {"token_policies": ["operator"]}),
    Drift("certificate role", "contact", "changed", "POST", "pki-services/roles/contact",
          {"allow_any_name": True}, ("allow_any_name",)),
    Drift("certificate role", "contact", "missing", "DELETE", "pki-services/roles/contact"),
    Drift("certificate role", "visitor", "extra", "POST", "pki-services/roles/visitor", {}),
    Drift("institution role", "x.app", "changed", "POST", "pki-institutions/roles/x.app",
          certificate_role(uri="spiffe://crossroads/institution/y/app",
                           dns="app.x.crossroads.internal"),
          ("allowed_uri_sans",)),
    Drift("person role", "p", "changed", "POST", "pki-persons/roles/p",
          certificate_role(uri="spiffe://crossroads/person/p", dns="p.person.crossroads.internal")
          | {"allow_any_name": True, "ou": ["x"]},
          ("allow_any_name", "ou")),
    Drift("institution role", "everybody", "extra", "POST", "pki-institutions/roles/everybody", {},
          mended=False, undo=("DELETE", "pki-institutions/roles/everybody", None)),
    Drift("database role", "contact", "changed", "POST", "database/roles/contact",
          {"max_ttl": "9000h"}, ("max_ttl",)),
    Drift("database role", "contact", "missing", "DELETE", "database/roles/contact"),
    Drift("database connection", "contact", "changed", "POST", "database/config/contact",
          {"allowed_roles": ["contact", "visitor"]}, ("allowed_roles",)),
    Drift("database connection", "contact", "missing", "DELETE", "database/config/contact"),
    Drift("transit key", "log-checkpoint", "changed", "POST",
          "transit/keys/log-checkpoint/config", {"deletion_allowed": True}, ("deletion_allowed",)),
    Drift("transit key", "visitor", "extra", "POST", "transit/keys/visitor", {"type": "ed25519"},
          mended=False, undo=("POST", "transit/keys/visitor/config", {"deletion_allowed": True})),
    Drift("engine", "visitor", "extra", "POST", "sys/mounts/visitor", {"type": "transit"},
          mended=False, undo=("DELETE", "sys/mounts/visitor", None)),
    Drift("engine", "pki-services", "changed", "POST", "sys/mounts/pki-services/tune",
          {"max_lease_ttl": "1h"}, ("max_lease_ttl",), mended=False,
          undo=("POST", "sys/mounts/pki-services/tune", {"max_lease_ttl": "43800h"})),
    Drift("login method", "userpass", "extra", "POST", "sys/auth/userpass", {"type": "userpass"},
          mended=False, undo=("DELETE", "sys/auth/userpass", None)),
)  # fmt: skip


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: f"{drift.kind}-{drift.change}")
def test_a_drift_is_found_and_mended_or_left_with_what_to_do(drift: Drift, vault: OwnVault) -> None:
    assert vault.diff() == []
    vault.root.request(drift.method, drift.path, _merged(vault.root, drift))
    (found,) = vault.diff()
    assert (found["kind"], found["name"], found["change"]) == (
        drift.kind,
        drift.name,
        drift.change,
    )
    assert tuple(each["name"] for each in found["fields"]) == drift.fields
    result = vault.command("apply", "--remove", "--json")
    document = json.loads(result.stdout)
    if drift.mended:
        assert result.exit_code == 0, result.output
        assert [each["name"] for each in document["done"]] == [drift.name]
    else:
        assert result.exit_code == 4
        (left,) = document["left"]
        assert left["name"] == drift.name
        assert "root" in left["todo"]
        assert drift.undo is not None
        vault.root.request(*drift.undo)
        if drift.kind == "transit key":
            vault.root.request("DELETE", f"transit/keys/{drift.name}")
    assert vault.diff() == []


def _merged(root: Session, drift: Drift) -> dict[str, Any] | None:
    """A role is written whole: what the drift does not touch stays as it was."""
    if drift.change != "changed" or drift.kind not in ("certificate role", "database role"):
        return drift.body
    found: dict[str, Any] = root.request("GET", drift.path)["data"]
    return found | (drift.body or {})


def test_what_can_not_be_taken_back_is_left(vault: OwnVault) -> None:
    path = "transit/keys/request-id"
    vault.root.request("POST", f"{path}/config", {"exportable": True})
    try:
        (found,) = vault.diff()
        assert [each["name"] for each in found["fields"]] == ["exportable"]
        result = vault.command("apply")
        assert result.exit_code == 4
        assert "exportable can't be changed back" in result.output
    finally:
        vault.root.request("POST", f"{path}/config", {"deletion_allowed": True})
        vault.root.request("DELETE", path)
    assert vault.command("apply").exit_code == 0
    assert vault.diff() == []


def test_an_extra_right_stays_until_one_says_remove(vault: OwnVault) -> None:
    vault.root.request("POST", "sys/policies/acl/service-visitor", {"policy": ANY})
    result = vault.command("apply")
    assert result.exit_code == 4
    assert "remove it with --remove" in result.output
    assert vault.command("apply", "--remove").exit_code == 0


def test_applied_again_it_writes_nothing(vault: OwnVault) -> None:
    audit = vault.home.openbao / "audit.log"
    before = len(audit.read_text().splitlines())
    result = vault.command("apply", "--json")
    assert json.loads(result.stdout) == {"done": [], "left": [], "root_token": ""}
    lines = [json.loads(line) for line in audit.read_text().splitlines()[before:]]
    asked = {(line["request"]["operation"], line["request"]["path"]) for line in lines}
    assert {path for operation, path in asked if operation not in ("read", "list")} == {
        "auth/approle/login"
    }


def test_a_month_key_of_logging_and_a_rotated_key_are_no_drift(vault: OwnVault) -> None:
    vault.root.request("POST", "transit/keys/log-month-c-2026-01", {"type": "aes256-gcm96"})
    operator = vault.command("diff")  # as the operator, who may not see into it
    assert operator.exit_code == 0
    for key in ("log-month-c-2026-01", "log-checkpoint"):
        vault.root.request("POST", f"transit/keys/{key}/rotate")
    assert vault.diff() == []


def test_the_root_token_is_revoked_and_gone(vault: OwnVault) -> None:
    assert not list(vault.home.path.rglob("root_token"))
    session = vault.session(vault.token)
    with pytest.raises(VaultError, match="status 403"):
        session.request("GET", "auth/token/lookup-self")
    session.close()


def test_a_diff_says_in_words_which_lines_of_a_policy_differ(vault: OwnVault) -> None:
    declared = vault.root.request("GET", "sys/policies/acl/service-contact")["data"]["policy"]
    more = declared + 'path "pki-persons/sign/*" { capabilities = ["update"] }\n'
    vault.root.request("POST", "sys/policies/acl/service-contact", {"policy": more})
    result = vault.command("diff")
    assert result.exit_code == 4
    assert '-path "pki-persons/sign/*" { capabilities = ["update"] }' in result.output
    assert "database/creds" not in result.output
    assert vault.command("apply").exit_code == 0


def test_a_token_that_has_ended_is_named_as_the_reason(vault: OwnVault, tmp_path: Path) -> None:
    body = {"policies": ["operator"], "explicit_max_ttl": "1s"}
    token = vault.root.request("POST", "auth/token/create", body)["auth"]["client_token"]
    session, deadline = vault.session(token), time.monotonic() + 30
    while _lives(session):
        assert time.monotonic() < deadline
    session.close()
    (tmp_path / "token").write_text(token)
    for command in ("diff", "apply"):
        result = vault.command(
            command, "--environment=local", f"--address={vault.server.address}",
            f"--ca-file={vault.home.vault_ca}", f"--token-file={tmp_path / 'token'}",
            f"--value=socket={vault.home.socket_dir}",
        )  # fmt: skip
        assert result.exit_code == 1
        assert "log in again" in result.output


def _lives(session: Session) -> bool:
    try:
        session.request("GET", "auth/token/lookup-self")
    except VaultError:
        return False
    return True


def test_a_sealed_vault_is_named_so_and_nothing_is_lost_by_it(vault: OwnVault) -> None:
    vault.root.request("PUT", "sys/seal")
    for command in ("diff", "apply"):
        result = vault.command(command)
        assert result.exit_code == 1
        assert "sealed" in result.output
    vault.server.stop()
    for command in ("diff", "apply"):
        result = vault.command(command)
        assert result.exit_code == 1
        assert "not answer" in result.output.replace("\n", " ")
    vault.server.start()
    vault.server.wait(ACTIVE)
    assert vault.diff() == []


def test_a_database_that_was_made_anew_gets_its_logins_again(vault: OwnVault) -> None:
    vault.postgres.reset_vault_login("contact")  # as in a new one: Vault does not know it
    with pytest.raises(VaultError):
        vault.root.request("POST", "database/reset/contact")  # connects anew
    bootstrap = Bootstrap(home=vault.home, openbao=vault.server, postgres=vault.postgres)
    assert bootstrap.apply(fresh_databases=True)
    login = vault.root.request("GET", "database/creds/contact")["data"]
    assert login["username"].startswith("v_contact_")
    assert vault.diff() == []


def test_a_home_of_an_earlier_version_says_what_to_do(vault: OwnVault) -> None:
    path = "sys/policies/acl/operator"
    declared = vault.root.request("GET", path)["data"]["policy"]
    (vault.home.openbao / "applied").write_text("of an earlier version")
    vault.root.request("POST", path, {"policy": 'path "sys/mounts" { capabilities = ["read"] }'})
    bootstrap = Bootstrap(home=vault.home, openbao=vault.server, postgres=vault.postgres)
    try:
        with pytest.raises(PlatformError, match="remove it and start again"):
            bootstrap.apply()
    finally:
        vault.root.request("POST", path, {"policy": declared})
    assert bootstrap.apply()
