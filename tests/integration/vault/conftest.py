"""The OpenBao that the tests of one worker change behind its back."""

from collections.abc import Iterator

import pytest

from services.cli.platform.bootstrap import Bootstrap
from services.cli.platform.home import write_secret
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
