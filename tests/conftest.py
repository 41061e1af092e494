"""What every test may ask for: the real servers, started once for the session."""

pytest_plugins = ["tests.support.platform"]
