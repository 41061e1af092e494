"""The network policies where something enforces them: what is allowed passes, the rest is cut."""

import pytest

from tests.cluster.conftest import Trial
from tests.cluster.ground import COMMUNITY, GATEWAY, PUBLIC
from tests.cluster.inside import enforced, reaches
from tests.cluster.kubectl import missing

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("cluster"),
]
DATABASE, GRPC, SITE, HEALTH = 5432, 8443, 8080, 8081
ALLOWED = [
    ("identity", COMMUNITY, f"registry.{COMMUNITY}.svc", GRPC),
    ("routing", COMMUNITY, f"routing-database-rw.{COMMUNITY}.svc", DATABASE),
    ("publisher", COMMUNITY, f"logging.{COMMUNITY}.svc", SITE),
    ("gateway", GATEWAY, f"publication.{PUBLIC}.svc", SITE),
    ("gateway", GATEWAY, f"publication.{PUBLIC}.svc", GRPC),
    ("publication", PUBLIC, f"publication-database-rw.{PUBLIC}.svc", DATABASE),
]
FORBIDDEN = [
    ("identity", COMMUNITY, f"routing-database-rw.{COMMUNITY}.svc", DATABASE),
    ("identity", COMMUNITY, f"routing.{COMMUNITY}.svc", GRPC),
    ("identity", COMMUNITY, f"logging.{COMMUNITY}.svc", SITE),
    ("gateway", GATEWAY, f"identity.{COMMUNITY}.svc", HEALTH),
    ("publication", PUBLIC, f"registry.{COMMUNITY}.svc", GRPC),
    ("publication", PUBLIC, f"routing-database-rw.{COMMUNITY}.svc", DATABASE),
    ("publication", PUBLIC, "openbao-active.vault.svc", 8200),
    ("registry", COMMUNITY, f"publication.{PUBLIC}.svc", GRPC),
]


@pytest.fixture(scope="module")
def in_force(trial: Trial) -> None:
    """Skipped where nothing enforces policies."""
    if not enforced():
        pytest.skip("nothing enforces network policies here: a forbidden connection was made")


@pytest.mark.parametrize(("service", "namespace", "host", "port"), ALLOWED)
@pytest.mark.usefixtures("in_force")
def test_what_a_policy_allows_passes(service: str, namespace: str, host: str, port: int) -> None:
    assert reaches(service, host, port, namespace)


@pytest.mark.parametrize(("service", "namespace", "host", "port"), FORBIDDEN)
@pytest.mark.usefixtures("in_force")
def test_what_no_policy_allows_is_cut(service: str, namespace: str, host: str, port: int) -> None:
    assert not reaches(service, host, port, namespace)
