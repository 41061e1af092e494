"""Configuration of publisher: where to read, where to push."""

from dataclasses import dataclass
from types import MappingProxyType

from services.runtime.config import Placed, RuntimeConfig


@dataclass(frozen=True)
class Config(Placed):
    """What `python -m services.publisher --config FILE` reads.

    `runtime.peers` names those in `calls`. `log_url` is where logging serves its checkpoint and
    tiles ("": the log is not pushed). `publication_authority` is the PEM of the intermediate that
    issues publication's certificate, where that is not the services' own. The others say after how
    many seconds each collection is looked at again.
    """

    runtime: RuntimeConfig
    log_url: str = ""
    publication_authority: str = ""
    log_seconds: float = 2.0
    authorizations_seconds: float = 10.0
    catalogue_seconds: float = 60.0
    indicators_seconds: float = 600.0
    calls = ("authorization", "logging", "publication", "registry")
    reads = ("logging",)
    outside = ("publication",)
    given = MappingProxyType({"publication_authority": "config"})
