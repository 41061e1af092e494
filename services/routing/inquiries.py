"""Steps 6 and 7: ask the sources, and keep of what they say what is granted.

Contract: several sources are asked at the same time, and the failure of one is its own; when all
fail the exchange is refused (SOURCE_UNAVAILABLE, SOURCE_INVALID). What is not granted does not
leave this module.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from services.routing.model import Admission, Answer, Caller, Inquiry, Outcome
from services.routing.records import Ground
from services.runtime.errors import CrossroadsError, Reason

Said = bytes | CrossroadsError | None
"""What a source said: a payload, nothing (None), or how it failed."""


class Schema(Protocol):
    """The messages of a service."""

    def check_question(self, payload: bytes) -> None:
        """Raise INVALID_PAYLOAD unless it is the question message."""
        ...

    def filter(self, payload: bytes, elements: frozenset[str]) -> bytes:
        """Of the answer, only these data elements. Raises SOURCE_INVALID."""
        ...


class Sources(Protocol):
    """The authentic sources."""

    async def ask(self, source: Caller, inquiry: Inquiry, patience: float) -> bytes | None:
        """The answer's payload; None when it has nothing.

        `patience` is in seconds. Raises SOURCE_UNAVAILABLE, SOURCE_INVALID.
        """
        ...


class Inquiries:
    """Asks sources."""

    def __init__(self, *, sources: Sources) -> None:
        self._sources = sources

    async def ask(self, ground: Ground, admission: Admission, patience: float) -> list[Said]:
        """What each of `admission.asked` said, in that order. `patience` is in seconds."""
        question = ground.question
        asked = [
            (
                each.source,
                Inquiry(
                    ground.exchange_id,
                    question.service,
                    question.version,
                    ground.subject,
                    question.payload,
                    admission.period,
                    each.elements,
                ),
            )
            for each in admission.asked
        ]
        if len(asked) == 1:
            return [await self._ask(*asked[0], patience)]
        return list(await asyncio.gather(*(self._ask(*each, patience) for each in asked)))

    async def _ask(self, source: Caller, inquiry: Inquiry, patience: float) -> Said:
        try:
            return await self._sources.ask(source, inquiry, patience)
        except CrossroadsError as error:
            return error


def granted(schema: Schema, admission: Admission, said: Sequence[Said]) -> tuple[Answer, ...]:
    """Step 7: of each answer what is granted. Raises the failure when nobody answered."""
    answers: list[Answer] = []
    failures: list[CrossroadsError] = []
    for asked, payload in zip(admission.asked, said, strict=True):
        if payload is None:
            answers.append(Answer(asked.source, Outcome.NOTHING))
            continue
        try:
            if isinstance(payload, CrossroadsError):
                raise payload
            kept = schema.filter(payload, asked.elements)
        except CrossroadsError as error:
            failures.append(error)
            answers.append(Answer(asked.source, Outcome.FAILED))
        else:
            answers.append(Answer(asked.source, Outcome.ANSWERED, kept))
    if failures and len(failures) == len(answers):
        raise _failure(admission, failures)
    return tuple(answers)


def _failure(admission: Admission, failures: Sequence[CrossroadsError]) -> CrossroadsError:
    """What the caller is told when every source failed."""
    if admission.not_integrated:
        # How a source fares is for those who have integrated the subject.
        return CrossroadsError(
            Reason.UNAVAILABLE,
            "the exchange can't be carried out now; retry later with the same request_id",
            retry_after=1.0,
        )
    unavailable = [each for each in failures if each.reason is not Reason.SOURCE_INVALID]
    return (unavailable or list(failures))[0]
