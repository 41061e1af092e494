"""Errors on the wire: CrossroadsError to google.rpc.Status and back.

Contract: one table says which gRPC status code each reason has (the comments of errors/v1 are its
source). A Status carries ErrorInfo (domain "crossroads", the reason, the trace id), BadRequest when
fields are wrong and RetryInfo when a repeat may succeed. What another party sends that is not of
this form becomes the reason nearest to its code, with our text: theirs could hold addresses.
"""

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from services.runtime.errors import CrossroadsError, FieldViolation, Reason

DOMAIN = "crossroads"
DETAILS_KEY = "grpc-status-details-bin"
RETRY_SECONDS = 0.5
"""What RetryInfo says when the error does not know better."""

INTERNAL_TEXT = "a fault of the platform; report the trace id"

_Code = grpc.StatusCode
CODES: dict[Reason, grpc.StatusCode] = {
    Reason.UNSPECIFIED: _Code.UNKNOWN,
    Reason.INVALID_ARGUMENT: _Code.INVALID_ARGUMENT,
    Reason.INVALID_KEY: _Code.INVALID_ARGUMENT,
    Reason.INVALID_PAYLOAD: _Code.INVALID_ARGUMENT,
    Reason.DEADLINE_REQUIRED: _Code.INVALID_ARGUMENT,
    Reason.UNAUTHENTICATED: _Code.UNAUTHENTICATED,
    Reason.CALLER_NOT_ALLOWED: _Code.PERMISSION_DENIED,
    Reason.UNKNOWN_SERVICE: _Code.NOT_FOUND,
    Reason.NOT_AUTHORIZED: _Code.PERMISSION_DENIED,
    Reason.NOT_INTEGRATED: _Code.PERMISSION_DENIED,
    Reason.REQUEST_ID_REUSED: _Code.ALREADY_EXISTS,
    Reason.SOURCE_UNAVAILABLE: _Code.UNAVAILABLE,
    Reason.SOURCE_INVALID: _Code.UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED: _Code.DEADLINE_EXCEEDED,
    Reason.LEASE_EXPIRED: _Code.UNAVAILABLE,
    Reason.LOG_UNAVAILABLE: _Code.UNAVAILABLE,
    Reason.STORE_UNAVAILABLE: _Code.UNAVAILABLE,
    Reason.OVERLOADED: _Code.RESOURCE_EXHAUSTED,
    Reason.NOT_FOUND: _Code.NOT_FOUND,
    Reason.ALREADY_EXISTS: _Code.ALREADY_EXISTS,
    Reason.FAILED_PRECONDITION: _Code.FAILED_PRECONDITION,
    Reason.SECOND_PERSON_REQUIRED: _Code.PERMISSION_DENIED,
    Reason.INTERNAL: _Code.INTERNAL,
    Reason.UNAVAILABLE: _Code.UNAVAILABLE,
    Reason.MESSAGE_TOO_LARGE: _Code.RESOURCE_EXHAUSTED,
    Reason.CONFLICT: _Code.ABORTED,
}

_PLAIN: dict[grpc.StatusCode, tuple[Reason, str, str]] = {
    _Code.CANCELLED: (Reason.UNAVAILABLE, "cut the call off", "retry"),
    _Code.INVALID_ARGUMENT: (Reason.INVALID_ARGUMENT, "finds the request malformed", "correct it"),
    _Code.DEADLINE_EXCEEDED: (
        Reason.DEADLINE_EXCEEDED,
        "did not answer in time",
        "retry with a longer deadline",
    ),
    _Code.NOT_FOUND: (Reason.NOT_FOUND, "knows no such object", "correct its name"),
    _Code.ALREADY_EXISTS: (Reason.ALREADY_EXISTS, "has that object already", "use another name"),
    _Code.PERMISSION_DENIED: (
        Reason.CALLER_NOT_ALLOWED,
        "does not allow this call",
        "its .proto says who may",
    ),
    _Code.RESOURCE_EXHAUSTED: (Reason.OVERLOADED, "is overloaded", "retry later"),
    _Code.FAILED_PRECONDITION: (
        Reason.FAILED_PRECONDITION,
        "can't do that now",
        "read the object's state",
    ),
    _Code.ABORTED: (Reason.CONFLICT, "let another writer be first", "read again and retry"),
    _Code.UNAVAILABLE: (Reason.UNAVAILABLE, "does not answer", "retry"),
    _Code.UNAUTHENTICATED: (Reason.UNAUTHENTICATED, "refuses the certificate", "renew it"),
    _Code.UNIMPLEMENTED: (
        Reason.INTERNAL,
        "knows no such method",
        "bring both sides to the same version",
    ),
}
_FAILED = Reason.INTERNAL, "failed", "report it with the trace id"
_NUMBERS = {code.value[0]: code for code in _Code}


def to_status(error: CrossroadsError, trace_id: str) -> status_pb2.Status:
    """The google.rpc.Status of an error (AIP-193). `trace_id`: 32 hex digits, "" for none."""
    status = status_pb2.Status(code=CODES[error.reason].value[0], message=error.message)
    metadata = dict(error.metadata)
    if trace_id:
        metadata["trace_id"] = trace_id
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    status.details.add().Pack(info)
    if error.fields:
        request = error_details_pb2.BadRequest()
        for each in error.fields:
            request.field_violations.add(field=each.field, description=each.description)
        status.details.add().Pack(request)
    if error.retryable or error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        seconds = RETRY_SECONDS if error.retry_after is None else error.retry_after
        retry.retry_delay.FromMilliseconds(round(seconds * 1000))
        status.details.add().Pack(retry)
    return status


def from_rpc_error(error: grpc.RpcError, peer: str = "the other side") -> CrossroadsError:
    """The error that the other side raised, or what its bare status code amounts to.

    `error` is a grpc.aio.AioRpcError or a grpc.Call; `peer` names the other side in texts of ours.
    """
    metadata: Iterable[Any] = error.trailing_metadata() or ()
    details = next((value for key, value in metadata if key == DETAILS_KEY), None)
    if isinstance(details, bytes):
        try:
            status = status_pb2.Status.FromString(details)
            known = from_status(status)
        except (DecodeError, ValueError):
            known = None
        if known is not None:
            return known
    code, text = error.code(), error.details() or ""
    if code is _Code.RESOURCE_EXHAUSTED and "larger than max" in text:
        return too_large()
    reason, what, remedy = _PLAIN.get(code, _FAILED)
    return CrossroadsError(reason, f"{peer} {what}; {remedy}")


def from_status(status: status_pb2.Status) -> CrossroadsError | None:
    """The error in a google.rpc.Status, None when it is not one of ours.

    Raises ValueError or DecodeError when a detail is not what it says.
    """
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    found = retried = False
    for detail in status.details:
        found = detail.Unpack(info) or found
        detail.Unpack(request)
        retried = detail.Unpack(retry) or retried
    if not found or info.domain != DOMAIN or status.code not in _NUMBERS:
        return None
    metadata = dict(info.metadata)
    trace_id = metadata.pop("trace_id", "")
    return CrossroadsError(
        Reason(info.reason),
        status.message,
        fields=[FieldViolation(each.field, each.description) for each in request.field_violations],
        retry_after=retry.retry_delay.ToMilliseconds() / 1000 if retried else None,
        metadata=metadata,
        trace_id=trace_id,
    )


def too_large() -> CrossroadsError:
    """The error for a message over the limit of 4 MiB."""
    return CrossroadsError(
        Reason.MESSAGE_TOO_LARGE, "a message is larger than 4 MiB; send it in parts"
    )
