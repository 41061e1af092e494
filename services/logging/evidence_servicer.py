"""EvidenceService over gRPC: proto to model, one operation, and back."""

from datetime import UTC, date, datetime
from typing import Protocol
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.logging.v1 import evidence_service_pb2 as api
from crossroads.logging.v1 import logging_service_pb2 as log_api
from crossroads.options.v1.options_pb2 import Role
from services.logging.deferrals import Deferrals
from services.logging.evidence_model import Criteria, Erasure, Hold, Reader
from services.logging.holds import Holds
from services.logging.indicators import Indicators
from services.logging.model import instant
from services.logging.search import PAGE_ENTRIES, Searches, Seen
from services.logging.uses import Action, Use, UseGroup, Uses
from services.runtime.errors import invalid
from services.runtime.peer import Kind, current_peer


class Roles(Protocol):
    """Who may do what."""

    def roles(self, person: str) -> frozenset[Role.ValueType]:
        """The roles that a person holds."""
        ...

    def institution_of(self, person: str) -> str | None:
        """Whom that person acts for; "" for the platform."""
        ...


class Erasures(Protocol):
    """What was erased."""

    async def erasures(self) -> list[Erasure]:
        """Oldest first."""
        ...


class EvidenceServicer:
    """What the log says, to those who may read it."""

    def __init__(
        self,
        *,
        searches: Searches,
        uses: Uses,
        deferrals: Deferrals,
        holds: Holds,
        erasures: Erasures,
        indicators: Indicators,
        roles: Roles,
    ) -> None:
        self._searches = searches
        self._uses = uses
        self._deferrals = deferrals
        self._holds = holds
        self._erasures = erasures
        self._indicators = indicators
        self._roles = roles

    async def Search(self, request: api.SearchRequest, context: object) -> api.SearchResponse:
        """Entries that fit."""
        found = await self._searches.search(
            self._reader(),
            self._criteria(request.criteria),
            reason=request.reason,
            deferral_id=UUID(request.deferral_id) if request.deferral_id else None,
            before=_before(request.page_token),
            limit=request.page_size or PAGE_ENTRIES,
        )
        return api.SearchResponse(
            entries=[_entry(each) for each in found.entries],
            next_page_token=_token(found.before),
            log_index=found.log_index,
            indexed_size=found.indexed_size,
        )

    async def ListUses(self, request: api.ListUsesRequest, context: object) -> api.ListUsesResponse:
        """Who used a person's data."""
        listed = await self._uses.list(
            self._reader(),
            self._searches.subjects(request.subject, request.other_keys, "subject"),
            reason=request.reason,
            language=request.language,
            start=request.start.ToMicroseconds(),
            end=request.end.ToMicroseconds() if request.HasField("end") else None,
            before=_before(request.page_token),
            limit=request.page_size or PAGE_ENTRIES,
        )
        return api.ListUsesResponse(
            groups=[_group(each) for each in listed.groups],
            next_page_token=_token(listed.before),
            log_index=listed.log_index,
        )

    async def DeferDisclosure(
        self, request: api.DeferDisclosureRequest, context: object
    ) -> api.DeferDisclosureResponse:
        """Show uses later."""
        deferral = await self._deferrals.defer(
            by=self._reader().name,
            authority=request.authority,
            reason=request.reason,
            until=request.until.ToDatetime(UTC),
            criteria=self._criteria(request.criteria),
        )
        return api.DeferDisclosureResponse(
            deferral_id=str(deferral.deferral_id), log_index=deferral.index
        )

    async def EndDeferral(
        self, request: api.EndDeferralRequest, context: object
    ) -> api.EndDeferralResponse:
        """Show them now."""
        index = await self._deferrals.end(
            UUID(request.deferral_id), by=self._reader().name, reason=request.reason
        )
        return api.EndDeferralResponse(log_index=index)

    async def PlaceHold(
        self, request: api.PlaceHoldRequest, context: object
    ) -> api.PlaceHoldResponse:
        """Keep entries readable."""
        hold, entries = await self._holds.place(
            by=self._reader().name,
            authority=request.authority,
            reason=request.reason,
            criteria=self._criteria(request.criteria),
        )
        return api.PlaceHoldResponse(
            hold_id=str(hold.hold_id), entries=entries, log_index=hold.index
        )

    async def ReleaseHold(
        self, request: api.ReleaseHoldRequest, context: object
    ) -> api.ReleaseHoldResponse:
        """Keep them no longer than others."""
        index = await self._holds.release(
            UUID(request.hold_id), by=self._reader().name, reason=request.reason
        )
        return api.ReleaseHoldResponse(log_index=index)

    async def ListHolds(
        self, request: api.ListHoldsRequest, context: object
    ) -> api.ListHoldsResponse:
        """All holds."""
        return api.ListHoldsResponse(holds=[_hold(each) for each in await self._holds.every()])

    async def ListErasures(
        self, request: api.ListErasuresRequest, context: object
    ) -> api.ListErasuresResponse:
        """What was erased."""
        erasures = await self._erasures.erasures()
        return api.ListErasuresResponse(erasures=[_erasure(each) for each in erasures])

    async def ListIndicators(
        self, request: api.ListIndicatorsRequest, context: object
    ) -> api.ListIndicatorsResponse:
        """How many exchanges there were."""
        found, following = await self._indicators.since(_day(request.since))
        return api.ListIndicatorsResponse(
            indicators=[
                api.Indicator(
                    day=each.counted.day.isoformat(),
                    service=each.counted.service,
                    outcome=each.counted.outcome,
                    exchanges=each.exchanges,
                )
                for each in found
            ],
            next_since="" if following is None else following.isoformat(),
        )

    def _reader(self) -> Reader:
        """Who calls: its class was checked, which of its rights apply is decided here."""
        peer = current_peer()
        if peer.kind is not Kind.PERSON:
            return Reader(name=peer.service)
        if Role.ROLE_AUDITOR in self._roles.roles(peer.person):
            return Reader(name=peer.person, auditor=True)
        return Reader(name=peer.person, institution=self._roles.institution_of(peer.person) or "")

    def _criteria(self, message: api.Criteria) -> Criteria:
        return Criteria(
            subjects=self._searches.subjects(
                message.subject, message.other_keys, "criteria.subject"
            ),
            institution=message.institution,
            exchange_id=message.exchange_id,
            ticket=message.ticket,
            trace_id=message.trace_id,
            deliberation=message.deliberation,
            hold_id=UUID(message.hold_id) if message.hold_id else None,
            start=message.start.ToMicroseconds(),
            end=message.end.ToMicroseconds() if message.HasField("end") else None,
        )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid("since", "must be a day of the calendar") from None


def _before(token: str) -> int | None:
    if not token:
        return None
    if not token.isascii() or not token.isdigit() or len(token) > 18:
        raise invalid("page_token", "must be the next_page_token of the answer before")
    return int(token)


def _token(before: int | None) -> str:
    return "" if before is None else str(before)


def _entry(seen: Seen) -> api.FoundEntry:
    row = seen.record.row
    return api.FoundEntry(
        index=row.index,
        kind=log_api.Kind.ValueType(row.kind),
        exchange_id=row.exchange_id,
        attempt=row.attempt,
        recorded_at=_timestamp(row.recorded_at),
        leaf_hash=row.leaf_hash,
        party=seen.party,
        subject=seen.subject,
        audit=seen.audit,
        erased=seen.record.opened is None,
    )


def _group(group: UseGroup) -> api.UseGroup:
    return api.UseGroup(
        institution=group.institution,
        purpose=group.purpose,
        purpose_text=group.purpose_text,
        uses=[_use(each) for each in group.uses],
    )


def _use(use: Use) -> api.Use:
    proof = use.proof
    message = api.Use(
        time=_timestamp(use.time),
        action=_ACTIONS[use.action],
        reason=use.reason,
        institution=use.institution,
        application=use.application,
        deliberations=use.deliberations,
        categories=[api.DataCategory(element=one, label=label) for one, label in use.categories],
        exchange_id=use.exchange_id,
        proof=api.SubjectProof(
            index=proof.index,
            kind=log_api.Kind.ValueType(proof.kind),
            hour=proof.hour,
            party_hash=proof.party_hash,
            subject=proof.subject,
            subject_salt=proof.subject_salt,
            audit_hash=proof.audit_hash,
            leaf_hash=proof.leaf_hash,
        ),
    )
    if use.deferred_until is not None:
        message.deferred_until.FromDatetime(use.deferred_until)
    return message


_ACTIONS = {each: api.Action.Value(f"ACTION_{each.name}") for each in Action}


def _hold(hold: Hold) -> api.Hold:
    return api.Hold(
        hold_id=str(hold.hold_id),
        log_index=hold.index,
        placed_at=_instant(hold.placed_at),
        released_at=_instant(hold.released_at) if hold.released_at else None,
    )


def _erasure(erasure: Erasure) -> api.Erasure:
    return api.Erasure(
        retention_class=erasure.retention_class.value,
        month=f"{erasure.month:%Y-%m}",
        erased_at=_instant(erasure.erased_at),
        final_at=_instant(erasure.final_at),
        log_index=erasure.index,
        final_log_index=erasure.final_index,
    )


def _instant(at: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(at)
    return timestamp


def _timestamp(time: int) -> Timestamp:
    return _instant(instant(time))
