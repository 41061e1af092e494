"""What `up --demo` ends with: one exchange with everything that stands behind it, three refusals.

Contract: everything shown was just done through the API; nothing is made up for the occasion.
"""

from google.protobuf import json_format
from rich.console import Console

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.authorization.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from crossroads.logging.v1 import logging_service_pb2 as logging
from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.sector.employment.v1.employment_pb2 import EmploymentPeriodsQuestion
from services.cli import asking, showing
from services.cli.asking import Answered, Question, Tracing
from services.cli.connections import Connections, patiently
from services.cli.demo import ASKER, PURPOSE, SERVICE
from services.institution.population import Store
from services.institution.sector import load, schemas
from services.institution.sources import HANDLERS, Asked, Period
from services.runtime.errors import CrossroadsError

QUESTION = '{"from_quarter": "2026/2"}'


class Tour:
    """The demo's exchanges, shown on `console`."""

    def __init__(
        self,
        *,
        connections: Connections,
        tracing: Tracing,
        store: Store,
        console: Console,
    ) -> None:
        self._connections = connections
        self._tracing = tracing
        self._store = store
        self._subjects = store.subjects()
        self._console = console

    async def show(self) -> Answered:
        """One exchange, then three refusals. Raises what the exchange raises."""
        catalogue = await asking.services(self._connections, ASKER)
        described = asking.find(catalogue, SERVICE, 1)
        asked = Question(ASKER, SERVICE, self._subjects.demo, PURPOSE, question=QUESTION)
        self._console.rule("CAPAC asks the ONSS for the employment periods of a person")
        answered = await asking.ask(self._connections, self._tracing, described, asked)
        await self._decision(described, answered)
        showing.answer(self._console, answered)
        showing.receipt(self._console, answered)
        await self._entries(answered)
        spans = await self._tracing.spans(answered.trace_id)
        showing.trace(self._console, answered.trace_id, spans)
        await self._refusals(catalogue)
        return answered

    async def _decision(self, described: registry.ExchangeService, answered: Answered) -> None:
        """The decision, and the deliberation behind it."""
        stub = await self._connections.application(ASKER, "authorization", AuthorizationServiceStub)
        institution, _, application = ASKER.partition("/")
        check = authorization.CheckRequest(
            institution=institution,
            application=application,
            service=SERVICE,
            service_version=1,
            purpose=PURPOSE,
            way=authorization.WAY_ONLINE,
        )
        decision = await patiently(stub.Check, check)
        rows = [
            ("caller", ASKER),
            ("service", f"{SERVICE} version 1, purpose {PURPOSE}"),
            ("decision", f"{len(answered.elements)} of {len(described.elements)} data elements"),
        ]
        for number in answered.deliberations:
            request = authorization.GetDeliberationRequest(number=number, page_size=1)
            found = (await patiently(stub.GetDeliberation, request)).deliberation
            rows.append(("deliberation", f"{number} of {found.decided_on}: {found.title_en}"))
        withheld = sorted(self._sent() - set(answered.elements))
        rows += [
            ("table", f"version {decision.table_version}, {decision.table_digest.hex()[:16]}…"),
            ("released", ", ".join(answered.elements)),
            ("withheld", f"{', '.join(withheld)}: the source sent these too"),
        ]
        showing.facts(self._console, "decision", rows)

    def _sent(self) -> set[str]:
        """The data elements that the source sends: it answers from the same population."""
        question = EmploymentPeriodsQuestion()
        json_format.Parse(QUESTION, question)
        asked = Asked(self._store, "onss", question, self._subjects.demo, Period())
        message = HANDLERS[SERVICE](asked)
        return schemas.elements_in(message) if message is not None else set()

    async def _entries(self, answered: Answered) -> None:
        """What an auditor finds in the log under this exchange."""
        auditor = load().with_role("auditor")[0].id
        stub = await self._connections.person(auditor, "logging", LoggingServiceStub)
        request = logging.FindExchangeRequest(exchange_id=bytes.fromhex(answered.exchange_id))
        found = await patiently(stub.FindExchange, request)
        rows = [
            (f"entry {each.index}", logging.Kind.Name(each.kind).removeprefix("KIND_").lower())
            for each in found.entries
        ]
        showing.facts(self._console, "what an auditor finds in the log", rows)

    async def _refusals(self, catalogue: list[registry.ExchangeService]) -> None:
        subjects = self._subjects
        self._console.rule("three refusals")
        for text, asked in (
            (
                "no grant: CAPAC asks for child benefit",
                Question(ASKER, "child_benefit", subjects.demo, PURPOSE),
            ),
            (
                "not integrated: CAPAC has no file on this person",
                Question(ASKER, SERVICE, subjects.not_at_capac, PURPOSE),
            ),
            (
                "a key with a wrong check digit",
                Question(ASKER, SERVICE, subjects.wrong_check, PURPOSE),
            ),
        ):
            described = asking.find(catalogue, asked.service, asked.version)
            try:
                await asking.ask(self._connections, self._tracing, described, asked)
            except CrossroadsError as error:
                showing.refusal(self._console, text, error)
            else:
                raise AssertionError(f"this must be refused: {text}")
