"""What services may do in Vault."""

from services.cli.platform.home import PUBLIC, SERVICES
from services.cli.platform.policies import TRANSIT_KEYS, operator_policy, render, service_policy


def test_a_service_names_only_its_own_certificate_and_database() -> None:
    everybody = (*SERVICES, *PUBLIC)
    for service in everybody:
        policy = service_policy(service)
        for other in set(everybody) - {service}:
            assert f'"database/creds/{other}"' not in policy
            assert f'"pki-services/sign/{other}"' not in policy


def test_who_has_no_database_gets_no_login_to_one() -> None:
    assert "database/creds" not in service_policy("publisher")
    assert "database/creds/publication" in service_policy("publication")


def test_only_logging_signs_checkpoints() -> None:
    signers = [name for name in SERVICES if "transit/sign" in service_policy(name)]
    assert signers == ["logging"]


def test_the_operator_uses_no_key_and_reads_no_login() -> None:
    policy = operator_policy()
    for forbidden in ("transit/sign", "transit/decrypt", "transit/datakey", "database/creds",
                      "pki-root", "sudo", '"*"', "auth/token/create"):  # fmt: skip
        assert forbidden not in policy
    assert all(f"transit/keys/{key}" in policy for key in TRANSIT_KEYS)


def test_rules_become_the_policy_language() -> None:
    assert render({"a/b": ["read", "list"]}) == 'path "a/b" { capabilities = ["read", "list"] }\n'
