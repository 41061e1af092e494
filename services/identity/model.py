"""Keys of persons and their replacement: pure rules.

A key is 11 digits. A replaced key points straight at the end of its chain, which is never itself
replaced; so every question is answered in one step, and a cycle can't be written down.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from services.runtime.errors import CrossroadsError, FieldViolation, Reason

CheckKey = Callable[[str], bool]


class Register(StrEnum):
    """Where a person is kept (registers of the Crossroads Bank)."""

    RN = "RN"
    BIS = "BIS"
    RAD = "RAD"


KEEPERS = {Register.RN: "rn", Register.RAD: "rn", Register.BIS: "bcss"}
"""The institution that says what is in each register."""

REPLACER = "bcss"
"""The institution that says which key replaced which."""


@dataclass(frozen=True, slots=True)
class PersonKey:
    """A key and where it is kept."""

    niss: str
    register: Register


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a key stands for now; `current` is "" and `register` None for a key nobody bears."""

    current: str
    register: Register | None

    @property
    def known(self) -> bool:
        """Whether anybody bears it."""
        return self.register is not None


def check_keys(fields: Sequence[tuple[str, str]], well_formed: CheckKey) -> None:
    """Raise INVALID_KEY naming every field (path, key) whose check digits do not fit."""
    wrong = [path for path, key in fields if not well_formed(key)]
    if wrong:
        raise CrossroadsError(
            Reason.INVALID_KEY,
            "the check digits of a key do not fit its other digits; correct the key",
            fields=[FieldViolation(path, "check digits do not fit") for path in wrong[:20]],
        )


def check_keeper(institution: str, registers: Collection[Register]) -> None:
    """Raise CALLER_NOT_ALLOWED unless this institution keeps all of these registers."""
    foreign = sorted({each for each in registers if KEEPERS[each] != institution})
    if foreign:
        keepers = " and ".join(f"{each} from {KEEPERS[each]}" for each in foreign)
        raise CrossroadsError(
            Reason.CALLER_NOT_ALLOWED,
            f"a register is told by the institution that keeps it: {keepers}",
        )


def check_distinct(persons: Sequence[PersonKey]) -> None:
    """Raise INVALID_ARGUMENT if a key is there twice."""
    seen: set[str] = set()
    for place, each in enumerate(persons):
        if each.niss in seen:
            raise CrossroadsError(
                Reason.INVALID_ARGUMENT,
                f"persons[{place}].niss: is there twice; say it once",
                fields=[FieldViolation(f"persons[{place}].niss", "is there twice")],
            )
        seen.add(each.niss)


def batch_id(persons: Sequence[PersonKey]) -> tuple[bytes, bytes]:
    """The id (16 bytes) and the digest (SHA-256) of keys taken up together, in any order."""
    whole = sha256()
    for each in sorted(persons, key=lambda one: one.niss):
        whole.update(f"{each.niss} {each.register}\n".encode())
    digest = whole.digest()
    return sha256(b"identity.register" + digest).digest()[:16], digest


def replacement_id(old: str, current: str) -> bytes:
    """The id (16 bytes) of the act that replaces a key: repeated, it finds itself."""
    return sha256(f"identity.replace {old} {current}".encode()).digest()[:16]
