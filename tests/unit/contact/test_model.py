"""What may stand in a contact, and tokens of pages."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contact.model import Position, check_request_id, check_topic
from services.keys.person import well_formed
from services.runtime.errors import CrossroadsError, Reason

KEY = "85073003328"
positions = st.builds(
    Position, st.datetimes(timezones=st.just(UTC)), st.uuids()
)  # fmt: skip


@pytest.mark.parametrize(
    "topic",
    [
        KEY,
        "85.07.30-033.28",
        "85 07 30 033 28",
        "85/07/30-033.28",
        f"about {KEY}, again",
        f"call 12 {KEY}",
        f"file {KEY} 7",
        "two\nlines",
        "nothing\0",
        "tab\there",
    ],
)
def test_topic_with_a_key_or_of_several_lines_is_refused(topic: str) -> None:
    with pytest.raises(CrossroadsError) as raised:
        check_topic(topic, well_formed)
    assert raised.value.reason is Reason.INVALID_ARGUMENT
    assert [each.field for each in raised.value.fields] == ["contact.topic"]
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    "topic",
    [
        "Périodes d'emploi, année 2020",
        "wrong amount: 1 234,56",
        "85073003329",
        f"1{KEY}",
        f"{KEY}1",
        "0314595348",
        "",
    ],
)
def test_topic_with_other_numbers_is_taken(topic: str) -> None:
    check_topic(topic, well_formed)


@given(st.text(st.characters(categories=["L", "P", "S"]), max_size=30), st.booleans())
def test_key_is_found_wherever_it_stands(words: str, before: bool) -> None:
    with pytest.raises(CrossroadsError, match="key of a person"):
        check_topic(f"{words}{KEY}" if before else f"{KEY}{words}", well_formed)


def test_request_id_with_control_characters_is_refused() -> None:
    check_request_id("7f-Ω")
    with pytest.raises(CrossroadsError, match="request_id"):
        check_request_id("a\0b")


@given(positions)
def test_position_is_read_back_from_its_token(position: Position) -> None:
    assert Position.read(position.token) == position


@given(st.text(max_size=60))
def test_any_other_token_is_refused(token: str) -> None:
    if not token:
        assert Position.read(token) is None
        return
    with pytest.raises(CrossroadsError, match="page_token"):
        Position.read(token)


def test_token_without_a_zone_is_refused() -> None:
    token = Position.read("2001-03-10T12:00:00+00:00|00000000-0000-0000-0000-000000000000")
    assert token is not None
    assert token.recorded_at == datetime(2001, 3, 10, 12, tzinfo=UTC)
    with pytest.raises(CrossroadsError, match="page_token"):
        Position.read("2001-03-10T12:00:00|00000000-0000-0000-0000-000000000000")
