"""What infra/vault says: each environment, and what nobody may do anywhere."""

import re

import pytest

from services.cli.platform.enrolment import service_names
from services.cli.platform.home import DATABASES, INTERMEDIATES, PUBLIC, SERVICES, PlatformError
from services.cli.vault.declaration import Kind, declare, environments, folder
from services.cli.vault.difference import changed
from services.runtime.issuing import certificate_role

VALUES = {"socket": "/run/postgres"}


def policies(environment: str) -> dict[str, str]:
    """The policies of an environment, without their comments."""
    items = declare(environment, VALUES).items
    texts = {item.name: str(item.body["policy"]) for item in items if item.kind is Kind.POLICY}
    return {name: re.sub(r"#.*", "", text) for name, text in texts.items()}


def test_the_local_environment_is_what_runs_on_one_machine() -> None:
    declaration = declare("local", VALUES)
    assert declaration.services == (*SERVICES, *PUBLIC)
    databases = [item.name for item in declaration.items if item.kind is Kind.CONNECTION]
    assert databases == [*DATABASES]
    assert tuple(declaration.authorities) == INTERMEDIATES


@pytest.mark.parametrize("environment", environments())
def test_a_service_names_only_its_own_certificate_and_database(environment: str) -> None:
    texts = policies(environment)
    for service in declare(environment, VALUES).services:
        for other in {name.removeprefix("service-") for name in texts} - {service}:
            assert f'"database/creds/{other}"' not in texts[f"service-{service}"]
            assert f'"pki-services/sign/{other}"' not in texts[f"service-{service}"]


def test_who_has_no_database_gets_no_login_to_one() -> None:
    assert "database/creds" not in policies("local")["service-publisher"]
    assert "database/creds/publication" in policies("local")["service-publication"]


@pytest.mark.parametrize("environment", ["community", "public"])
def test_a_migration_may_log_in_to_the_database_of_its_service_and_nothing_else(
    environment: str,
) -> None:
    items = declare(environment).items
    roles = {each.name: each.body for each in items if each.kind is Kind.KUBERNETES_ROLE}
    for service in (each.name for each in items if each.kind is Kind.CONNECTION):
        policy = policies(environment)[f"service-{service}-migrate"]
        path = f'path "database/creds/{service}" {{ capabilities = ["read"] }}'
        assert policy.strip() == path
        role = roles[f"{service}-migrate"]
        assert role["token_policies"] == [f"service-{service}-migrate"]
        assert role["bound_service_account_names"] == [f"{service}-migrate"]
        assert roles[service]["bound_service_account_names"] == [service]


def test_only_logging_signs_checkpoints() -> None:
    texts = policies("community")
    assert [name for name, text in texts.items() if "transit/sign" in text] == ["service-logging"]


def test_the_operator_uses_no_key_and_reads_no_login() -> None:
    text = policies("community")["operator"]
    for forbidden in ("transit/sign", "transit/decrypt", "transit/datakey", '"database/creds',
                      '"*"', "auth/token/create", "intermediate", "/root/"):  # fmt: skip
        assert forbidden not in text
    # What else only root may do: change who is active, and end logins that somebody has.
    assert re.findall(r'path "([^"]*)"[^\n]*"sudo"', text) == [
        "sys/step-down",
        "sys/leases/revoke-prefix/database/creds/*",
    ]


def test_the_public_cloud_knows_no_key_and_no_authority_of_the_community() -> None:
    declaration = declare("public")
    assert declaration.services == ("publication",)
    assert tuple(declaration.authorities) == ("services",)
    assert not [item for item in declaration.items if item.kind is Kind.KEY]


def test_every_policy_file_is_somebodys() -> None:
    named = {name for each in environments() for name in policies(each)}
    assert {f"service-{each}-migrate" for each in DATABASES} <= named
    named = {"migrate" if name.endswith("-migrate") else name for name in named}
    assert {file.stem for file in (folder() / "policies").glob("*.hcl")} == named


def test_registry_makes_roles_as_the_services_have_them() -> None:
    for item in declare("community").items:
        if item.kind is Kind.CERTIFICATE_ROLE:
            uri, dns = service_names(item.name)
            assert not list(changed(item.body, certificate_role(uri=uri, dns=dns), {}))


def test_a_value_that_is_missing_is_named() -> None:
    with pytest.raises(PlatformError, match="socket"):
        declare("local")
    with pytest.raises(PlatformError, match="there are community, local, public"):
        declare("elsewhere")


@pytest.mark.parametrize(
    ("declared", "found"),
    [("24h", 86400), ("30s", 30), (["b", "a"], ["a", "b"]), (0, None), (False, ""), ([], None)],
)
def test_what_means_the_same_is_no_difference(declared: object, found: object) -> None:
    assert not list(changed({"x": declared}, {"x": found}, {}))


@pytest.mark.parametrize(
    ("declared", "found"), [("24h", 3600), (["a"], ["a", "b"]), (True, False), ("a", None)]
)
def test_what_means_something_else_is_one(declared: object, found: object) -> None:
    assert [each.name for each in changed({"x": declared}, {"x": found}, {})] == ["x"]


def test_a_field_that_nobody_declared_is_a_difference_unless_it_says_nothing() -> None:
    found = {"token_no_parent": True, "token_ttl": 0, "issuer_ref": "default"}
    assert [each.name for each in changed({}, found, {"issuer_ref": "default"})] == [
        "token_no_parent"
    ]
