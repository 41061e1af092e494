"""Contact as a process: `python -m services.contact --config FILE`."""

from crossroads.contact.v1 import contact_service_pb2
from crossroads.contact.v1.contact_service_pb2_grpc import add_ContactServiceServicer_to_server
from services.contact.config import Config
from services.contact.operations import Contacts
from services.contact.peers import LoggedExchanges
from services.contact.servicer import ContactServicer
from services.contact.store import ContactStore
from services.keys.person import well_formed
from services.runtime.directory import Directory, replica
from services.runtime.process import Runtime, run


async def start(_: Config, runtime: Runtime) -> None:
    """Wire the service: its contacts, who is an agent, and the log that has the exchanges."""
    database = await runtime.database()
    directory = replica(channel=runtime.channel("registry"), clock=runtime.clock)
    runtime.server.directory = Directory(rows=directory)
    runtime.tasks.spawn("replica-directory", directory.run())
    contacts = Contacts(
        store=ContactStore(database=database),
        log=LoggedExchanges(channel=runtime.channel("logging")),
        well_formed=well_formed,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    runtime.server.add(
        add_ContactServiceServicer_to_server,
        ContactServicer(contacts=contacts),
        contact_service_pb2.DESCRIPTOR.services_by_name["ContactService"],
    )


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
