"""Configuration of a process of sources: which ones, and the population that they answer from."""

from dataclasses import dataclass

from services.runtime.config import RuntimeConfig


@dataclass(frozen=True)
class SourceConfig:
    """One source: the folder of its application's key and certificate (key.pem, cert.pem)."""

    institution: str
    application: str
    listen: str
    folder: str


@dataclass(frozen=True)
class Config:
    """`population` is the file that `crossroads population` writes.

    `runtime.certificate` and `runtime.trust.services` are required; each source presents its own.
    """

    runtime: RuntimeConfig
    population: str
    sources: tuple[SourceConfig, ...]

    def __post_init__(self) -> None:
        """Refuse a process that would answer nothing."""
        if not self.sources:
            raise ValueError("sources: name at least one")
