"""The table: persistent, and the same whether built at once, in pieces or by changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.decide import decide
from services.policy.index import GrantTable, GrantTableBuilder, Interner
from services.policy.model import Grant, Request, Way
from tests.unit.policy.tables import START, ids, requests, rows, tables

GRANT = Grant(
    id="g",
    deliberation="20/096",
    institution="capac",
    service="address",
    elements=frozenset("a"),
    purpose="right",
    ways=frozenset({Way.ONLINE}),
    valid_from=START,
    recorded_from=START,
)

changes = st.lists(
    st.one_of(rows.map(lambda r: (r.id, r)), ids.map(lambda i: (i, None))), max_size=20
)


@settings(deadline=None)
@given(tables, st.lists(changes, max_size=4), requests)
def test_changes_give_the_table_that_a_snapshot_would(
    start: list[Grant], batches: list[list[tuple[str, Grant | None]]], request: Request
) -> None:
    table, content = GrantTable.of(start), {g.id: g for g in start}
    for version, batch in enumerate(batches, 1):
        before, kept = table, dict(content)
        table = table.apply(batch, version, bytes([version]))
        for key, row in batch:
            content.pop(key, None)
            if row is not None:
                content[key] = row
        assert {g.id: g for g in before} == kept
        assert {g.id: g for g in table} == content
        assert len(table) == len(content)
        whole = GrantTable.of(content.values(), version, bytes([version]))
        assert decide(request, table, START, START) == decide(request, whole, START, START)
        old = GrantTable.of(kept.values(), before.version, before.digest)
        assert decide(request, before, START, START) == decide(request, old, START, START)


def test_table_in_pieces_is_the_table_at_once() -> None:
    all_rows = [replace(GRANT, id=f"g{n}", institution=f"i{n % 3}") for n in range(10)]
    builder = GrantTableBuilder()
    for start in range(0, 10, 4):
        builder.add(all_rows[start : start + 4])
    table = builder.finish(5, b"d")
    assert (len(table), table.version, table.digest) == (10, 5, b"d")
    assert set(table) == set(all_rows)


def test_change_leaves_other_buckets_as_they_were() -> None:
    other = replace(GRANT, id="o", institution="onem")
    table = GrantTable.of([GRANT, other])
    after = table.apply([("g", None)], 2, b"")
    assert after.services("onem")[0] is table.services("onem")[0]
    assert not after.services("capac")
    assert table.get("g") == GRANT
    assert after.get("g") is None


def test_moved_row_is_found_under_its_new_institution_only() -> None:
    moved = replace(GRANT, institution="onem")
    table = GrantTable.of([GRANT]).apply([("g", moved)], 1, b"")
    assert [list(each) for each in table.services("onem")] == [["address"]]
    assert not table.services("capac")


def test_group_that_no_row_names_any_more_leaves_nothing() -> None:
    members = frozenset({"capac", "onem"})
    row = replace(GRANT, institution="", institutions=members, group_name="some")
    other = replace(row, id="o", institutions=members | {"cpas"})
    table = GrantTable.of([row, other])
    assert len(table.services("capac")) == 2
    one = table.apply([("g", None)], 1, b"")
    assert [len(one.services(each)) for each in ("capac", "cpas")] == [1, 1]
    none = one.apply([("o", None)], 2, b"")
    assert not none._groups
    assert not none._buckets
    assert len(table.services("capac")) == 2


def test_same_id_with_different_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        GrantTable.of([GRANT, replace(GRANT, purpose="other")])


def test_change_whose_id_is_not_that_of_its_row_is_refused() -> None:
    with pytest.raises(ValueError, match="not that of the row"):
        GrantTable.of([]).apply([("x", GRANT)], 1, b"")


def test_equal_sets_become_one_object() -> None:
    interner = Interner()
    assert interner.set(["a", "b"]) is interner.set(("a", "b"))
    assert interner.set(["a", "b"]) == {"a", "b"}
    assert interner.ways(["online"]) is interner.ways(["online"])
    assert interner.ways(["online", "batch"]) == {Way.ONLINE, Way.BATCH}
    assert interner.string("x" * 3) == "xxx"
