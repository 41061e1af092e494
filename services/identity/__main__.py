"""Identity as a process: `python -m services.identity --config FILE`."""

from crossroads.identity.v1 import identity_service_pb2
from crossroads.identity.v1.identity_service_pb2_grpc import (
    add_IdentityServiceServicer_to_server,
)
from services.identity.config import Config
from services.identity.operations import Identity
from services.identity.peers import LoggingJournal
from services.identity.servicer import IdentityServicer
from services.identity.store import IdentityStore
from services.runtime.directory import Directory, replica
from services.runtime.process import Runtime, run
from services.runtime.watch.owner import Table


async def start(_: Config, runtime: Runtime) -> None:
    """Wire the service: its keys, and the table of replacements that routing follows."""
    database = await runtime.database()
    replacements = Table(name="replacements", database=database, clock=runtime.clock)
    await replacements.load()
    directory = replica(channel=runtime.channel("registry"), clock=runtime.clock)
    runtime.server.directory = Directory(rows=directory)
    runtime.tasks.spawn("replica-directory", directory.run())
    store = IdentityStore(database=database, replacements=replacements)
    identity = Identity(
        store=store,
        journal=LoggingJournal(channel=runtime.channel("logging")),
        secret=await store.secret(),
        clock=runtime.clock,
    )
    runtime.server.add(
        add_IdentityServiceServicer_to_server,
        IdentityServicer(identity=identity, replacements=replacements),
        identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"],
    )


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
