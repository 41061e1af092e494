"""Many questions: the indexed decision against its specification, and against Cedar."""

from __future__ import annotations

import random
from datetime import datetime

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.bench import cedar
from services.policy.decide import decide
from services.policy.index import GrantTable
from services.policy.model import Grant, Request
from tests.unit.policy import naive
from tests.unit.policy.tables import ELEMENTS, asked, tables

SEEDS = st.integers(0, 2**32)
QUESTIONS = 100
"""For each table: with 1,000 tables and more, 10⁵ questions; in the long campaign 10⁶."""

Question = tuple[Request, datetime, datetime]


def _questions(rows: list[Grant], seed: int, count: int = QUESTIONS) -> list[Question]:
    dice = random.Random(seed)
    return [asked(dice, rows) for _ in range(count)]


def _compare(rows: list[Grant], seed: int) -> None:
    table = GrantTable.of(rows, 7, b"digest")
    for request, valid_at, known_at in _questions(rows, seed):
        expected = naive.decide(request, rows, valid_at, known_at, 7, b"digest")
        assert decide(request, table, valid_at, known_at) == expected


@pytest.mark.parametrize("part", range(2))
def test_a_hundred_thousand_decisions_are_what_the_specification_says(part: int) -> None:
    @settings(max_examples=520, deadline=None, database=None)
    @given(tables, SEEDS)
    def campaign(rows: list[Grant], seed: int) -> None:
        _compare(rows, seed ^ part)

    campaign()


@pytest.mark.long
@pytest.mark.parametrize("part", range(2))
def test_a_million_decisions_are_what_the_specification_says(part: int) -> None:
    @settings(max_examples=5100, deadline=None, database=None)
    @given(tables, SEEDS)
    def campaign(rows: list[Grant], seed: int) -> None:
        _compare(rows, seed ^ part)

    campaign()


@settings(max_examples=170, deadline=None)
@given(tables, SEEDS)
def test_cedar_judges_each_data_element_of_the_same_grants_alike(
    rows: list[Grant], seed: int
) -> None:
    """15 questions for each of 170 tables, four elements each: more than 10⁴ cases."""
    table = GrantTable.of(rows)
    policies = cedarpy.PolicySet.from_str(cedar.policies(rows))
    entities = cedarpy.Entities.from_json_str(cedar.entities(rows))
    for request, valid_at, known_at in _questions(rows, seed, 15):
        told = cedarpy.is_authorized_batch(
            cedar.requests(request, ELEMENTS, valid_at, known_at), policies, entities
        )
        permitted = {e for e, each in zip(ELEMENTS, told, strict=True) if each.allowed}
        if request.elements:
            permitted &= request.elements
        assert set(decide(request, table, valid_at, known_at).elements) == permitted
