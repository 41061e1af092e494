"""The demo's sources as processes of the plan: at most three, each source on its own port.

Contract: data only. The catalogue names a source's address, so its port has a name of its own:
"<application>.<institution>".
"""

from collections.abc import Mapping, Sequence

from services.cli.platform.configuration import DRAIN_SECONDS, Value, toml
from services.cli.platform.plan import ProcessSpec
from services.cli.platform.ports import LOOPBACK
from services.institution.sources import sources

PROCESSES = 3


def port_name(source: str) -> str:
    """The name of a source's port; `source` is "<institution>/<application>"."""
    institution, _, application = source.partition("/")
    return f"{application}.{institution}"


def endpoint(source: str, ports: Mapping[str, int]) -> str:
    """Where a source answers, host:port."""
    return f"{LOOPBACK}:{ports[port_name(source)]}"


def processes() -> tuple[ProcessSpec, ...]:
    """The processes that hold all sources of the catalogue."""
    every = sources()
    return tuple(_process(number + 1, every[number::PROCESSES]) for number in range(PROCESSES))


def _process(number: int, held: Sequence[str]) -> ProcessSpec:
    name = f"sources-{number}"
    health = f"{LOOPBACK}:{{port:{name}-health}}"
    folders = [f"{{home}}/institutions/{each.replace('/', '.')}" for each in held]
    own: list[Mapping[str, Value]] = [
        {
            "institution": each.partition("/")[0],
            "application": each.partition("/")[2],
            "listen": f"{LOOPBACK}:{{port:{port_name(each)}}}",
            "folder": folder,
        }
        for each, folder in zip(held, folders, strict=True)
    ]
    runtime: dict[str, Value] = {
        "name": name,
        "health_listen": health,
        "run_dir": "{home}/run",
        "drain_seconds": DRAIN_SECONDS,
        "certificate": {
            "key_file": f"{folders[0]}/key.pem",
            "chain_file": f"{folders[0]}/cert.pem",
        },
        "trust": {"services": "{home}/authorities/services.pem"},
        "telemetry": {"otlp_endpoint": f"{LOOPBACK}:{{port:otlp}}"},
    }
    return ProcessSpec(
        name=name,
        argv=("{python}", "-m", "services.institution", "--config", f"{{home}}/config/{name}.toml"),
        config=toml(
            {
                "population": "{home}/population/population.sqlite",
                "sources": own,
                "runtime": runtime,
            }
        ),
        health=health,
    )
