"""What every test may ask for: the real servers, started once for the session."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.platform"]

# How long an example takes is the machine's affair: others may be at work on it.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
