"""Whom to believe about a log, as C2SP tlog-policy: logs, witnesses, and how many of these.

Contract: `parse_policy` is strict; ValueError names the line. A checkpoint is good when one of the
logs signed it and the witnesses who cosigned it are a quorum.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.proof import checkpoint as checkpoints
from services.proof.bundle import cosigners
from services.proof.checkpoint import Checkpoint
from services.proof.note import COSIGNATURE, ED25519, VerifierKey, parse_verifier_key

MAX_LINES = 1000
NONE = "none"
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Known:
    """A log or a witness: its key, and where it is reached ("": not said)."""

    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """At least `least` of `members`, which are names of witnesses or groups."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy, read. `quorum` names a witness or a group, or is NONE."""

    logs: Sequence[Known] = ()
    witnesses: Mapping[str, Known] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    def satisfied(self, names: set[str]) -> bool:
        """Whether these witnesses (by their names here) are a quorum."""
        return self.quorum == NONE or self._holds(self.quorum, names)

    def verify(self, note: str, origin: str) -> Checkpoint:
        """The checkpoint of this origin, signed and cosigned as the policy wants it."""
        checkpoint = checkpoints.verify_keys(note, origin, [each.key for each in self.logs])
        signed = cosigners(note, [each.key for each in self.witnesses.values()])
        names = {name for name, each in self.witnesses.items() if each.key.name in signed}
        if not self.satisfied(names):
            raise ValueError("checkpoint: not cosigned by a quorum of the policy's witnesses")
        return checkpoint

    def _holds(self, name: str, names: set[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in names
        return sum(self._holds(member, names) for member in group.members) >= group.least


def parse_policy(text: str) -> Policy:
    """Read a policy."""
    if _FORBIDDEN.search(text):
        raise ValueError("policy: holds a control character")
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise ValueError(f"policy: more than {MAX_LINES} lines")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        words = line.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if words and not words[0].startswith("#"):
            try:
                reader.take(words)
            except ValueError as error:
                raise ValueError(f"policy, line {number}: {error}") from None
    if reader.quorum is None:
        raise ValueError("policy: has no quorum")
    return Policy(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)


class _Reader:
    """Takes a policy line by line."""

    def __init__(self) -> None:
        self.logs: list[Known] = []
        self.witnesses: dict[str, Known] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def take(self, words: list[str]) -> None:
        match words:
            case ["log", key, *url] if len(url) <= 1:
                self.logs.append(self._known(key, url, ED25519, self.logs))
            case ["witness", name, key, *url] if len(url) <= 1:
                known = self._known(key, url, COSIGNATURE, [*self.witnesses.values()])
                self.witnesses[self._new(name)] = known
            case ["group", name, least, *members] if members:
                self.groups[self._new(name)] = self._group(least, members)
            case ["quorum", name] if self.quorum is None:
                self._defined(name, quorum=True)
                self.quorum = name
            case _:
                raise ValueError("not a log, a witness, a group or the one quorum")

    def _known(self, text: str, url: list[str], kind: int, others: list[Known]) -> Known:
        key = parse_verifier_key(text)
        if key.kind != kind and kind == COSIGNATURE:
            raise ValueError("a witness's key must be one of cosignatures (type 4)")
        if any(each.key.public_key == key.public_key for each in others):
            raise ValueError("this key stands here already")
        return Known(key, url[0] if url else "")

    def _group(self, least: str, members: list[str]) -> Group:
        for member in members:
            self._defined(member)
            if member in self._members:
                raise ValueError(f"{member} is in a group already")
            self._members.add(member)
        count = {"any": "1", "all": str(len(members))}.get(least, least)
        if re.fullmatch(r"[1-9][0-9]{0,3}", count) is None or int(count) > len(members):
            raise ValueError("a group needs any, all, or a number up to that of its members")
        return Group(int(count), tuple(members))

    def _new(self, name: str) -> str:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise ValueError(f"{name} is taken")
        return name

    def _defined(self, name: str, *, quorum: bool = False) -> None:
        if name in self.witnesses or name in self.groups or (quorum and name == NONE):
            return
        raise ValueError(f"{name} is not defined before")
