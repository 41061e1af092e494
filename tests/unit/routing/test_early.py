"""Refusals before the decision are counted by institution and minute, and nothing is lost."""

from services.routing.early import Count, EarlyRefusals
from services.runtime.errors import CrossroadsError, Reason
from tests.support.exchanges import NOW, TestClock

MINUTE = int(NOW.timestamp()) // 60
ERROR = CrossroadsError(Reason.INVALID_KEY, "wrong")


def test_minute_is_handed_over_once_it_is_over() -> None:
    clock = TestClock()
    early = EarlyRefusals(clock=clock)
    for _ in range(3):
        assert early.refuse("capac", ERROR) is ERROR
    assert early.take() == []
    clock.pass_(60)
    early.refuse("capac", ERROR)
    assert early.take() == [Count("capac", MINUTE, MINUTE, {"INVALID_KEY": 3})]
    assert early.take(everything=True) == [
        Count("capac", MINUTE + 1, MINUTE + 1, {"INVALID_KEY": 1})
    ]


def test_counts_that_could_not_be_logged_go_out_with_the_next_ones() -> None:
    clock = TestClock()
    early = EarlyRefusals(clock=clock)
    for _ in range(3):
        early.refuse("capac", ERROR)
        clock.pass_(60)
        early.restore(early.take())
    assert early.take() == [Count("capac", MINUTE, MINUTE + 2, {"INVALID_KEY": 3})]


def test_allowance_is_each_institutions_own() -> None:
    early = EarlyRefusals(clock=TestClock(), burst=1.0)
    assert early.refuse("capac", ERROR) is ERROR
    assert early.refuse("capac", ERROR).reason is Reason.OVERLOADED
    assert early.refuse("onem", ERROR) is ERROR
    counts = {each.institution: dict(each.reasons) for each in early.take(everything=True)}
    assert counts == {"capac": {"INVALID_KEY": 1, "OVERLOADED": 1}, "onem": {"INVALID_KEY": 1}}
