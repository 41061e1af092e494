"""Configuration of contact: nothing beyond what every service needs."""

from dataclasses import dataclass

from services.runtime.config import RuntimeConfig


@dataclass(frozen=True)
class Config:
    """`runtime.database` is required; `runtime.peers` names logging and registry."""

    runtime: RuntimeConfig
