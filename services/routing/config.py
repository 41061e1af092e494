"""The configuration of routing: one frozen dataclass, secrets as references."""

from dataclasses import dataclass

from services.routing.answers import KEPT_OCTETS, KEPT_SECONDS
from services.routing.early import BURST, PER_SECOND
from services.runtime.config import Placed, RuntimeConfig


@dataclass(frozen=True)
class Config(Placed):
    """What `python -m services.routing --config FILE` reads.

    `runtime.peers` names those in `calls`; `runtime.trust.institutions` is what sources are trusted
    by. `question_key` is the Transit key that wraps the key by which
    repeats are recognised. Answers stay for `kept_seconds` and take `kept_octets` at most.
    `malformed_per_second` and `malformed_burst` bound what one institution may send that is refused
    before it is decided on.
    """

    runtime: RuntimeConfig
    question_key: str = "request-id"
    kept_seconds: float = KEPT_SECONDS
    kept_octets: int = KEPT_OCTETS
    malformed_per_second: float = PER_SECOND
    malformed_burst: float = BURST
    calls = ("authorization", "identity", "logging", "registry")
    outside = ("institutions",)

    def __post_init__(self) -> None:
        """Refuse what the architecture does not allow."""
        if not 0 <= self.kept_seconds <= KEPT_SECONDS:
            raise ValueError(f"kept_seconds: 0 to {KEPT_SECONDS:.0f}, a limit of the architecture")
        if not 0 <= self.kept_octets <= KEPT_OCTETS:
            raise ValueError(f"kept_octets: 0 to {KEPT_OCTETS}, a limit of the architecture")
        if self.malformed_per_second <= 0 or self.malformed_burst < 1:
            raise ValueError("malformed_per_second, malformed_burst: must be positive")
