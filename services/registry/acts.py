"""Acts: how the registry is changed. Genesis once; afterwards proposals that a quorum approves.

Contract: an act is durable in the log before anything of it is visible, and so are its proposal and
its approvals; without the log nothing changes (LOG_UNAVAILABLE, retryable). One act at a time: the
store's transaction holds the registry's lock, so what was validated is what is changed. An act that
was logged and then lost before its commit is logged once: its entry id is the act's own id.
"""

import hashlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.registry.model import (
    MINIMUM_ADMINISTRATORS,
    MINIMUM_THRESHOLD,
    Act,
    Change,
    Genesis,
    Known,
    Person,
    Progress,
    Role,
    Versions,
    counted,
    gains,
    narrows,
)
from services.registry.validation import ReadSchema, validate
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason, invalid
from services.runtime.ids import Ids


class Transaction(Protocol):
    """One transaction that holds the registry's lock; rolled back when its block raises."""

    async def genesis(self) -> Genesis | None:
        """The genesis, or None while there was none."""
        ...

    async def begin(self, genesis: Genesis, persons: Sequence[Person]) -> None:
        """Record the genesis and enrol its administrators."""
        ...

    async def known(self) -> Known:
        """The state that changes are judged against."""
        ...

    async def act(self, act_id: UUID) -> Act | None:
        """An act with its approvals."""
        ...

    async def propose(self, act: Act) -> None:
        """Record a new act."""
        ...

    async def approve(self, act_id: UUID, person: str, at: datetime) -> None:
        """Record an approval."""
        ...

    async def apply(self, act: Act, log_index: int, at: datetime) -> Versions:
        """Make the changes, publish them, and mark the act as applied."""
        ...


class Store(Protocol):
    """Where acts and what they changed are kept."""

    def exclusive(self) -> AbstractAsyncContextManager[Transaction]:
        """The one transaction that may change the registry."""
        ...

    async def act(self, act_id: UUID) -> Act | None:
        """An act with its approvals."""
        ...


class Journal(Protocol):
    """The log. Each raises LOG_UNAVAILABLE where it can't be known that the entry is durable."""

    async def genesis(self, administrators: Sequence[str], threshold: int) -> int:
        """Log the genesis; its index."""
        ...

    async def proposed(self, act: Act, digest: bytes) -> int:
        """Log a proposal that others have to approve; its index."""
        ...

    async def approved(self, act: Act, person: str) -> int:
        """Log an approval that was not the last; its index."""
        ...

    async def applied(self, act: Act, digest: bytes, counted: Sequence[str]) -> int:
        """Log an act that is about to be applied; its index."""
        ...


class Acts:
    """The use cases that change the registry."""

    def __init__(
        self, *, store: Store, journal: Journal, read_schema: ReadSchema, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._journal = journal
        self._read_schema = read_schema
        self._clock = clock
        self._ids = ids

    async def genesis(self, administrators: Sequence[str], threshold: int) -> int:
        """Enrol the first administrators; the log index, 0. Once, on an empty log."""
        _check_genesis(administrators, threshold)
        async with self._store.exclusive() as tx:
            if await tx.genesis() is not None:
                raise CrossroadsError(
                    Reason.ALREADY_EXISTS,
                    "the genesis took place already; propose acts from now on",
                )
            index = await self._journal.genesis(administrators, threshold)
            if index != 0:
                raise CrossroadsError(
                    Reason.FAILED_PRECONDITION,
                    f"the log has entries before the genesis (it got index {index}); "
                    "begin with a new log",
                )
            await tx.begin(
                Genesis(tuple(administrators), threshold, index, self._clock.now()),
                [Person(person, frozenset({Role.ADMINISTRATOR})) for person in administrators],
            )
        return index

    async def propose(
        self, proposer: str, reason: str, changes: Sequence[Change], encoded: bytes
    ) -> Progress:
        """Record an act; apply it at once when it only narrows. `encoded`: as wire.py has it."""
        async with self._store.exclusive() as tx:
            genesis = await _begun(tx)
            known = await tx.known()
            self._check(changes, known, genesis)
            act = Act(
                self._ids.uuid(), reason, tuple(changes), encoded, proposer, self._clock.now()
            )
            await tx.propose(act)
            if all(narrows(change, known) for change in changes):
                return await self._apply(tx, act, (proposer,))
            await self._journal.proposed(act, digest(act.encoded))
            return Progress(act.id, max(1, genesis.threshold - len(counted(act, known))))

    async def approve(self, act_id: UUID, person: str) -> Progress:
        """Add one approval; apply the act when it is the last that was missing."""
        async with self._store.exclusive() as tx:
            genesis = await _begun(tx)
            act = _found(await tx.act(act_id))
            if act.applied_at is not None:
                raise CrossroadsError(
                    Reason.FAILED_PRECONDITION, "the act is applied already; nothing is left to do"
                )
            known = await tx.known()
            _check_second(person, act, known)
            await tx.approve(act_id, person, self._clock.now())
            act = _with_approver(act, person)
            persons = counted(act, known)
            if len(persons) < genesis.threshold:
                await self._journal.approved(act, person)
                return Progress(act_id, genesis.threshold - len(persons))
            self._check(act.changes, known, genesis)
            return await self._apply(tx, act, persons)

    async def get(self, act_id: UUID) -> Act:
        """An act as it was proposed, with its approvals."""
        return _found(await self._store.act(act_id))

    def _check(self, changes: Sequence[Change], known: Known, genesis: Genesis) -> None:
        validate(changes, known, self._read_schema)
        left = known.with_changes(changes).administrators
        if len(left) < genesis.threshold:
            raise CrossroadsError(
                Reason.FAILED_PRECONDITION,
                f"only {len(left)} administrators would be left, and an act needs "
                f"{genesis.threshold}; enrol others first",
            )

    async def _apply(self, tx: Transaction, act: Act, persons: Sequence[str]) -> Progress:
        index = await self._journal.applied(act, digest(act.encoded), persons)
        versions = await tx.apply(act, index, self._clock.now())
        return Progress(act.id, 0, index, versions)


def digest(encoded: bytes) -> bytes:
    """SHA-256 of an act's changes as they were proposed."""
    return hashlib.sha256(encoded).digest()


def _check_genesis(administrators: Sequence[str], threshold: int) -> None:
    if len(set(administrators)) < max(MINIMUM_ADMINISTRATORS, len(administrators)):
        raise invalid("administrators", f"names at least {MINIMUM_ADMINISTRATORS} distinct persons")
    if not MINIMUM_THRESHOLD <= threshold <= len(administrators):
        raise invalid(
            "threshold",
            f"is at least {MINIMUM_THRESHOLD} and at most the number of administrators",
        )


async def _begun(tx: Transaction) -> Genesis:
    genesis = await tx.genesis()
    if genesis is None:
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION, "there was no genesis yet; run `crossroads genesis` first"
        )
    return genesis


def _found(act: Act | None) -> Act:
    if act is None:
        raise CrossroadsError(Reason.NOT_FOUND, "no such act; give the id that ProposeAct returned")
    return act


def _check_second(person: str, act: Act, known: Known) -> None:
    if person == act.proposer or person in act.approvers:
        raise CrossroadsError(
            Reason.SECOND_PERSON_REQUIRED,
            "this person is counted already; another administrator must approve",
        )
    if gains(person, act.changes, known):
        raise CrossroadsError(
            Reason.SECOND_PERSON_REQUIRED,
            "this person gains by the act, or acts for an institution that does; "
            "another administrator must approve",
        )


def _with_approver(act: Act, person: str) -> Act:
    return Act(
        act.id,
        act.reason,
        act.changes,
        act.encoded,
        act.proposer,
        act.proposed_at,
        (*act.approvers, person),
    )
