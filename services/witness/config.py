"""The configuration of a witness: one frozen dataclass, the key in a file of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.proof.note import parse_verifier_key
from services.runtime.config import Placed
from services.witness.model import Logs


@dataclass(frozen=True)
class Config(Placed):
    """What `python -m services.witness --config FILE` reads.

    `name` is what it signs as, such as witness.example/one. `key_file` holds its Ed25519 key (PEM,
    mode 0600), `state_file` what it cosigned. `logs` are the verifier keys of each log, by origin:
    several while a log changes its key. SIGHUP reads them again.
    """

    name: str
    listen: str
    key_file: str
    state_file: str
    logs: Mapping[str, tuple[str, ...]]
    http = "listen"
    state = "state_file"
    given = MappingProxyType({"key_file": "secret"})
    sensitivity = "public"

    def __post_init__(self) -> None:
        """Refuse keys that are none, and a witness without a name."""
        if not self.name:
            raise ValueError("name: say what it signs as, such as witness.example/one")
        self.parsed_logs()

    def parsed_logs(self) -> Logs:
        """The keys of each log."""
        return {
            origin: tuple(parse_verifier_key(key) for key in keys)
            for origin, keys in self.logs.items()
        }
