"""What a caller is told when an exchange is refused: what happened, what it can do. No I/O."""

from services.runtime.errors import CrossroadsError, FieldViolation, Reason


def wrong_key() -> CrossroadsError:
    """A key that nobody can bear."""
    return CrossroadsError(
        Reason.INVALID_KEY,
        "the check digits of the subject's key do not fit its other digits; correct the key",
        fields=(FieldViolation("subject", "check digits do not fit"),),
    )


def unknown_service() -> CrossroadsError:
    """Not in the catalogue."""
    return CrossroadsError(
        Reason.UNKNOWN_SERVICE,
        "no such exchange service, or not in this version; "
        "ListExchangeServices of registry says what can be asked",
    )


def not_authorized(condition: str) -> CrossroadsError:
    """No grant covers it; `condition` is the coarse reason of the decision."""
    return CrossroadsError(
        Reason.NOT_AUTHORIZED,
        "no published authorization covers this exchange; "
        "ask Check of authorization which condition fails",
        metadata={"condition": condition},
    )


def volume_used_up() -> CrossroadsError:
    """The grants cover it, and were used as often today as they allow."""
    return CrossroadsError(
        Reason.NOT_AUTHORIZED,
        "the volume that the authorization allows on one day is used up; "
        "ask again tomorrow (days are in UTC), with the same request_id",
        metadata={"condition": "volume_per_day"},
    )


def ended_meanwhile() -> CrossroadsError:
    """The grants no longer cover what the source said."""
    return CrossroadsError(
        Reason.NOT_AUTHORIZED,
        "the authorization ended while the source was being asked; nothing was released; "
        "ask Check of authorization what holds now",
        metadata={"condition": "in_force"},
    )


def not_integrated() -> CrossroadsError:
    """The one refusal for every cause (architecture.md, "No oracle")."""
    return CrossroadsError(
        Reason.NOT_INTEGRATED,
        "the subject is not integrated as this exchange demands; "
        "if you have a file on this person, declare the integration first",
    )


def directory_silent() -> CrossroadsError:
    """The reference directory took too long."""
    return CrossroadsError(
        Reason.STORE_UNAVAILABLE,
        "the reference directory does not answer; nothing was released; "
        "retry later with the same request_id",
        retry_after=1.0,
    )


def too_little_time() -> CrossroadsError:
    """The deadline is too near to ask a source."""
    return CrossroadsError(
        Reason.DEADLINE_EXCEEDED,
        "too little time was left to ask the source; retry with a longer deadline",
    )


def too_many_attempts() -> CrossroadsError:
    """Others took every attempt that this one tried to take."""
    return CrossroadsError(
        Reason.OVERLOADED,
        "this exchange is being carried out many times at once; retry later",
        retry_after=1.0,
    )


def closed_meanwhile() -> CrossroadsError:
    """The log has an outcome of this attempt already."""
    return CrossroadsError(
        Reason.LOG_UNAVAILABLE,
        "this attempt was closed meanwhile; nothing was released; retry with the same request_id",
    )


def require_same(one: bytes, other: bytes) -> None:
    """Raise REQUEST_ID_REUSED unless both digests are of the same question."""
    if one != other:
        raise CrossroadsError(
            Reason.REQUEST_ID_REUSED,
            "this request_id was used for another question; use a new one",
            fields=(FieldViolation("request_id", "used for another question"),),
        )


def marked(refusal: CrossroadsError, exchange_id: bytes) -> CrossroadsError:
    """A copy that names the exchange: one error may go to several exchanges."""
    return CrossroadsError(
        refusal.reason,
        refusal.message,
        fields=refusal.fields,
        retry_after=refusal.retry_after,
        metadata={**refusal.metadata, "exchange_id": exchange_id.hex()},
    )
