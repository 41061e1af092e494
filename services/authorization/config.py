"""Configuration of authorization: nothing beyond what every service needs."""

from dataclasses import dataclass
from typing import ClassVar

from services.runtime.config import RuntimeConfig


@dataclass(frozen=True)
class Config:
    """`runtime.database` is required; `runtime.peers` names those in `calls`."""

    runtime: RuntimeConfig
    calls: ClassVar = ("logging", "registry")
