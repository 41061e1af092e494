"""The services that a chart can place: those whose Config says so (runtime.config.Placed)."""

from __future__ import annotations

import importlib

from services.runtime.config import Placed
from tools.protos import ROOT

SERVICES = ROOT / "services"


def placed() -> dict[str, type[Placed]]:
    """Each service's Config, by the service's name."""
    found: dict[str, type[Placed]] = {}
    for file in sorted(SERVICES.glob("*/config.py")):
        config = getattr(
            importlib.import_module(f"services.{file.parent.name}.config"), "Config", None
        )
        if isinstance(config, type) and issubclass(config, Placed):
            found[file.parent.name] = config
    return found


def has_database(name: str) -> bool:
    """Whether a service has a database: one with migrations has."""
    return (SERVICES / name / "migrations").is_dir()
