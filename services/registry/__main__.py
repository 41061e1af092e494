"""Registry as a process: `python -m services.registry --config FILE`."""

from crossroads.registry.v1 import registry_service_pb2
from crossroads.registry.v1.registry_service_pb2_grpc import (
    add_RegistryServiceServicer_to_server,
)
from services.registry import schema
from services.registry.acts import Acts
from services.registry.catalogue import Catalogue
from services.registry.config import Config
from services.registry.peers import LoggingJournal
from services.registry.servicer import RegistryServicer
from services.registry.store import RegistryStore
from services.runtime.directory import Directory
from services.runtime.process import Runtime, run
from services.runtime.watch.owner import Table


async def start(_: Config, runtime: Runtime) -> None:
    """Wire the service: registry owns the directory, so it judges its callers by its own table."""
    database = await runtime.database()
    directory = Table(name="directory", database=database, clock=runtime.clock)
    entries = Table(name="catalogue", database=database, clock=runtime.clock)
    for table in (directory, entries):
        await table.load()
        runtime.tasks.spawn(f"follow-{table.name}", table.follow())
    runtime.server.directory = Directory.of(directory)
    store = RegistryStore(database=database, directory=directory, catalogue=entries)
    acts = Acts(
        store=store,
        journal=LoggingJournal(channel=runtime.channel("logging")),
        read_schema=schema.read,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    runtime.server.add(
        add_RegistryServiceServicer_to_server,
        RegistryServicer(
            acts=acts, catalogue=Catalogue(store=store), directory=directory, entries=entries
        ),
        registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    )


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
