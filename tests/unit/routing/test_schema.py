"""What a compiled schema lets pass: of a question all or nothing, of an answer what is granted."""

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from services.routing.schema import ExchangeSchema, SchemaError
from services.runtime.errors import CrossroadsError, Reason
from tests.support.exchange_schemas import ELEMENTS, EMPLOYMENT, PACKAGE, message_class, schema

SCHEMA = ExchangeSchema(
    question_message=f"{PACKAGE}.Question",
    answer_message=f"{PACKAGE}.Answer",
    schema=schema(),
)
Answer = message_class("Answer")
Question = message_class("Question")
FULL: dict[str, Any] = {
    "person": {"insured": True, "language": "fr"},
    "employments": [
        {
            "employer": "0123",
            "start": "2020-01-01",
            "wage": {"amount": 1200, "currency": "EUR"},
            "previous": [{"employer": "0456", "start": "2018-01-01"}],
            "quarters": [1, 2],
        },
        {"employer": "0789"},
    ],
    "remark": "seen by nobody",
}


def filtered(answer: dict[str, Any], *elements: str) -> dict[str, Any]:
    """What is left of an answer, as JSON."""
    payload = json_format.ParseDict(answer, Answer()).SerializeToString()
    left = Answer.FromString(SCHEMA.filter(payload, frozenset(elements)))
    return json_format.MessageToDict(left, preserving_proto_field_name=True)


def test_schema_names_the_elements_that_an_answer_may_hold() -> None:
    assert SCHEMA.elements == ELEMENTS


def test_filter_keeps_granted_elements_and_the_containers_around_them() -> None:
    assert filtered(FULL, "employment.start", "person.lang") == {
        "person": {"language": "fr"},
        "employments": [{"start": "2020-01-01", "previous": [{"start": "2018-01-01"}]}],
    }


def test_filter_releases_nothing_without_a_grant() -> None:
    assert filtered(FULL) == {}


def test_filter_drops_a_value_outside_every_element() -> None:
    assert "remark" not in filtered(FULL, *ELEMENTS)


def test_filter_keeps_what_stands_inside_a_granted_message() -> None:
    assert filtered(FULL, "employment.wage") == {"employments": [{"wage": {"amount": 1200}}]}


def test_filter_takes_an_element_of_its_own_away_from_inside_a_granted_message() -> None:
    left = filtered(FULL, "employment.wage", "employment.currency")
    assert left["employments"][0]["wage"] == {"amount": 1200, "currency": "EUR"}


def test_filter_does_not_tell_how_many_containers_hold_nothing_granted() -> None:
    answer = {"employments": [{"employer": "0123"}, {"start": "2020-01-01"}, {"employer": "0456"}]}
    assert filtered(answer, "employment.start") == {"employments": [{"start": "2020-01-01"}]}


def test_filter_keeps_a_container_whose_granted_value_is_the_default() -> None:
    assert filtered({"person": {"insured": False, "language": "fr"}}, "person.insured") == {
        "person": {}
    }


def test_filter_discards_unknown_fields() -> None:
    known = json_format.ParseDict({"person": {"language": "fr"}}, Answer()).SerializeToString()
    unknown = b"\xca\x3e\x03abc"  # field 1001, three octets
    inside = b"\x0a" + bytes([len(unknown)]) + unknown
    left = SCHEMA.filter(known + unknown + inside, frozenset({"person.lang"}))
    assert (
        left == json_format.ParseDict({"person": {"language": "fr"}}, Answer()).SerializeToString()
    )


@pytest.mark.parametrize("payload", [b"\x0a\xff", b"\x08\x01", b"\x12\x03\x0a\x01\xff", b"hello!"])
def test_filter_refuses_what_is_not_the_declared_message(payload: bytes) -> None:
    with pytest.raises(CrossroadsError) as raised:
        SCHEMA.filter(payload, ELEMENTS)
    assert raised.value.reason is Reason.SOURCE_INVALID
    assert raised.value.retryable


def test_filter_takes_an_empty_answer() -> None:
    assert SCHEMA.filter(b"", ELEMENTS) == b""


@given(st.sets(st.sampled_from(sorted(ELEMENTS))), st.sets(st.sampled_from(sorted(ELEMENTS))))
def test_filtering_by_more_before_changes_nothing(one: set[str], other: set[str]) -> None:
    payload = json_format.ParseDict(FULL, Answer()).SerializeToString()
    wider = SCHEMA.filter(payload, frozenset(one | other))
    assert SCHEMA.filter(wider, frozenset(one)) == SCHEMA.filter(payload, frozenset(one))


def test_question_of_the_declared_message_is_taken() -> None:
    SCHEMA.check_question(json_format.ParseDict({"limit": 3}, Question()).SerializeToString())
    SCHEMA.check_question(b"")


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (b"\x0a\xff", "question"),
        (b"\xca\x3e\x03abc", "question"),
        (b"\x10\xff\x01", "question.limit"),
    ],
)
def test_question_that_is_not_the_declared_message_is_refused(payload: bytes, field: str) -> None:
    with pytest.raises(CrossroadsError) as raised:
        SCHEMA.check_question(payload)
    assert raised.value.reason is Reason.INVALID_PAYLOAD
    assert [each.field for each in raised.value.fields] == [field]


def test_rules_of_one_version_do_not_reach_another_with_the_same_names() -> None:
    fields = {**EMPLOYMENT["Question"], "employer": (1, "string", ""), "limit": (2, "string", "")}
    other = schema({**EMPLOYMENT, "Question": fields} | {"Question": {"any": (2, "uint32", "")}})
    names = {"question_message": f"{PACKAGE}.Question", "answer_message": f"{PACKAGE}.Answer"}
    SCHEMA.check_question(b"")
    ExchangeSchema(**names, schema=other).check_question(b"\x10\xff\x01")


@pytest.mark.parametrize(
    ("described", "question"),
    [(b"\xff", "Question"), (schema(), "Missing")],
    ids=["octets", "name"],
)
def test_unusable_schema_is_refused(described: bytes, question: str) -> None:
    with pytest.raises(SchemaError):
        ExchangeSchema(
            question_message=f"{PACKAGE}.{question}",
            answer_message=f"{PACKAGE}.Answer",
            schema=described,
        )
