"""Keys of persons and their replacement: pure rules.

A key is 11 digits. A replaced key points straight at the end of its chain, which is never itself
replaced; so every question is answered in one step, and a cycle can't be written down.
"""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.keys import person as form
from services.runtime.errors import CrossroadsError, FieldViolation, Reason

ID_SIZE = 16


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


def check_keys(fields: Sequence[tuple[str, str]]) -> None:
    """Raise INVALID_KEY naming every field (path, key) whose check digits do not fit."""
    wrong = [path for path, key in fields if not form.well_formed(key)]
    if wrong:
        raise CrossroadsError(
            Reason.INVALID_KEY,
            "the check digits of a key do not fit its other digits; correct the key",
            fields=[FieldViolation(path, "check digits do not fit") for path in wrong],
        )


def check_persons(persons: Sequence[PersonKey]) -> None:
    """Raise INVALID_KEY, naming the fields, unless every key is one that its register gives out.

    A BIS number has 20 or 40 added to its month (royal decree of 8 February 1991), and only the BIS
    register gives it out.
    """
    check_keys([(f"persons[{place}].niss", each.niss) for place, each in enumerate(persons)])
    wrong = [
        f"persons[{place}].register"
        for place, each in enumerate(persons)
        if (each.register is Register.BIS) != (form.read(each.niss).register is form.Register.BIS)
    ]
    if wrong:
        raise CrossroadsError(
            Reason.INVALID_KEY,
            "a BIS number is kept in BIS, a national number in RN or RAD; correct the register",
            fields=[FieldViolation(path, "does not give out such keys") for path in wrong],
        )


def check_keeper(institution: str, registers: Collection[Register]) -> None:
    """Raise CALLER_NOT_ALLOWED unless this institution keeps all of these registers."""
    foreign = sorted({each for each in registers if KEEPERS[each] != institution})
    if foreign:
        keepers = ", ".join(f"{each}: {KEEPERS[each]}" for each in foreign)
        raise CrossroadsError(
            Reason.CALLER_NOT_ALLOWED,
            f"only the institution that keeps a register says what is in it ({keepers}); ask it to",
        )


def check_distinct(persons: Sequence[PersonKey]) -> None:
    """Raise INVALID_ARGUMENT if a key is there twice."""
    seen: set[str] = set()
    for place, each in enumerate(persons):
        if each.niss in seen:
            raise CrossroadsError(
                Reason.INVALID_ARGUMENT,
                f"correct persons[{place}].niss: is there twice",
                fields=[FieldViolation(f"persons[{place}].niss", "is there twice")],
            )
        seen.add(each.niss)


def batch_id(secret: bytes, persons: Sequence[PersonKey]) -> tuple[bytes, bytes]:
    """The id (16 bytes) of the act that takes these keys up, in any order, and their digest.

    The digest is HMAC-SHA-256 over the sorted lines "<niss> <register>". Both are keyed: the log
    keeps an act's id in clear, and whoever reads it must not find a key by trying all of them.
    """
    lines = sorted(f"{each.niss} {each.register}\n" for each in persons)
    digest = _mac(secret, "identity.register ", *lines)
    return _mac(secret, "identity.register.id ", digest.hex())[:ID_SIZE], digest


def replacement_id(secret: bytes, old: str, current: str) -> bytes:
    """The id (16 bytes) of the act that replaces a key: repeated, it finds itself."""
    return _mac(secret, "identity.replace ", old, " ", current)[:ID_SIZE]


def _mac(secret: bytes, *parts: str) -> bytes:
    return hmac.digest(secret, "".join(parts).encode(), "sha256")
