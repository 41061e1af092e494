"""The adapter by which an institution answers from its own data: one handler per exchange service.

Contract: serves SourceService over mTLS with the institution's own certificate and port; only the
platform's routing may call. A handler may say more than was granted: routing removes it. It must
not say whom it was asked about in what it logs.

    server = SourceServer(certificates=own, platform=services_intermediate_pem)
    server.serve("employment_periods", 1, EmploymentPeriodsQuestion, periods)
    await server.start()
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from crossroads.institution.v1 import source_service_pb2 as api
from crossroads.institution.v1.source_service_pb2_grpc import add_SourceServiceServicer_to_server
from services.runtime.certificates import Certificates
from services.runtime.errors import CrossroadsError, FieldViolation, Reason
from services.runtime.server import Server
from services.runtime.telemetry import Telemetry

DESCRIPTOR = api.DESCRIPTOR.services_by_name["SourceService"]

Handler = Callable[[Any, str, str, str], Awaitable[Message | None]]
"""`handler(question, subject, first_day, last_day)`: the answer, or None when there is nothing.

Days are YYYY-MM-DD, both included, "" where open: the part of the asked period that is granted.
"""


@dataclass(frozen=True)
class Served:
    """What answers one version of one exchange service."""

    question: type[Message]
    handler: Handler


class SourceServer:
    """A source. `platform` is the PEM of the intermediate that issues to the platform's services.

    `certificates` presents the application that answers: `Certificates(issuer=FileIssuer(...))`
    reads them from files that somebody renews (run its `run()` as a task).
    """

    def __init__(
        self,
        *,
        certificates: Certificates,
        platform: bytes,
        listen: str = "127.0.0.1:0",
        telemetry: Telemetry | None = None,
    ) -> None:
        self._served: dict[tuple[str, int], Served] = {}
        self._server = Server(
            certificates=certificates,
            issuers={"service": platform},
            listen=listen,
            telemetry=telemetry,
        )
        servicer = SourceServicer(served=self._served)
        self._server.add(add_SourceServiceServicer_to_server, servicer, DESCRIPTOR)

    def serve(self, service: str, version: int, question: type[Message], handler: Handler) -> None:
        """Answer this version of this exchange service with `handler`."""
        self._served[service, version] = Served(question, handler)

    @property
    def address(self) -> str:
        """Where it listens, host:port, once it does."""
        return self._server.address

    async def start(self) -> str:
        """Listen; the address is host:port. Raises OSError when the port is taken."""
        return await self._server.start()

    async def stop(self, grace: float = 10.0) -> None:
        """Take no new questions; give those under way `grace` seconds."""
        await self._server.stop(grace)


class SourceServicer:
    """SourceService over handlers."""

    def __init__(self, *, served: dict[tuple[str, int], Served]) -> None:
        self._served = served

    async def Answer(  # noqa: N802 - the name of the method
        self,
        request: api.AnswerRequest,
        context: object,  # noqa: ARG002 - gRPC's signature
    ) -> api.AnswerResponse:
        """One answer about one subject."""
        served = self._served.get((request.service, request.version))
        if served is None:
            raise CrossroadsError(
                Reason.UNKNOWN_SERVICE, "this source does not answer that service and version"
            )
        try:
            question = served.question.FromString(request.question)
        except DecodeError:
            raise CrossroadsError(
                Reason.INVALID_PAYLOAD,
                "the question is not the message of this service",
                fields=(FieldViolation("question", "can't be read"),),
            ) from None
        answer = await served.handler(
            question, request.subject, getattr(request, "from"), request.until
        )
        if answer is None:
            return api.AnswerResponse(found=False)
        return api.AnswerResponse(found=True, payload=answer.SerializeToString())
