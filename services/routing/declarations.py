"""The reference directory's own acts: institutions declare whom they have a file on.

Contract: a declaration is durable in the log, under its subject, before it counts. An institution
declares for itself or for those it manages, in capacities that it has a right to. A key that nobody
knows gets the same reply as any other and counts for nothing until it is known. What is on record
already in the same words is neither logged nor recorded again.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from services.proof import act
from services.proof.record import Kind
from services.routing.model import Caller, Integration, Logged, declaration_id
from services.routing.records import Entry
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, FieldViolation, Reason

VERIFY_SECONDS = 30.0
VERIFY_SUBJECTS = 1000

_logger = logging.getLogger(__name__)


class Institutions(Protocol):
    """Who is who."""

    def manages(self, manager: str, institution: str) -> bool:
        """Whether `institution` is active, and is or is managed by `manager`."""
        ...

    def capacities(self, institution: str) -> frozenset[str]:
        """In which capacities it may integrate persons."""
        ...


class Keys(Protocol):
    """The register of keys."""

    async def known(self, subjects: Sequence[str]) -> frozenset[str]:
        """Those of the keys that somebody bears. Raises UNAVAILABLE."""
        ...

    def keys_of(self, subject: str) -> Sequence[str]:
        """All keys of the same person, replaced ones too."""
        ...


class Store(Protocol):
    """The table of integrations."""

    async def on_record(self, subjects: Sequence[str], institution: str) -> Sequence[Integration]:
        """What this institution has declared about these subjects, verified or not."""
        ...

    async def declare(
        self,
        declared: Sequence[Integration],
        *,
        declared_by: str,
        verified: Collection[str],
        log_indices: Sequence[int],
        now: datetime,
    ) -> None:
        """Put these on record, all or none."""
        ...

    async def unverified(self, after: str, limit: int) -> Sequence[str]:
        """Subjects that wait for verification, in order, after that key."""
        ...

    async def verify(self, subjects: Sequence[str], now: datetime) -> None:
        """These subjects are known from now on."""
        ...


class Log(Protocol):
    """The log."""

    async def append_all(self, entries: Sequence[Entry], deadline: float) -> list[Logged]:
        """Return when all are durable. Raises LOG_UNAVAILABLE, OVERLOADED."""
        ...


class Declarations:
    """What institutions may do with the reference directory. `mac_key` keys declarations' ids."""

    def __init__(
        self,
        *,
        institutions: Institutions,
        keys: Keys,
        store: Store,
        log: Log,
        check_key: Callable[[str], bool],
        mac_key: bytes,
        clock: Clock,
    ) -> None:
        self._institutions = institutions
        self._keys = keys
        self._store = store
        self._log = log
        self._check_key = check_key
        self._mac_key = mac_key
        self._clock = clock

    async def declare(
        self, caller: Caller, institution: str, declared: Sequence[Integration], deadline: float
    ) -> None:
        """Put the statements of `institution` on record; `deadline` is monotonic.

        Raises CALLER_NOT_ALLOWED, INVALID_KEY, INVALID_ARGUMENT, LOG_UNAVAILABLE, UNAVAILABLE.
        """
        if not self._institutions.manages(caller.institution, institution):
            raise CrossroadsError(
                Reason.CALLER_NOT_ALLOWED,
                "an institution declares integrations for itself, or for those it manages",
            )
        self._check(institution, declared)
        subjects = sorted({each.subject for each in declared})
        known = await self._keys.known(subjects)
        held = set(await self._store.on_record(subjects, institution))
        new = [each for each in declared if each not in held]
        if not new:
            return
        indices = await self._logged(caller, new, deadline)
        await self._store.declare(
            new,
            declared_by=caller.institution,
            verified=known,
            log_indices=indices,
            now=self._clock.now(),
        )

    async def declared(self, caller: Caller, subject: str) -> Sequence[Integration]:
        """What the caller's institution has declared about a person. Raises INVALID_KEY."""
        if not self._check_key(subject):
            raise _invalid_keys(["subject"])
        return await self._store.on_record(self._keys.keys_of(subject), caller.institution)

    async def verify_for_ever(self) -> None:
        """Ask again and again whether the keys that nobody knew are known by now."""
        while True:
            try:
                await self.verify()
            except CrossroadsError as error:
                # Whatever ails the register or the store, exchanges go on; the keys wait.
                _logger.warning("keys that wait were not verified (%s)", error.reason)
            await asyncio.sleep(VERIFY_SECONDS)

    async def verify(self) -> None:
        """Ask once about every key that waits."""
        last = ""
        while subjects := await self._store.unverified(last, VERIFY_SUBJECTS):
            known = await self._keys.known(subjects)
            if known:
                await self._store.verify(sorted(known), self._clock.now())
            last = subjects[-1]

    def _check(self, institution: str, declared: Sequence[Integration]) -> None:
        wrong = [
            f"integrations[{place}].subject"
            for place, each in enumerate(declared)
            if not self._check_key(each.subject)
        ]
        if wrong:
            raise _invalid_keys(wrong)
        allowed = self._institutions.capacities(institution)
        violations: list[FieldViolation] = []
        seen: set[tuple[object, ...]] = set()
        for place, each in enumerate(declared):
            field = f"integrations[{place}]"
            if each.capacity not in allowed:
                violations.append(
                    FieldViolation(f"{field}.capacity", "the institution has no right to it")
                )
            if each.end is not None and each.end <= each.start:
                violations.append(FieldViolation(f"{field}.until", "must be after from"))
            if each[:5] in seen:
                violations.append(FieldViolation(field, "is there twice; keep one"))
            seen.add(each[:5])
        if violations:
            raise CrossroadsError(
                Reason.INVALID_ARGUMENT,
                "some integrations can't be declared; correct them and send all again",
                fields=violations,
            )

    async def _logged(
        self, caller: Caller, declared: Sequence[Integration], deadline: float
    ) -> list[int]:
        """Each declaration in the log, as an act of its own; the indices."""
        attempts = [1] * len(declared)
        indices: dict[int, int] = {}
        while missing := [place for place in range(len(declared)) if place not in indices]:
            entries = [self._entry(caller, declared[place], attempts[place]) for place in missing]
            logged = await self._log.append_all(entries, deadline)
            for place, each in zip(missing, logged, strict=True):
                if each.duplicate:
                    # The same words were declared today already, and others since: a new act.
                    attempts[place] = each.last_attempt + 1
                else:
                    indices[place] = each.log_index
        return [indices[place] for place in range(len(declared))]

    def _entry(self, caller: Caller, declared: Integration, attempt: int) -> Entry:
        end = None if declared.end is None else declared.end.isoformat()
        made = act.act(
            declaration_id(self._mac_key, caller.institution, declared),
            "integration.declare",
            by=[f"{caller.institution}/{caller.application}"],
            audit={"attempt": attempt, "institution": declared.institution},
            subject={
                "act": "integration.declare",
                "capacity": declared.capacity,
                "from": declared.start.isoformat(),
                "institution": declared.institution,
                "phase": declared.phase,
                "subject": declared.subject,
                "until": end,
            },
            subject_key=declared.subject,
        )
        return Entry(
            made.id,
            Kind.ADMINISTRATIVE,
            attempt,
            made.party,
            made.subject,
            made.audit,
            made.subject_key,
        )


def _invalid_keys(fields: Sequence[str]) -> CrossroadsError:
    return CrossroadsError(
        Reason.INVALID_KEY,
        "the check digits of a key do not fit its other digits; correct the key",
        fields=[FieldViolation(each, "check digits do not fit") for each in fields],
    )
