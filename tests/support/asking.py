"""An institution's questions, and what a refusal shows: on the wire, and in the log.

Contract: `refused` insists on what holds for every refusal: an ErrorInfo of this platform with a
reason of errors/v1 and the trace id, RetryInfo where a repeat may succeed and nowhere else, no key
of a person anywhere, and no release in the log.
"""

import asyncio
import re
from collections.abc import Awaitable
from typing import Any, NamedTuple

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from crossroads.errors.v1 import errors_pb2
from crossroads.routing.v1 import routing_service_pb2 as api
from services.proof.record import Kind
from services.routing.model import Caller, exchange_id
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.status import DETAILS_KEY
from tests.support.network import KNOWN, Network
from tests.support.network_rows import PURPOSE, SERVICE

SECONDS = 10.0
REMEDY = re.compile(
    r"retry|correct |declare |ask |present |set one|use a new|says what|says who|"
    r"send it|build it|report ",
    re.IGNORECASE,
)
"""How our texts say what the caller can do."""
PERSON = re.compile(r"(?<![0-9a-f])[0-9]{11}(?![0-9a-f])")


class Refusal(NamedTuple):
    """A refusal as it came over the wire. `said` is all of it but the ids of this very call."""

    reason: Reason
    code: grpc.StatusCode
    text: str
    fields: tuple[str, ...]
    metadata: dict[str, str]
    retry: bool
    said: bytes


def question(request_id: str, **changes: Any) -> api.ExchangeRequest:
    """CAPAC's question about the known person."""
    values: dict[str, Any] = {
        "request_id": request_id,
        "service": SERVICE,
        "version": 1,
        "subject": KNOWN,
        "purpose": PURPOSE,
    }
    return api.ExchangeRequest(**{**values, **changes})


def id_of(request_id: str, caller: str = "capac/payments") -> bytes:
    """The id of that exchange."""
    institution, application = caller.split("/")
    return exchange_id(Caller(institution, application), request_id)


async def refusal(call: Awaitable[Any]) -> Refusal:
    """What the server refuses this call with."""
    with pytest.raises((CrossroadsError, grpc.aio.AioRpcError)) as raised:
        await call
    error = raised.value
    wire = error.__cause__ if isinstance(error, CrossroadsError) else error
    assert isinstance(wire, grpc.aio.AioRpcError), error
    return _read(wire)


def _read(error: grpc.aio.AioRpcError) -> Refusal:
    trailing: Any = error.trailing_metadata() or ()
    raw = dict(trailing).get(DETAILS_KEY)
    assert raw is not None, f"no google.rpc.Status: {error.code()} {error.details()}"
    status = status_pb2.Status.FromString(raw)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    known = [[each.Unpack(into) for into in (info, request, retry)] for each in status.details]
    assert all(any(each) for each in known)
    assert info.domain == "crossroads"
    assert f"REASON_{info.reason}" in set(errors_pb2.Reason.keys())
    trace_id = info.metadata.pop("trace_id")
    assert re.fullmatch("[0-9a-f]{32}", trace_id)
    assert not PERSON.search(str(status))
    assert REMEDY.search(status.message), status.message
    error_ = CrossroadsError(Reason(info.reason), status.message)
    retries = any(each[2] for each in known)
    assert retries == (error_.retryable or error_.reason is Reason.OVERLOADED)
    metadata = dict(info.metadata)
    info.metadata.pop("exchange_id", None)
    said = [status.message, info, request, retry, sorted(metadata)]
    return Refusal(
        reason=error_.reason,
        code=error.code(),
        text=status.message,
        fields=tuple(each.field for each in request.field_violations),
        metadata=metadata,
        retry=retries,
        said=str(said).encode(),
    )


async def refused(
    network: Network,
    asked: api.ExchangeRequest,
    *kinds: Kind,
    caller: str = "capac/payments",
    seconds: float = SECONDS,
) -> Refusal:
    """What this exchange is refused with; the log has these entries of it, and no others."""
    institution, application = caller.split("/")
    stub = await network.caller(institution, application)
    seen = await refusal(stub.Exchange(asked, timeout=seconds))
    assert await kinds_of(network, asked.request_id, caller) == list(kinds)
    assert Kind.RELEASE not in kinds
    if kinds:
        assert seen.metadata["exchange_id"] == id_of(asked.request_id, caller).hex()
    return seen


async def answered(
    network: Network, asked: api.ExchangeRequest, *, seconds: float = SECONDS
) -> api.ExchangeResponse:
    """The answer, once whatever was broken works again."""
    stub = await network.caller()
    response: api.ExchangeResponse = await patiently(stub.Exchange, asked, seconds=seconds)
    return response


async def patiently(call: Any, asked: Any, *, seconds: float = SECONDS) -> Any:
    """The response to `call(asked)`: asked anew while a repeat may succeed."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await call(asked, timeout=seconds)
            except CrossroadsError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(0.05)


async def kinds_of(network: Network, request_id: str, caller: str = "capac/payments") -> list[Kind]:
    """What the log has of that exchange, in order."""
    return [Kind(kind) for kind, _ in await network.entries(id_of(request_id, caller))]
