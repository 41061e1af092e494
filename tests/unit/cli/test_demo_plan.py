"""The demo's sources as processes, and the sector as what registry takes."""

from services.cli.demo import messages
from services.cli.demo.sources import PROCESSES, port_name, processes
from services.cli.platform import plan
from services.cli.platform.home import Home
from services.cli.platform.plan import Plan
from services.institution.config import Config
from services.institution.sector import load
from services.institution.sources import sources
from services.registry import schema, wire
from services.registry.model import Known, Person, Role
from services.registry.validation import validate
from services.runtime.config import load as configuration

PORTS = {port_name(each): 20000 + number for number, each in enumerate(sources())}


def test_every_source_is_in_one_of_at_most_three_processes(tmp_path: object) -> None:
    specs = processes()
    assert len(specs) == PROCESSES <= 3
    known = dict.fromkeys(Plan().with_more(specs).ports(), 1) | PORTS
    held = []
    for spec in specs:
        text = plan.fill(spec.config, Home.find(str(tmp_path)), known)
        config = configuration(Config, text)
        held += [(f"{each.institution}/{each.application}", each.listen) for each in config.sources]
        assert config.runtime.certificate is not None
    assert sorted(held) == [(each, f"127.0.0.1:{PORTS[port_name(each)]}") for each in sources()]


def test_registry_takes_the_whole_sector_in_one_act() -> None:
    changes = list(messages.changes(load(), PORTS))
    administrators = {
        each.id: Person(each.id, frozenset({Role.ADMINISTRATOR}))
        for each in load().with_role("administrator")
    }
    known = Known({}, {}, administrators, frozenset())
    validate(wire.changes_from(changes), known, schema.read)
    assert sum(each.ByteSize() for each in changes) < 4 * 1024 * 1024
    assert len(changes) <= 2000


def test_the_same_sector_gives_the_same_messages() -> None:
    first, second = (
        [each.SerializeToString(deterministic=True) for each in messages.changes(load(), PORTS)]
        for _ in range(2)
    )
    assert first == second


def test_a_deliberation_names_each_of_its_grants() -> None:
    for one in load().deliberations:
        made = messages.deliberation(one)
        assert len(made.grants) == len(one.grants)
        assert all(each.HasField("valid_from") for each in made.grants)
