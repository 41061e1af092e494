"""Configuration of authorization: nothing beyond what every service needs."""

from dataclasses import dataclass

from services.runtime.config import Placed, RuntimeConfig


@dataclass(frozen=True)
class Config(Placed):
    """`runtime.database` is required; `runtime.peers` names those in `calls`."""

    runtime: RuntimeConfig
    calls = ("logging", "registry")
