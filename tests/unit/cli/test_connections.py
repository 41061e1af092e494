"""Calls are made again while that may help, and not otherwise."""

import asyncio

import pytest

from services.cli import connections
from services.cli.connections import Connections, patiently
from services.cli.platform.home import Home, PlatformError
from services.runtime.errors import CrossroadsError, Reason


class Call:
    """Fails with these reasons, one after the other, then answers."""

    def __init__(self, *reasons: Reason) -> None:
        self.reasons = list(reasons)
        self.calls = 0

    async def __call__(self, request: str, *, timeout: float) -> str:  # noqa: ASYNC109 - a stub's
        self.calls += 1
        if self.reasons:
            raise CrossroadsError(self.reasons.pop(0), "no", retry_after=0.001)
        return f"{request} {timeout}"


@pytest.mark.parametrize(
    "reason", [Reason.UNAVAILABLE, Reason.LEASE_EXPIRED, Reason.CALLER_NOT_ALLOWED]
)
async def test_a_call_is_repeated_until_it_is_answered(reason: Reason) -> None:
    call = Call(reason, reason)
    assert await patiently(call, "question", timeout=2.0) == "question 2.0"
    assert call.calls == 3


@pytest.mark.parametrize("reason", [Reason.NOT_AUTHORIZED, Reason.INVALID_KEY, Reason.NOT_FOUND])
async def test_what_no_repeat_can_mend_is_raised_at_once(reason: Reason) -> None:
    call = Call(reason, reason)
    with pytest.raises(CrossroadsError):
        await patiently(call, "question", timeout=2.0)
    assert call.calls == 1


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE_SECONDS", 0.05)

    async def down() -> None:
        raise CrossroadsError(Reason.UNAVAILABLE, "no", retry_after=0.01)

    async with asyncio.timeout(5):
        with pytest.raises(CrossroadsError):
            await patiently(down)


async def test_who_is_not_enrolled_is_told_how_to_be(tmp_path: object) -> None:
    async with Connections(home=Home.find(str(tmp_path))) as opened:
        with pytest.raises(PlatformError, match="crossroads up --demo"):
            await opened.certificates(opened.folder("capac/nobody"))
        with pytest.raises(PlatformError, match="crossroads up"):
            opened.address("routing")
