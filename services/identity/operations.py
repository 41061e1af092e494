"""What is done with keys: taken up, replaced, resolved.

Contract: an act is durable in the log before anything of it is visible; without the log nothing
changes (LOG_UNAVAILABLE, retryable). One act at a time: the store's transaction holds the lock.
Every act may be repeated: what is there already is no error and is not logged again.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.identity.model import (
    REPLACER,
    PersonKey,
    Register,
    Resolved,
    batch_id,
    check_distinct,
    check_keeper,
    check_keys,
    check_persons,
    replacement_id,
)
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, FieldViolation, Reason


class Transaction(Protocol):
    """One transaction that holds the lock; rolled back when its block raises."""

    async def registers(self, keys: Sequence[str]) -> Mapping[str, Register]:
        """The register that each key which is known was taken up from."""
        ...

    async def resolve(self, keys: Sequence[str]) -> Mapping[str, Resolved]:
        """What each key that is known stands for."""
        ...

    async def register(self, persons: Sequence[PersonKey], at: datetime, log_index: int) -> None:
        """Take up keys that are not known."""
        ...

    async def replace(self, old: str, current: str, at: datetime, log_index: int) -> int:
        """Point `old`, and all that pointed at it, to `current`; the version that holds it."""
        ...

    async def version(self) -> int:
        """The newest version of the table of replacements; 0 while it is empty."""
        ...


class Store(Protocol):
    """Where keys are kept."""

    def exclusive(self) -> AbstractAsyncContextManager[Transaction]:
        """The one transaction that may change anything."""
        ...

    async def resolve(self, keys: Sequence[str]) -> Mapping[str, Resolved]:
        """What each key that is known stands for."""
        ...


class Journal(Protocol):
    """The log. Both raise LOG_UNAVAILABLE where it can't be known that the entry is durable."""

    async def registered(self, act_id: bytes, by: str, count: int, digest: bytes) -> int:
        """Log that keys were taken up; the index."""
        ...

    async def replaced(self, act_id: bytes, by: str, old: str, current: str) -> int:
        """Log a replacement, under the person; the index."""
        ...


class Identity:
    """The use cases. `caller` is "<institution>/<application>"; `secret` is the store's."""

    def __init__(self, *, store: Store, journal: Journal, secret: bytes, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._secret = secret
        self._clock = clock

    async def register(self, caller: str, persons: Sequence[PersonKey]) -> int:
        """Take keys up; how many were new.

        Raises CALLER_NOT_ALLOWED, INVALID_KEY, INVALID_ARGUMENT, ALREADY_EXISTS,
        LOG_UNAVAILABLE.
        """
        check_keeper(_institution(caller), {each.register for each in persons})
        check_persons(persons)
        check_distinct(persons)
        async with self._store.exclusive() as tx:
            known = await tx.registers([each.niss for each in persons])
            _check_registers(persons, known)
            new = [each for each in persons if each.niss not in known]
            if new:
                act_id, digest = batch_id(self._secret, new)
                index = await self._journal.registered(act_id, caller, len(new), digest)
                await tx.register(new, self._clock.now(), index)
        return len(new)

    async def replace(self, caller: str, old: str, new: str) -> int:
        """Say that `old` was replaced by `new`; the version that holds it.

        Raises CALLER_NOT_ALLOWED, INVALID_KEY, NOT_FOUND, FAILED_PRECONDITION, LOG_UNAVAILABLE.
        """
        if _institution(caller) != REPLACER:
            raise CrossroadsError(
                Reason.CALLER_NOT_ALLOWED,
                f"only {REPLACER} says which key replaced which; ask it to",
            )
        check_keys([("old_niss", old), ("new_niss", new)])
        async with self._store.exclusive() as tx:
            known = await tx.resolve([old, new])
            _check_known("old_niss", old, known)
            _check_known("new_niss", new, known)
            current, before = known[new].current, known[old].current
            if before == current and old not in (new, current):
                return await tx.version()
            _check_replaceable(old, before, new, current)
            act_id = replacement_id(self._secret, old, current)
            index = await self._journal.replaced(act_id, caller, old, current)
            return await tx.replace(old, current, self._clock.now(), index)

    async def resolve(self, keys: Sequence[str]) -> list[Resolved]:
        """What each key stands for, in the same order. Raises INVALID_KEY."""
        check_keys([(f"niss[{place}]", each) for place, each in enumerate(keys)])
        found = await self._store.resolve(keys)
        nobody = Resolved("", None)
        return [found.get(each, nobody) for each in keys]


def _institution(caller: str) -> str:
    return caller.partition("/")[0]


def _check_registers(persons: Sequence[PersonKey], known: Mapping[str, Register]) -> None:
    """Raise ALREADY_EXISTS if a key is known in another register."""
    for place, each in enumerate(persons):
        held = known.get(each.niss, each.register)
        if held is not each.register:
            raise CrossroadsError(
                Reason.ALREADY_EXISTS,
                f"persons[{place}].niss: is known in register {held}; correct its register",
                fields=[FieldViolation(f"persons[{place}].register", f"is {held} already")],
            )


def _check_known(field: str, key: str, known: Mapping[str, Resolved]) -> None:
    if key not in known:
        raise CrossroadsError(
            Reason.NOT_FOUND,
            f"{field}: nobody bears this key; ask its register to take it up first",
            fields=[FieldViolation(field, "nobody bears this key")],
        )


def _check_replaceable(old: str, before: str, new: str, current: str) -> None:
    """`before` and `current`: what `old` and `new` stand for."""
    if old in (new, current):
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION,
            "new_niss stands for old_niss, so this would go round in a circle; "
            "correct which of the two is current",
            fields=[FieldViolation("new_niss", "leads back to old_niss")],
        )
    if before != old:
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION,
            "old_niss was replaced by another key before; ask for that one to be replaced",
            fields=[FieldViolation("old_niss", "is replaced already")],
        )
