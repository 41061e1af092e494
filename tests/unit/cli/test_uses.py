""" "Who used my data" on the command line."""

from datetime import UTC, datetime

from crossroads.logging.v1 import evidence_service_pb2 as evidence
from services.cli.uses import as_json, as_text


def use(**fields: object) -> evidence.Use:
    made = evidence.Use(reason="Periods: data passed on", application="payments", **fields)  # type: ignore[arg-type]
    made.time.FromDatetime(datetime(2001, 3, 10, 12, tzinfo=UTC))
    return made


GROUP = evidence.UseGroup(
    institution="capac",
    purpose="UNEMPLOYMENT_BENEFIT",
    purpose_text="unemployment benefit",
    uses=[
        use(
            deliberations=["20/096"],
            categories=[evidence.DataCategory(element="employment.period", label="Period")],
        )
    ],
)


def test_each_group_is_a_block_with_what_a_person_wants_to_know() -> None:
    assert as_text([GROUP]).splitlines() == [
        "capac — unemployment benefit",
        "  2001-03-10 12:00:00  Periods: data passed on (payments)",
        "    deliberation 20/096",
        "    Period",
    ]


def test_what_the_platform_did_itself_says_so() -> None:
    group = evidence.UseGroup(uses=[evidence.Use(reason="looked up in the log")])
    assert as_text([group]).splitlines()[0] == "the platform"
    assert as_text([]) == "nobody, so far"


def test_a_deferred_use_says_until_when() -> None:
    deferred = use()
    deferred.deferred_until.FromDatetime(datetime(2002, 1, 1, tzinfo=UTC))
    text = as_text([evidence.UseGroup(institution="police", uses=[deferred])])
    assert "not shown before 2002-01-01" in text


def test_json_has_the_names_of_the_api() -> None:
    (group,) = as_json([GROUP])
    assert group["purpose_text"] == "unemployment benefit"
