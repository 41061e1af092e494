"""The saved population, and what the demo institutions answer from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message

from services.institution import sources
from services.institution.population import (
    Employment,
    Integration,
    Person,
    Population,
    Replacement,
    Store,
    generate,
    save,
)
from services.institution.sector import Service, load, schemas
from services.institution.sources import HANDLERS, Asked, Period

SECTOR = load()


@pytest.fixture(scope="module")
def population() -> Population:
    return generate(1200, 11)


@pytest.fixture(scope="module")
def store(population: Population, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("population") / "population.sqlite"
    save(population, path)
    with Store(path=path) as opened:
        yield opened


def ask(
    store: Store,
    service: str,
    subject: str,
    *,
    institution: str = "",
    period: Period = Period(),  # noqa: B008 - frozen
    **question: str,
) -> Message | None:
    described = SECTOR.service(service)
    institution = institution or described.sources[0].partition("/")[0]
    message = schemas.message_class(described.question)(**question)
    return HANDLERS[service](Asked(store, institution, message, subject, period))


def test_what_was_saved_is_read_back(store: Store, population: Population) -> None:
    assert tuple(store.all(Person)) == population.persons
    assert tuple(store.all(Integration)) == population.integrations
    assert tuple(store.all(Replacement)) == population.replacements
    assert store.subjects() == population.subjects
    assert store.summary() == population.summary()
    assert (store.seed, store.as_of) == (11, population.as_of)


def test_saving_again_replaces_the_file_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "population.sqlite"
    save(generate(60, 1), path)
    save(generate(70, 2), path)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    with Store(path=path) as store:
        assert store.summary()["persons"] == 70


def test_a_missing_population_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="crossroads population"):
        Store(path=tmp_path / "none.sqlite")


def test_a_column_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="no column"):
        store.rows(Employment, by="niss; DROP TABLE persons", key="")


@pytest.mark.parametrize("service", SECTOR.services, ids=lambda service: service.id)
def test_somebody_is_answered_by_every_source_with_the_declared_message(
    store: Store, service: Service
) -> None:
    for source in service.sources:
        institution = source.partition("/")[0]
        answers = [
            ask(store, service.id, subject, institution=institution)
            for capacity in service.source_capacities
            if (subject := store.integrated_in((institution, capacity)))
        ]
        assert answers, source
        assert all(one is not None for one in answers)
        assert {one.DESCRIPTOR.full_name for one in answers if one} == {service.answer}


def test_nobody_is_answered_for_an_unknown_key(store: Store) -> None:
    for service in SECTOR.services:
        assert ask(store, service.id, store.subjects().unknown) is None


def test_the_onss_sends_more_than_capac_is_granted(store: Store) -> None:
    answer = ask(store, "employment_periods", store.subjects().demo)
    assert answer is not None
    grant = next(
        one
        for one in SECTOR.grants
        if (one.institution, one.service) == ("capac", "employment_periods")
    )
    sent = schemas.elements_in(answer)
    assert "employment.dmfa.remuneration_amount" in sent
    assert set(grant.elements) & sent
    assert sent - set(grant.elements)


def test_a_quarter_outside_the_granted_period_is_not_answered(store: Store) -> None:
    subject = store.subjects().demo
    answer = ask(store, "employment_periods", subject, period=Period("2026-01-01", "2026-06-30"))
    assert {record.quarter for record in answer.records} == {"2026/1", "2026/2"}  # type: ignore[union-attr]


def test_the_quarters_asked_are_the_quarters_answered(store: Store) -> None:
    subject = store.subjects().demo
    answer = ask(
        store, "employment_periods", subject, from_quarter="2026/2", until_quarter="2026/2"
    )
    assert {record.quarter for record in answer.records} == {"2026/2"}  # type: ignore[union-attr]


def test_a_source_without_data_in_the_period_has_nothing(store: Store) -> None:
    subject = store.subjects().demo
    assert (
        ask(store, "employment_periods", subject, period=Period("2003-01-01", "2003-12-31")) is None
    )
    assert ask(store, "dimona", subject, until_date="2003-12-31") is None


def test_a_fund_answers_for_its_own_members_only(store: Store) -> None:
    member = store.integrated_in(("mc", "11/1"))
    assert member is not None
    assert ask(store, "insurability", member, institution="mc") is not None
    assert ask(store, "insurability", member, institution="caami") is None


def test_each_register_answers_for_its_own_persons_only(store: Store) -> None:
    foreign = store.integrated_in(("bcss", "OWN/REGISTER"))
    assert foreign is not None
    assert ask(store, "person_data", foreign, institution="bcss") is not None
    assert ask(store, "person_data", foreign, institution="rn") is None


def test_a_day_before_the_address_began_has_no_answer(store: Store) -> None:
    subject = store.subjects().demo
    assert ask(store, "address", subject, on="1950-01-01") is None
    assert ask(store, "address", subject, on=store.as_of) is not None


def test_a_day_that_is_not_granted_has_no_answer(store: Store) -> None:
    subject = store.subjects().demo
    later = Period("2100-01-01", "")
    assert ask(store, "address", subject, on=store.as_of, period=later) is None


def test_sources_answer_only_what_the_catalogue_names(store: Store) -> None:
    assert set(sources.handlers_of("onss/dmfa")) == {("employment_periods", 1)}
    assert set(sources.handlers_of("capac/payments")) == set()
