"""An exchange, step by step (architecture.md, "One exchange").

Contract: `Exchanges.exchange` gives a Reply whose release is durable in the log, or raises a
CrossroadsError after which nothing was released. Refusals from the decision on are in the log
before they are raised; if the log can't take one, LOG_UNAVAILABLE takes its place, whatever it was.
For a subject that does not exist, is unknown to the caller or to the source, everything that the
caller and the log's length can show is the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar

from services.policy.decide import decide
from services.policy.index import GrantTable
from services.policy.model import Decision
from services.routing import refusals
from services.routing.answers import Answers, Kept
from services.routing.course import Course, Offer, Steps
from services.routing.early import EarlyRefusals
from services.routing.inquiries import Inquiries, granted
from services.routing.model import (
    FIRST_REFUSAL,
    Admission,
    Answer,
    Caller,
    Integration,
    Logged,
    Question,
    Reply,
    exchange_id,
    question_mac,
)
from services.routing.records import Entry, Ground, refusal_entry, release_entry, request_entry
from services.routing.volumes import Volumes, limits_of, within
from services.runtime.clock import Clock
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.ids import Ids

RELEASE_SECONDS = 0.25
"""What is kept of the deadline for filtering, logging and answering once a source has answered."""

REPLY_SECONDS = 0.05
"""What is kept of the deadline so that a refusal reaches the caller before it gives up."""

OUTCOME_DUE = timedelta(seconds=5)
"""How long after the deadline a request without an outcome is closed as abandoned."""

REFUSAL_SECONDS = 2.0
"""How long the log may take over a refusal, even when the deadline has passed meanwhile."""

MAX_ATTEMPTS = 16

T = TypeVar("T")


class Tables(Protocol):
    """The replicas: what others own and exchanges rest on."""

    @property
    def grants(self) -> GrantTable:
        """The grants as they are now."""
        ...

    def require(self) -> None:
        """Raise LEASE_EXPIRED unless every table is known to be current."""
        ...

    def offer(self, service: str, version: int) -> Offer | None:
        """That version of that service."""
        ...

    def current_key(self, key: str) -> str:
        """The key that replaced this one, or the key itself."""
        ...

    def keys_of(self, current: str) -> Sequence[str]:
        """A current key and those that it replaced."""
        ...

    def active(self, caller: Caller) -> bool:
        """Whether the application and its institution are active."""
        ...

    def versions(self) -> Mapping[str, tuple[int, bytes]]:
        """Version and digest of each table."""
        ...


class Directory(Protocol):
    """The reference directory."""

    async def lookup(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Integration]:
        """Integrations of (subject, institution). Raises STORE_UNAVAILABLE."""
        ...


class Log(Protocol):
    """The log."""

    async def append(self, entry: Entry, deadline: float) -> Logged:
        """Return when the entry is durable. Raises LOG_UNAVAILABLE, OVERLOADED."""
        ...


class Exchanges:
    """Carries exchanges out. `mac_key` keys the digest that tells repeats from other questions."""

    def __init__(
        self,
        *,
        tables: Tables,
        directory: Directory,
        log: Log,
        inquiries: Inquiries,
        volumes: Volumes,
        answers: Answers,
        early: EarlyRefusals,
        check_key: Callable[[str], bool],
        mac_key: bytes,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._tables = tables
        self._directory = directory
        self._log = log
        self._inquiries = inquiries
        self._volumes = volumes
        self._answers = answers
        self._early = early
        self._check_key = check_key
        self._mac_key = mac_key
        self._clock = clock
        self._ids = ids
        self._running: dict[bytes, tuple[bytes, asyncio.Future[None]]] = {}

    async def exchange(
        self, caller: Caller, question: Question, *, deadline: float, trace_id: str, steps: Steps
    ) -> Reply:
        """Steps 2 to 9. `deadline` is on the monotonic clock, in seconds."""
        with steps("routing.check"):
            offer = self._check(caller, question)
        ground = Ground(
            caller,
            question,
            exchange_id(caller, question.request_id),
            self._tables.current_key(question.subject),
            trace_id,
            self._tables.versions(),
        )
        course = Course(ground, offer, deadline, steps)
        try:
            return await self._decided(course)
        except CrossroadsError as refusal:
            if refusal.reason is not Reason.LOG_UNAVAILABLE:
                await self._log_refusal(course, refusal)
            raise refusals.marked(refusal, ground.exchange_id) from None

    def _check(self, caller: Caller, question: Question) -> Offer:
        """Step 2: what can be told without deciding anything."""
        if not self._check_key(question.subject):
            raise self.refuse_early(caller, refusals.wrong_key())
        offer = self._tables.offer(question.service, question.version)
        if offer is None:
            # What is held may be old: a service that was added a moment ago is not unknown.
            self._tables.require()
            raise self.refuse_early(caller, refusals.unknown_service())
        try:
            offer.schema.check_question(question.payload)
        except CrossroadsError as error:
            raise self.refuse_early(caller, error) from None
        return offer

    def kept(self) -> Sequence[Reply]:
        """The exchanges whose answer is still here for a repeat."""
        return self._answers.replies()

    def refuse_early(self, caller: Caller, error: CrossroadsError) -> CrossroadsError:
        """Count a refusal that comes before the decision; give what to raise."""
        return self._early.refuse(caller.institution, error)

    async def _decided(self, course: Course) -> Reply:
        """Step 3, and whether the exchange has been carried out, or is being, already."""
        ground = course.ground
        with course.steps("routing.decide"):
            decision = self._decide(course)
            course.mac = question_mac(self._mac_key, ground.question)
        running = self._running
        while True:
            kept = self._answers.get(ground.exchange_id)
            if kept is not None:
                refusals.require_same(kept.question_mac, course.mac)
                if set(kept.admission.grants) <= {each.grant for each in decision.permissions}:
                    return kept.reply
            other = running.get(ground.exchange_id)
            if other is None:
                break
            refusals.require_same(other[0], course.mac)
            await asyncio.wait((other[1],))
            decision = self._decide(course)
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        running[ground.exchange_id] = (course.mac, ended)
        try:
            return await self._carry_out(course, decision)
        finally:
            del running[ground.exchange_id]
            ended.set_result(None)

    def _decide(self, course: Course) -> Decision:
        """The decision of this moment. Raises LEASE_EXPIRED, NOT_AUTHORIZED."""
        self._tables.require()
        now = self._clock.now()
        decision = course.decision = decide(course.request, self._tables.grants, now, now)
        if not decision.permitted or not course.request.elements.issubset(decision.elements):
            condition = "elements" if decision.permitted else str(decision.reason)
            raise refusals.not_authorized(condition)
        return decision

    async def _carry_out(self, course: Course, decision: Decision) -> Reply:
        """Steps 4 to 9."""
        with course.steps("routing.integration"):
            admission = await self._admit(course, decision)
        with course.steps("routing.log_request"):
            await self._log_request(course, decision, admission)
        with course.steps("routing.source"):
            patience = self._patience(course)
            said = await self._inquiries.ask(course.ground, admission, patience)
        with course.steps("routing.filter"):
            answers = granted(course.offer.schema, admission, said)
            decision = self._still(course, admission)
        with course.steps("routing.log_release"):
            return await self._release(course, decision, admission, answers)

    async def _admit(self, course: Course, decision: Decision) -> Admission:
        """Step 4: is the subject known to the caller and to a source, as the grants demand?"""
        ground = course.ground
        institutions = [ground.caller.institution]
        institutions += [each.institution for each in course.offer.service.sources]
        keys = self._tables.keys_of(ground.subject)
        pairs = [(key, each) for key in keys for each in institutions]
        found: dict[str, list[Integration]] = {each: [] for each in institutions}
        for integration in await self._lookup(course, pairs):
            found[integration.institution].append(integration)
        course.integrations = found
        admission = course.admit(decision)
        if admission is None:
            raise refusals.not_integrated()
        if not limits_of(decision):
            return admission
        left, day = self._left(course), self._clock.now().date()
        counted = within(self._volumes, course, decision, admission, day)
        return await _in_time(left, counted)

    async def _lookup(
        self, course: Course, pairs: Sequence[tuple[str, str]]
    ) -> Sequence[Integration]:
        """The look-up. Raises STORE_UNAVAILABLE."""
        return await _in_time(self._left(course), self._directory.lookup(pairs))

    async def _log_request(self, course: Course, decision: Decision, admission: Admission) -> None:
        """Step 5: take the next attempt of this exchange in the log."""
        left = self._left(course)  # too little time is told before anything is begun
        due = self._clock.now() + timedelta(seconds=left + RELEASE_SECONDS) + OUTCOME_DUE
        salt = self._ids.token(16)
        attempt = 1
        for _ in range(MAX_ATTEMPTS):
            entry = request_entry(
                course.ground,
                course.request,
                decision,
                admission,
                attempt=attempt,
                question_mac=course.mac,
                deadline=due,
                salt=salt,
            )
            logged = await self._log.append(entry, course.deadline - RELEASE_SECONDS)
            if not logged.duplicate:
                course.attempt = attempt
                return
            refusals.require_same(logged.question_mac, course.mac)
            attempt = logged.last_attempt + 1
        raise refusals.too_many_attempts()

    def _left(self, course: Course) -> float:
        """How long all may take that comes before the release, in seconds.

        Raises DEADLINE_EXCEEDED.
        """
        left = course.deadline - self._clock.monotonic() - RELEASE_SECONDS
        if left <= 0:
            raise refusals.too_little_time()
        return left

    def _patience(self, course: Course) -> float:
        """How long the sources may take, in seconds. Raises DEADLINE_EXCEEDED."""
        left, own = self._left(course), course.offer.service.timeout
        return min(left, own) if own else left

    def _still(self, course: Course, admission: Admission) -> Decision:
        """Step 8: do lease and decision hold, now that there is something to release?"""
        before = course.decision
        decision = self._decide(course)
        if before is None or decision.permissions != before.permissions:
            now = course.admit(decision)
            if now is None or not now.covers(admission):
                raise refusals.ended_meanwhile()
        if not self._tables.active(course.ground.caller):
            raise refusals.ended_meanwhile()
        return decision

    async def _release(
        self,
        course: Course,
        decision: Decision,
        admission: Admission,
        answers: tuple[Answer, ...],
    ) -> Reply:
        """Steps 8 and 9."""
        ground = course.ground
        entry = release_entry(
            ground._replace(tables=self._tables.versions()),
            course.request,
            decision,
            admission,
            attempt=course.attempt,
            answers=answers,
            salt=self._ids.token(16),
        )
        logged = await self._log.append(entry, course.deadline - REPLY_SECONDS)
        if logged.duplicate:
            raise refusals.closed_meanwhile()
        replaced = ground.subject != ground.question.subject
        reply = Reply(
            exchange_id=ground.exchange_id,
            attempt=course.attempt,
            answers=answers,
            elements=admission.elements,
            deliberations=admission.deliberations,
            current_key=ground.subject if replaced and not admission.not_integrated else "",
            not_integrated=admission.not_integrated,
            receipt=logged.receipt,
        )
        self._answers.put(Kept(course.mac, admission, reply))
        return reply

    async def _log_refusal(self, course: Course, refusal: CrossroadsError) -> None:
        """A refusal from step 3 on is in the log before the caller hears of it."""
        deadline = max(course.deadline, self._clock.monotonic() + REFUSAL_SECONDS)
        for _ in range(MAX_ATTEMPTS):
            attempt = course.attempt
            if not attempt:
                drawn = int.from_bytes(self._ids.token(4), "big")
                attempt = FIRST_REFUSAL | drawn % FIRST_REFUSAL
            entry = refusal_entry(
                course.ground,
                course.request,
                course.decision,
                attempt=attempt,
                reason=str(refusal.reason),
                integrated=course.integrated(),
            )
            logged = await self._log.append(entry, deadline)
            if not logged.duplicate or course.attempt:
                return


async def _in_time(left: float, work: Awaitable[T]) -> T:
    """Wait as long as what the store says would be of use, in seconds. Raises STORE_UNAVAILABLE."""
    try:
        async with asyncio.timeout(left):
            return await work
    except TimeoutError:
        raise refusals.directory_silent() from None
