"""What the charts must know of each service, as data: who calls whom, what it opens and needs.

Contract: `charts/service/placement.json` is made from what each service says of itself (its Config)
and from the classes of callers in protos/. Both sides of a call are stated independently, and must
agree: a service that calls one which admits it nowhere is an error. It is never edited; `make lint`
checks that it is current.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import Any

from services.runtime.callers import BORDER
from services.runtime.config import Placed
from tools.placed import has_database, placed
from tools.protos import ROOT
from tools.sensitivity import descriptors

FILE = ROOT / "charts" / "service" / "placement.json"


@dataclasses.dataclass
class Admitted:
    """The classes of callers of one service, over all its methods."""

    services: set[str] = dataclasses.field(default_factory=set)
    institutions: bool = False
    persons: bool = False

    def admits(self, service: str) -> bool:
        """Whether any method may be called by that service."""
        return service in self.services or ("*" in self.services and service not in BORDER)


def admitted() -> dict[str, Admitted]:
    """By service (the second part of its package), who may call it."""
    from crossroads.options.v1 import options_pb2  # noqa: PLC0415 - on the path by then

    found: dict[str, Admitted] = {}
    for file in descriptors():
        for service in file.services_by_name.values():
            one = found.setdefault(service.full_name.split(".")[1], Admitted())
            for method in service.methods:
                callers = method.GetOptions().Extensions[options_pb2.callers]
                one.services |= set(callers.services)
                one.institutions |= callers.institutions
                one.persons |= bool(callers.roles)
    return found


def table() -> dict[str, Any]:
    """What the file holds. Raises ValueError where the two sides of a call do not agree."""
    configs, rules = placed(), admitted()
    for name, config in configs.items():
        for other in config.calls:
            if not rules.get(other, Admitted()).admits(name):
                raise ValueError(
                    f"services/{name}/config.py: calls {other}, whose protos admit it nowhere"
                )
        sources = rules["institution"].admits(name)
        if sources != ("institutions" in config.outside):
            raise ValueError(
                f"services/{name}/config.py: `outside` must name institutions exactly if "
                "the protos of institution admit this service"
            )
    return {name: _one(name, configs, rules.get(name)) for name in configs}


def _one(name: str, configs: Mapping[str, type[Placed]], rule: Admitted | None) -> dict[str, Any]:
    config = configs[name]
    made = {config.http, config.state, *config.given, "runtime", ""}
    fields: Any = dataclasses.fields(config)  # type: ignore[arg-type]
    names = {field.name for field in fields}
    wrong = (made - {"runtime", ""}) - names
    if wrong:
        raise ValueError(f"services/{name}/config.py: no such setting: {', '.join(sorted(wrong))}")
    across = [other for other, each in configs.items() if name in each.outside]
    beside = {other: each for other, each in configs.items() if other not in across}
    return {
        "calls": sorted(set(config.calls) - set(config.outside)),
        "callers": sorted(other for other, each in beside.items() if name in each.calls),
        "database": has_database(name),
        "gateway": [
            *(kind for kind in ("institutions", "persons") if getattr(rule, kind, False)),
            *across,
        ],
        "given": dict(config.given),
        "grpc": rule is not None,
        "http": config.http,
        "outside": sorted(config.outside),
        "readers": sorted(other for other, each in beside.items() if name in each.reads),
        "reads": sorted(config.reads),
        "runtime": "runtime" in names,
        "settings": sorted(names - made),
        "state": config.state,
    }


def text() -> str:
    """The file as it should be."""
    return json.dumps(table(), indent=2, sort_keys=True) + "\n"


def main() -> int:
    """`python -m tools.placement`: write it; `--check`: exit 1 unless it is as it should be."""
    wanted = text()
    if "--check" not in sys.argv:
        FILE.write_text(wanted)
        return 0
    if not FILE.exists() or FILE.read_text() != wanted:
        print(f"{FILE.relative_to(ROOT)} is not as the services say: run make protos")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
