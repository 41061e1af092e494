"""How gently terms are indexed beside appends."""

from hypothesis import given
from hypothesis import strategies as st

from services.logging.term_index import PEAK_ENTRIES, STEP_ENTRIES, rest

WORKED = st.floats(0.001, 10.0)


@given(WORKED, st.booleans())
def test_indexing_rests_at_least_as_long_as_it_worked(worked: float, peak: bool) -> None:
    assert rest(worked, peak=peak) >= worked


@given(WORKED)
def test_in_a_peak_no_more_is_indexed_than_what_is_kept_up_with(worked: float) -> None:
    assert STEP_ENTRIES / (worked + rest(worked, peak=True)) <= PEAK_ENTRIES * 1.001


def test_a_quick_step_is_followed_by_the_next_in_time_to_keep_up() -> None:
    worked = STEP_ENTRIES / PEAK_ENTRIES / 4
    assert STEP_ENTRIES / (worked + rest(worked, peak=True)) > PEAK_ENTRIES * 0.99
