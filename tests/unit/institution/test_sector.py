"""The demo sector: its data fit together, and every row says where it comes from."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from crossroads.options.v1 import options_pb2
from services.institution import sector, sources
from services.institution.sector import Grade, Grant, Service, schemas

SECTOR = sector.load()
FIRST_DAY_OF_THE_DEMO = date(2026, 11, 24)


def grant_for(application: str, service: str) -> Grant:
    institution, _, name = application.partition("/")
    found = [
        grant
        for grant in SECTOR.grants
        if (grant.institution, grant.application, grant.service) == (institution, name, service)
    ]
    assert len(found) == 1
    return found[0]


def test_the_sector_is_as_large_as_promised() -> None:
    assert len(SECTOR.institutions) >= 20
    assert len(SECTOR.elements) >= 60
    assert len(SECTOR.services) >= 8


def test_every_row_has_a_source_and_a_grade() -> None:
    codes = [code for codes in SECTOR.code_lists.values() for code in codes]
    rows: list[Any] = [
        *SECTOR.institutions,
        *SECTOR.applications,
        *SECTOR.elements,
        *codes,
        *SECTOR.services,
        *SECTOR.deliberations,
        *SECTOR.actors,
    ]
    assert all(row.provenance.source and row.provenance.grade in Grade for row in rows)


def test_every_institution_has_an_application_and_names_in_four_languages() -> None:
    with_application = {one.institution for one in SECTOR.applications}
    for institution in SECTOR.institutions:
        name = institution.name
        assert all((name.fr, name.nl, name.de, name.en)), institution.id
        assert institution.id in with_application


def test_every_element_has_labels_in_four_languages() -> None:
    for element in SECTOR.elements:
        labels = element.labels
        assert all((labels.fr, labels.nl, labels.de, labels.en)), element.id


def test_ids_are_unique() -> None:
    for ids in (
        [one.id for one in SECTOR.institutions],
        [one.path for one in SECTOR.applications],
        [one.id for one in SECTOR.elements],
        [(one.id, one.version) for one in SECTOR.services],
        [one.number for one in SECTOR.deliberations],
        [one.id for one in SECTOR.grants],
        [one.id for one in SECTOR.actors],
        [(one.list, one.code) for codes in SECTOR.code_lists.values() for one in codes],
    ):
        assert len(ids) == len(set(ids))


def test_invented_deliberations_are_marked_as_ours() -> None:
    for deliberation in SECTOR.deliberations:
        if deliberation.number.startswith("D/"):
            assert deliberation.provenance.grade is Grade.C
            assert "ours" in deliberation.provenance.source


def test_no_grant_goes_beyond_the_scope_of_its_deliberation() -> None:
    for one in SECTOR.deliberations:
        allowed = one.scope
        assert all(SECTOR.institution(recipient) for recipient in allowed.recipients)
        for grant in (each for each in one.grants if not each.prohibition):
            assert grant.institution in allowed.recipients, grant.id
            assert set(grant.elements) <= set(allowed.elements), grant.id
            assert grant.purpose in allowed.purposes, grant.id
            if allowed.valid_until is not None:
                assert grant.valid_until is not None
                assert grant.valid_until <= allowed.valid_until, grant.id


@pytest.mark.parametrize("service", SECTOR.services, ids=lambda service: service.id)
def test_every_leaf_of_an_answer_holds_a_data_element(service: Service) -> None:
    def walk(message: Any) -> None:
        for field in message.fields:
            element = field.GetOptions().Extensions[options_pb2.element]
            assert bool(element) == (field.message_type is None), field.full_name
            if field.message_type is not None:
                walk(field.message_type)

    walk(schemas.message_class(service.answer).DESCRIPTOR)


@pytest.mark.parametrize("service", SECTOR.services, ids=lambda service: service.id)
def test_a_schema_can_be_read_on_its_own(service: Service) -> None:
    files = FileDescriptorSet.FromString(schemas.schema_of(service.question, service.answer))
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    assert pool.FindMessageTypeByName(service.question).full_name == service.question
    assert pool.FindMessageTypeByName(service.answer).full_name == service.answer


def test_a_message_outside_the_sector_is_unknown() -> None:
    with pytest.raises(KeyError):
        schemas.message_class("crossroads.routing.v1.ExchangeRequest")
    with pytest.raises(KeyError):
        schemas.message_class("crossroads.sector.nowhere.v1.Question")


@pytest.mark.parametrize("service", SECTOR.services, ids=lambda service: service.id)
def test_every_service_has_a_handler_for_each_of_its_sources(service: Service) -> None:
    for source in service.sources:
        assert (service.id, service.version) in sources.handlers_of(source)


def test_sources_are_the_applications_that_answer() -> None:
    assert set(sources.sources()) == {one.path for one in SECTOR.applications if one.answers}


def test_the_demo_grant_covers_only_part_of_what_the_source_sends() -> None:
    grant = grant_for("capac/payments", "employment_periods")
    assert grant.purpose == "UNEMPLOYMENT_BENEFIT"
    assert grant.caller_capacities == ("18/1",)
    assert grant.source_capacities == ("12/10",)
    assert "employment.dmfa.occupation_start" in grant.elements
    assert "employment.dmfa.remuneration_amount" not in grant.elements
    assert set(grant.elements) < set(SECTOR.service("employment_periods").elements)


def test_nothing_is_granted_to_capac_about_child_benefit() -> None:
    assert not [
        one for one in SECTOR.grants if (one.institution, one.service) == ("capac", "child_benefit")
    ]


def test_the_demo_has_an_expired_grant_a_prohibition_and_a_check_that_does_not_block() -> None:
    grants = SECTOR.grants
    assert any(one.valid_until and one.valid_until < FIRST_DAY_OF_THE_DEMO for one in grants)
    assert any(one.prohibition for one in grants)
    assert any(not one.blocking for one in grants)


def test_a_prohibition_takes_away_what_a_grant_gives() -> None:
    for prohibition in (one for one in SECTOR.grants if one.prohibition):
        assert any(
            set(one.elements) & set(prohibition.elements)
            for one in SECTOR.grants
            if not one.prohibition
            and one.institution == prohibition.institution
            and one.service == prohibition.service
        )


def test_enough_persons_act() -> None:
    assert len(SECTOR.with_role("administrator")) >= 3
    assert len(SECTOR.with_role("committee")) >= 3
    assert len(SECTOR.with_role("auditor")) >= 1
    officers = {one.institution for one in SECTOR.with_role("security_officer")}
    assert officers == {one.id for one in SECTOR.institutions}


def test_two_distinct_persons_of_the_committee_decide() -> None:
    committee = {one.id for one in SECTOR.with_role("committee")}
    for deliberation in SECTOR.deliberations:
        assert {deliberation.submitted_by, deliberation.published_by} <= committee
        assert deliberation.submitted_by != deliberation.published_by
