"""Configuration of the services on one machine, as text."""

import tomllib
from pathlib import Path

import pytest

from services.cli.platform.configuration import Value, service_config, toml
from services.cli.platform.home import SERVICES, Home
from services.runtime.config import RuntimeConfig, load

OTHERS = ("openbao", "otlp", "logging-tiles")
PORTS = {name: number for number, name in enumerate((*OTHERS, *SERVICES), 1000)}
PORTS |= {f"{name}-health": number for number, name in enumerate(SERVICES, 2000)}


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_reads_the_configuration_written_for_it(service: str) -> None:
    home = Home(Path('/home of/one "quoted"'))
    table = tomllib.loads(service_config(home, service, PORTS))
    runtime = load(RuntimeConfig, toml(table["runtime"]))
    assert runtime.name == service
    assert runtime.listen == f"127.0.0.1:{PORTS[service]}"
    assert set(runtime.peers) == set(SERVICES) - {service}
    assert runtime.vault is not None
    assert runtime.vault.ca_file == str(home.vault_ca)
    assert runtime.database is not None
    assert runtime.database.owner == f"{service}_owner"


def test_text_survives_toml() -> None:
    table: dict[str, Value] = {
        "a": 'quote " back \\ line \n tab \t',
        "list": ["x", 'y"'],
        "n": 1,
        "b": True,
    }
    nested: dict[str, Value] = {"t": {"k-1": 0.5, "a.b": {"c": "d"}}}
    assert tomllib.loads(toml(table | nested)) == table | nested
