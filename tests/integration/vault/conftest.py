"""The OpenBao that the tests of one worker change behind its back."""

from collections.abc import Iterator

import pytest

from services.cli.platform.bootstrap import Bootstrap
from services.cli.platform.home import write_secret
from tests.support.cluster import Cluster
from tests.support.community_vault import Operator, SetUp
from tests.support.own_vault import OwnVault, own_vault


@pytest.fixture(scope="session")
def local_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnVault]:
    """An OpenBao set up as `crossroads up` does it."""
    with own_vault(tmp_path_factory.mktemp("vault")) as made:
        # As after a start that was killed between two steps: the token is in its file.
        write_secret(made.home.secrets / "operator" / "root_token", made.token)
        bootstrap = Bootstrap(home=made.home, openbao=made.server, postgres=made.postgres)
        assert bootstrap.apply()
        assert not bootstrap.apply()
        yield made


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API that OpenBao asks who a pod is."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Operator]:
    """Who works on an OpenBao that was initialised and nothing more."""
    with own_vault(tmp_path_factory.mktemp("community")) as vault:
        made = Operator(vault, cluster)
        made.prepare()
        yield made


@pytest.fixture(scope="session")
def set_up(operator: Operator) -> SetUp:
    """The steps of the README, once."""
    made = operator.root()
    assert made.exit_code == 0, made.output
    first = operator.apply()
    requests = {file.name: file.read_bytes() for file in operator.authorities.iterdir()}
    second = operator.apply()
    again = {file.name: file.read_bytes() for file in operator.authorities.iterdir()}
    signed = operator.sign()
    assert signed.exit_code == 0, signed.output
    root = (operator.folder / "root.pem").read_bytes()
    (operator.authorities / "root.pem").write_bytes(root)
    return SetUp(first, second, operator.apply(), requests, again)


@pytest.fixture
def vault(operator: Operator, set_up: SetUp) -> OwnVault:
    """The cluster's Vault, set up."""
    assert set_up.last.exit_code == 0, set_up.last.output
    return operator.vault
