"""The configuration of the log: one frozen dataclass, secrets as references."""

from dataclasses import dataclass, field
from types import MappingProxyType

from services.logging.retention import Retention
from services.runtime.config import Placed, RuntimeConfig


@dataclass(frozen=True)
class Config(Placed):
    """What `python -m services.logging --config FILE` reads.

    `origin` names the log in checkpoints (their first line) and never changes for a log; a new one
    begins a new log. `checkpoint_key` is the Ed25519 key in Vault Transit. `checkpoint_file` keeps
    a copy of the newest checkpoint outside the database, so that an older database that was put
    back is noticed; "" keeps none. `witness_policy` is a file in the form of C2SP tlog-policy that
    names the witnesses to ask, with their URLs; it may be changed, or come, at any time.
    Checkpoints and hash tiles are served over HTTP at `tiles_listen`, host:port; "" nowhere.
    `commit_seconds` is how long a commit may take until it counts as lost. `retention` says
    for how many months evidence stays readable.
    """

    runtime: RuntimeConfig
    origin: str = "crossroads.internal/log"
    checkpoint_key: str = "log-checkpoint"
    checkpoint_file: str = ""
    witness_policy: str = ""
    tiles_listen: str = ""
    commit_seconds: float = 3.0
    batch_entries: int = 256
    waiting_entries: int = 8192
    waiting_bytes: int = 32 * 1024 * 1024
    retention: Retention = field(default_factory=Retention)
    calls = ("identity", "registry")
    outside = ("witnesses",)
    http = "tiles_listen"
    state = "checkpoint_file"
    given = MappingProxyType({"witness_policy": "later"})

    def __post_init__(self) -> None:
        """Refuse what can't work."""
        if not self.origin or not self.origin.isascii() or any(c.isspace() for c in self.origin):
            raise ValueError("origin: a name without spaces, such as crossroads.internal/log")
        if "+" in self.origin:
            raise ValueError("origin: must not hold a +, which separates a verifier key's parts")
