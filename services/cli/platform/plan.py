"""What the supervisor keeps running besides PostgreSQL and OpenBao, as data that outlives it.

Contract: the six services, unless told otherwise, and what was added; kept in `run/plan.json`. What
is added replaces what has the same name. Texts may hold `{port:NAME}` (a port of ports.json, chosen
when first named), `{home}` and `{python}` (our interpreter), filled in at each start.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from services.cli.platform.home import SERVICES, Home, write
from services.cli.platform.ports import LOOPBACK

PORT = re.compile(r"\{port:([A-Za-z0-9._-]+)\}")


@dataclass(frozen=True)
class ProcessSpec:
    """One process. `health` is the host:port of its gRPC health service, "" when it has none.

    `config` is written to config/<name>.toml before each start. A process is started when those
    that it depends on are SERVING.
    """

    name: str
    argv: tuple[str, ...]
    config: str = ""
    health: str = ""
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What runs, and whose certificates the supervisor keeps fresh for the demo.

    `services` are ours; `processes`, by name, run beside them.
    """

    services: tuple[str, ...] = SERVICES
    processes: Mapping[str, ProcessSpec] = field(default_factory=dict)
    applications: tuple[tuple[str, str], ...] = ()
    persons: tuple[str, ...] = ()
    revision: int = 0

    def with_more(
        self,
        processes: tuple[ProcessSpec, ...] = (),
        applications: tuple[tuple[str, str], ...] = (),
        persons: tuple[str, ...] = (),
    ) -> "Plan":
        """This plan with more in it; the same plan when nothing is new."""
        more = replace(
            self,
            processes={**self.processes, **{each.name: each for each in processes}},
            applications=tuple(sorted({*self.applications, *applications})),
            persons=tuple(sorted({*self.persons, *persons})),
        )
        return self if more == self else replace(more, revision=self.revision + 1)

    @property
    def specs(self) -> dict[str, ProcessSpec]:
        """Everything that runs, by name."""
        return {name: service(name) for name in self.services} | dict(self.processes)

    def ports(self) -> set[str]:
        """Every port that a text of the plan names."""
        texts = [
            text for each in self.specs.values() for text in (*each.argv, each.config, each.health)
        ]
        return {name for text in texts for name in PORT.findall(text)}


def load(home: Home) -> Plan:
    """The plan of this home."""
    try:
        content = json.loads(_file(home).read_text())
    except (OSError, ValueError):
        return Plan()
    return Plan(
        services=tuple(content["services"]),
        processes={name: _spec(each) for name, each in content["processes"].items()},
        applications=tuple((one, other) for one, other in content["applications"]),
        persons=tuple(content["persons"]),
        revision=content["revision"],
    )


def kept(home: Home) -> bool:
    """Whether this home's platform was ever started."""
    return _file(home).exists()


def save(home: Home, plan: Plan) -> None:
    """Keep the plan for the supervisor, now and at the next start."""
    write(_file(home), json.dumps(asdict(plan), indent=2))


def service(name: str) -> ProcessSpec:
    """One of our services; its configuration comes from configuration.py."""
    return ProcessSpec(
        name=name,
        argv=("{python}", "-m", f"services.{name}", "--config", f"{{home}}/config/{name}.toml"),
        health=f"{LOOPBACK}:{{port:{name}-health}}",
    )


def fill(text: str, home: Home, ports: Mapping[str, int]) -> str:
    """A text of the plan with its ports and its home."""
    filled = PORT.sub(lambda match: str(ports[match[1]]), text)
    return filled.replace("{home}", str(home.path)).replace("{python}", sys.executable)


def _spec(content: dict[str, Any]) -> ProcessSpec:
    argv, depends_on = tuple(content["argv"]), tuple(content["depends_on"])
    return ProcessSpec(**content | {"argv": argv, "depends_on": depends_on})


def _file(home: Home) -> Path:
    return home.run / "plan.json"
