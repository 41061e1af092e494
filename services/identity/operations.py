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
    CheckKey,
    PersonKey,
    Resolved,
    batch_id,
    check_distinct,
    check_keeper,
    check_keys,
    replacement_id,
)
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, FieldViolation, Reason


class Transaction(Protocol):
    """One transaction that holds the lock; rolled back when its block raises."""

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
        """The version of the table of replacements."""
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
    """The use cases. `caller` is "<institution>/<application>"."""

    def __init__(
        self, *, store: Store, journal: Journal, well_formed: CheckKey, clock: Clock
    ) -> None:
        self._store = store
        self._journal = journal
        self._well_formed = well_formed
        self._clock = clock

    async def register(self, caller: str, persons: Sequence[PersonKey]) -> int:
        """Take keys up; how many were new.

        Raises CALLER_NOT_ALLOWED, INVALID_KEY, INVALID_ARGUMENT, CONFLICT, LOG_UNAVAILABLE.
        """
        check_keeper(_institution(caller), {each.register for each in persons})
        check_keys(
            [(f"persons[{place}].niss", each.niss) for place, each in enumerate(persons)],
            self._well_formed,
        )
        check_distinct(persons)
        async with self._store.exclusive() as tx:
            known = await tx.resolve([each.niss for each in persons])
            for place, each in enumerate(persons):
                _check_register(place, each, known)
            new = [each for each in persons if each.niss not in known]
            if new:
                act_id, digest = batch_id(new)
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
        check_keys([("old_niss", old), ("new_niss", new)], self._well_formed)
        async with self._store.exclusive() as tx:
            known = await tx.resolve([old, new])
            _check_known("old_niss", old, known)
            _check_known("new_niss", new, known)
            current, before = known[new].current, known[old].current
            if before == current and old != current:
                return await tx.version()
            _check_replaceable(old, before, current)
            index = await self._journal.replaced(replacement_id(old, current), caller, old, current)
            return await tx.replace(old, current, self._clock.now(), index)

    async def resolve(self, keys: Sequence[str]) -> list[Resolved]:
        """What each key stands for, in the same order. Raises INVALID_KEY."""
        check_keys([(f"niss[{place}]", each) for place, each in enumerate(keys)], self._well_formed)
        found = await self._store.resolve(keys)
        nobody = Resolved("", None)
        return [found.get(each, nobody) for each in keys]


def _institution(caller: str) -> str:
    return caller.partition("/")[0]


def _check_register(place: int, asked: PersonKey, known: Mapping[str, Resolved]) -> None:
    """A key stays in the register that told it, but for RN and RAD: a person is struck off."""
    held = known.get(asked.niss)
    if held is None or held.register == asked.register:
        return
    raise CrossroadsError(
        Reason.CONFLICT,
        f"persons[{place}].niss: is known in register {held.register}; "
        f"a key can't be in {asked.register} as well",
        fields=[FieldViolation(f"persons[{place}].register", "is another than the one known")],
    )


def _check_known(field: str, key: str, known: Mapping[str, Resolved]) -> None:
    if key not in known:
        raise CrossroadsError(
            Reason.NOT_FOUND,
            f"{field}: nobody bears this key; have its register take it up first",
            fields=[FieldViolation(field, "nobody bears this key")],
        )


def _check_replaceable(old: str, before: str, current: str) -> None:
    if old == current:
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION,
            "new_niss was itself replaced by old_niss: this would go round in a circle; "
            "check which of the two is current",
            fields=[FieldViolation("new_niss", "leads back to old_niss")],
        )
    if before != old:
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION,
            "old_niss was replaced by another key before; replace that one",
            fields=[FieldViolation("old_niss", "is replaced already")],
        )
