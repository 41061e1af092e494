"""Configuration of publication: where it shows, and whom it believes about the log."""

import re
from dataclasses import dataclass
from types import MappingProxyType

from services.runtime.config import Placed, RuntimeConfig

SERIAL = re.compile(r"[1-9a-f][0-9a-f]*", re.ASCII)


@dataclass(frozen=True)
class Config(Placed):
    """What `python -m services.publication --config FILE` reads.

    `runtime.database` is required; `runtime.peers` must be empty: publication calls nobody.
    `shown_at` is where it answers HTTP, host:port; an ingress puts TLS before it. `log_policy` is a
    file in the form of C2SP tlog-policy that names the log's keys and the witnesses who must have
    cosigned; it is read again for each checkpoint, and without it no checkpoint is taken. `origin`
    names the log. `push_bytes` bounds one snapshot. `revoked` are serials of certificates
    (lower-case hexadecimal) that are refused before they end: no revocation comes here by itself.
    """

    runtime: RuntimeConfig
    shown_at: str = "127.0.0.1:0"
    log_policy: str = ""
    origin: str = "crossroads.internal/log"
    push_bytes: int = 1 << 30
    revoked: tuple[str, ...] = ()
    http = "shown_at"
    given = MappingProxyType({"log_policy": "later"})

    def __post_init__(self) -> None:
        """Refuse a way back into the community cloud."""
        if self.runtime.peers:
            raise ValueError("runtime.peers: publication calls nobody; leave it empty")
        if not all(SERIAL.fullmatch(each) for each in self.revoked):
            raise ValueError("revoked: a serial is lower-case hexadecimal, without separators")
