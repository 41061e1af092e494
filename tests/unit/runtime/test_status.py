"""Errors on the wire: our own come back as they were, those of others say nothing of theirs."""

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from crossroads.errors.v1 import errors_pb2
from services.runtime.errors import CrossroadsError, FieldViolation, Reason, malformed
from services.runtime.status import CODES, DETAILS_KEY, from_rpc_error, to_status

TRACE = "0123456789abcdef" * 2
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def received(
    code: grpc.StatusCode, text: str = "", details: bytes | None = None
) -> CrossroadsError:
    """What a client makes of this status."""
    trailing = Metadata() if details is None else Metadata((DETAILS_KEY, details))
    return from_rpc_error(AioRpcError(code, Metadata(), trailing, text), "registry")


@given(
    reason=st.sampled_from(Reason),
    message=TEXTS,
    fields=st.lists(st.builds(FieldViolation, TEXTS, TEXTS), max_size=3),
    retry_after=st.none() | st.integers(0, 10_000).map(lambda ms: ms / 1000),
    metadata=st.dictionaries(st.sampled_from(["etag", "condition"]), TEXTS),
)
def test_error_comes_back_as_it_was(
    reason: Reason,
    message: str,
    fields: list[FieldViolation],
    retry_after: float | None,
    metadata: dict[str, str],
) -> None:
    sent = CrossroadsError(
        reason, message, fields=fields, retry_after=retry_after, metadata=metadata
    )
    status = to_status(sent, TRACE)
    got = received(CODES[reason], message, status.SerializeToString())
    assert (got.reason, got.message, got.fields) == (reason, message, tuple(fields))
    assert (got.metadata, got.trace_id) == (metadata, TRACE)
    if retry_after is not None:
        assert got.retry_after == retry_after
    else:
        assert (got.retry_after is not None) == sent.retryable


def test_reasons_are_those_of_the_api_with_the_codes_that_its_comments_name() -> None:
    names = {name.removeprefix("REASON_") for name in errors_pb2.Reason.keys()}  # noqa: SIM118
    assert names == {str(reason) for reason in Reason}
    assert set(CODES) == set(Reason)


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_bare_status_of_another_server_is_told_in_our_words_with_a_remedy(
    code: grpc.StatusCode,
) -> None:
    error = received(code, "10.0.0.7: no row for 85073003328")
    assert error.message.startswith("registry ")
    assert "; " in error.message
    assert "85073003328" not in str(error)
    assert error.trace_id == ""


@pytest.mark.parametrize(
    "details",
    [
        b"\xff\xff",
        status_pb2.Status(code=99).SerializeToString(),
        status_pb2.Status(code=5, message="theirs").SerializeToString(),
    ],
)
def test_details_that_are_not_ours_are_not_believed(details: bytes) -> None:
    error = received(grpc.StatusCode.NOT_FOUND, "theirs", details)
    assert (error.reason, "theirs" in error.message) == (Reason.NOT_FOUND, False)


@pytest.mark.parametrize(("domain", "reason"), [("elsewhere", "CONFLICT"), ("crossroads", "WHAT")])
def test_reason_of_another_domain_or_of_a_later_version_is_told_by_its_code(
    domain: str, reason: str
) -> None:
    status = status_pb2.Status(code=14, message="theirs")
    info: Any = error_details_pb2.ErrorInfo(reason=reason, domain=domain)
    status.details.add().Pack(info)
    error = received(grpc.StatusCode.UNAVAILABLE, "theirs", status.SerializeToString())
    assert (error.reason, error.message) == (
        Reason.UNAVAILABLE,
        "registry does not answer; retry",
    )


def test_an_error_about_thousands_of_fields_names_the_first_and_fits_in_a_header() -> None:
    wrong = [FieldViolation(f"persons[{n}].niss", "must have 11 digits") for n in range(5000)]
    error = malformed(wrong)
    assert error.message.startswith("correct these fields: persons[0].niss must have 11 digits; ")
    assert error.message.endswith("and 4980 more")
    assert error.fields == tuple(wrong[:20])
    assert len(to_status(error, TRACE).SerializeToString()) < 4096
