"""Routing's two APIs: proto to model, one operation, and back."""

from datetime import date, timedelta

from crossroads.logging.v1.logging_service_pb2 import Receipt
from crossroads.routing.v1 import reference_directory_service_pb2 as directory_api
from crossroads.routing.v1 import routing_service_pb2 as api
from services.policy.model import Period
from services.routing.declarations import Declarations
from services.routing.model import Caller, Integration, Question, Reply
from services.routing.operations import Exchanges
from services.runtime.clock import Clock
from services.runtime.deadline import remaining
from services.runtime.errors import CrossroadsError, invalid
from services.runtime.peer import Peer, current_peer
from services.runtime.telemetry import current_trace_id, span

DEFAULT_SECONDS = 10.0
MAX_SECONDS = 60.0
"""How long an exchange may take, whatever its caller would wait."""

OPEN_START = date.min
MAX_PHASE = 9999


class RoutingServicer:
    """The exchange."""

    def __init__(self, *, exchanges: Exchanges, clock: Clock) -> None:
        self._exchanges = exchanges
        self._clock = clock

    async def Exchange(self, request: api.ExchangeRequest, context: object) -> api.ExchangeResponse:
        """One question about one subject."""
        caller = _caller()
        try:
            question = _question(request)
        except CrossroadsError as error:
            raise self._exchanges.refuse_early(caller, error) from None
        reply = await self._exchanges.exchange(
            caller,
            question,
            deadline=_deadline(self._clock),
            trace_id=current_trace_id(),
            steps=span,
        )
        return _response(reply)

    async def ListKeptExchanges(
        self, request: api.ListKeptExchangesRequest, context: object
    ) -> api.ListKeptExchangesResponse:
        """What was answered a moment ago, for reconciliation."""
        return api.ListKeptExchangesResponse(
            exchanges=[
                api.KeptExchange(
                    exchange_id=reply.exchange_id,
                    attempt=reply.attempt,
                    log_index=reply.receipt.index,
                    leaf_hash=reply.receipt.leaf_hash,
                )
                for reply in self._exchanges.kept()
                if isinstance(reply.receipt, Receipt)
            ]
        )

    def malformed(self, peer: Peer, error: CrossroadsError) -> CrossroadsError:
        """Count a request that the server refused before it came here."""
        return self._exchanges.refuse_early(Caller(peer.institution, peer.application), error)


class ReferenceDirectoryServicer:
    """The reference directory."""

    def __init__(self, *, declarations: Declarations, clock: Clock) -> None:
        self._declarations = declarations
        self._clock = clock

    async def DeclareIntegrations(
        self, request: directory_api.DeclareIntegrationsRequest, context: object
    ) -> directory_api.DeclareIntegrationsResponse:
        """ "We have a file on these persons"."""
        caller = _caller()
        institution = request.institution or caller.institution
        declared = [
            _integration(institution, place, each)
            for place, each in enumerate(request.integrations)
        ]
        await self._declarations.declare(caller, institution, declared, _deadline(self._clock))
        return directory_api.DeclareIntegrationsResponse(received=len(declared))

    async def ListIntegrations(
        self, request: directory_api.ListIntegrationsRequest, context: object
    ) -> directory_api.ListIntegrationsResponse:
        """The caller's own integrations of one subject."""
        found = await self._declarations.declared(_caller(), request.subject)
        return directory_api.ListIntegrationsResponse(
            integrations=[_integration_to(each) for each in found]
        )


def _caller() -> Caller:
    peer = current_peer()
    return Caller(peer.institution, peer.application)


def _deadline(clock: Clock) -> float:
    """Until when, on the monotonic clock in seconds."""
    left = remaining()
    return clock.monotonic() + (DEFAULT_SECONDS if left is None else min(left, MAX_SECONDS))


def _question(request: api.ExchangeRequest) -> Question:
    period = None
    if request.HasField("period"):
        period = _period(getattr(request.period, "from"), request.period.until)
    return Question(
        request.request_id,
        request.service,
        request.version,
        request.subject,
        request.purpose,
        frozenset(request.elements),
        period,
        request.question,
        request.ticket,
    )


def _period(first: str, last: str) -> Period | None:
    """Both days included on the wire, half-open in the model. Raises INVALID_ARGUMENT."""
    if not first and not last:
        return None
    start = _day("period.from", first) if first else OPEN_START
    end = _after(_day("period.until", last)) if last else None
    if end is not None and end <= start:
        raise invalid("period.until", "must not be before period.from")
    return Period(start, end)


def _after(day: date) -> date | None:
    return None if day == date.max else day + timedelta(days=1)


def _day(field: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid(field, "is no day of the calendar; write it YYYY-MM-DD") from None


def _response(reply: Reply) -> api.ExchangeResponse:
    return api.ExchangeResponse(
        exchange_id=reply.exchange_id,
        attempt=reply.attempt,
        answers=[
            api.Answer(
                source=f"{each.source.institution}/{each.source.application}",
                outcome=api.SourceOutcome.ValueType(each.outcome),
                payload=each.payload,
            )
            for each in reply.answers
        ],
        elements=reply.elements,
        deliberations=reply.deliberations,
        current_key=reply.current_key,
        not_integrated=reply.not_integrated,
        receipt=reply.receipt,  # type: ignore[arg-type] # opaque to the model
    )


def _integration(institution: str, place: int, message: directory_api.Integration) -> Integration:
    field = f"integrations[{place}]"
    if message.phase > MAX_PHASE:
        raise invalid(f"{field}.phase", f"must be at most {MAX_PHASE}")
    return Integration(
        institution,
        message.subject,
        message.capacity,
        message.phase,
        _day(f"{field}.from", getattr(message, "from")),
        _day(f"{field}.until", message.until) if message.until else None,
    )


def _integration_to(integration: Integration) -> directory_api.Integration:
    message = directory_api.Integration(
        subject=integration.subject,
        capacity=integration.capacity,
        phase=integration.phase,
        until="" if integration.end is None else integration.end.isoformat(),
    )
    setattr(message, "from", integration.start.isoformat())  # a keyword in Python
    return message
