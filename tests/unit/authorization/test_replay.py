"""Logged decisions taken again, from the audit sections that exchanges leave."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.authorization.replay import read, replay
from services.policy.index import GrantTable
from services.policy.model import Grant
from services.runtime.errors import CrossroadsError, Reason
from tests.support.exchanges import STRANGER, World, grant, integration


class Versions:
    """A history of tables by version."""

    def __init__(self, *tables: GrantTable) -> None:
        self._tables = {table.version: table for table in tables}

    async def at(self, known_at: datetime) -> GrantTable:
        raise NotImplementedError

    async def version(self, version: int) -> GrantTable:
        try:
            return self._tables[version]
        except KeyError:
            raise LookupError(version) from None


async def audits(world: World) -> list[bytes]:
    """The audit sections of an answer, and of two refusals."""
    await world.ask()
    with pytest.raises(CrossroadsError):
        await world.ask("r2", purpose="curiosity")
    with pytest.raises(CrossroadsError):
        await world.ask("r3", subject=STRANGER)
    return [part(json.loads(entry.audit)) for entry in world.log.entries]


def part(section: dict[str, Any]) -> bytes:
    """What leaves the log for authorization: nothing that names a person."""
    return json.dumps({name: section[name] for name in ("decision", "request")}).encode()


async def test_every_logged_decision_comes_out_the_same() -> None:
    world = World()
    world.directory.integrations.append(integration("fund-a", STRANGER))
    logged = read(await audits(world))
    assert len(logged) == 4
    again = await replay(logged, Versions(world.tables.grants))
    assert [each.differences for each in again] == [()] * 4


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ((grant(valid_until=datetime(2021, 1, 1, tzinfo=UTC)),), "permitted"),
        ((grant(elements=frozenset({"employment.start"})),), "elements"),
        ((grant(), grant(id="20/096#2", purpose="other")), "failed"),
    ],
)
async def test_table_that_was_changed_behind_its_version_shows(
    table: tuple[Grant, ...], named: str
) -> None:
    world = World()
    (request, *_) = read(await audits(world))
    changed = GrantTable.of(table, 1, world.tables.grants.digest)
    (again,) = await replay([request], Versions(changed))
    assert named in [each.partition(":")[0] for each in again.differences]


async def test_digest_that_differs_shows() -> None:
    world = World()
    (request, *_) = read(await audits(world))
    changed = GrantTable.of([grant()], 1, b"\x09" * 32)
    (again,) = await replay([request], Versions(changed))
    (difference,) = again.differences
    assert difference.startswith('table_digest: logged "01')


async def test_version_that_was_never_committed_shows() -> None:
    (request, *_) = read(await audits(World()))
    (again,) = await replay([request], Versions())
    assert again.differences == ("table_version: 1 was never committed",)


async def test_section_without_a_decision_is_named() -> None:
    (good, *_) = await audits(World())
    section = json.loads(good)
    broken: list[object] = [{**section, "decision": None}, {**section, "request": {}}, [], 3]
    broken.append({**section, "decision": {**section["decision"], "table_version": -1}})
    broken.append({**section, "decision": {**section["decision"], "valid_at": "2026-01-01"}})
    broken.append({**section, "asked_subject": "85073003328"})
    for each in broken:
        with pytest.raises(CrossroadsError) as raised:
            read([good, json.dumps(each).encode()])
        assert raised.value.reason is Reason.INVALID_ARGUMENT
        assert raised.value.fields[0].field == "audits[1]"
