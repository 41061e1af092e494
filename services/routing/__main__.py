"""Routing as a process: `python -m services.routing --config FILE`."""

import asyncio
from contextlib import suppress

from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from crossroads.routing.v1 import reference_directory_service_pb2 as directory_api
from crossroads.routing.v1 import routing_service_pb2 as routing_api
from crossroads.routing.v1.reference_directory_service_pb2_grpc import (
    add_ReferenceDirectoryServiceServicer_to_server,
)
from crossroads.routing.v1.routing_service_pb2_grpc import add_RoutingServiceServicer_to_server
from services.routing.answers import Answers
from services.routing.config import Config
from services.routing.declarations import Declarations
from services.routing.early import EarlyRefusals
from services.routing.inquiries import Inquiries
from services.routing.log import LogStream
from services.routing.operations import Exchanges
from services.routing.peers import (
    DirectoryInstitutions,
    IdentityKeys,
    replicas_of,
    sources_of,
    stub,
    well_formed,
)
from services.routing.reports import Reports
from services.routing.secret import question_key
from services.routing.servicer import ReferenceDirectoryServicer, RoutingServicer
from services.routing.store import Integrations, WrappedKeys
from services.runtime.process import Runtime, run

READY_SECONDS = 5.0


async def start(config: Config, runtime: Runtime) -> None:
    """Wire the service: replicas and the log first, then what rests on them."""
    database = await runtime.database()
    replicas = replicas_of(runtime)
    runtime.health.watch("replicas", replicas.current)
    log = LogStream(
        connect=stub(LoggingServiceStub, runtime.channel("logging")).AppendStream,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    runtime.tasks.spawn("log", log.run())
    answers = Answers(clock=runtime.clock, seconds=config.kept_seconds, octets=config.kept_octets)
    early = EarlyRefusals(
        clock=runtime.clock,
        per_second=config.malformed_per_second,
        burst=config.malformed_burst,
    )
    reports = Reports(early=early, answers=answers, log=log, clock=runtime.clock, ids=runtime.ids)
    runtime.tasks.spawn("reports", reports.run())
    runtime.on_stop(reports.flush)
    integrations = Integrations(database=database)
    exchanges = Exchanges(
        tables=replicas,
        directory=integrations,
        log=log,
        inquiries=Inquiries(sources=sources_of(runtime, replicas)),
        answers=answers,
        early=early,
        check_key=well_formed,
        mac_key=await question_key(
            runtime.vault, WrappedKeys(database=database), config.question_key, runtime.clock.now()
        ),
        clock=runtime.clock,
        ids=runtime.ids,
    )
    declarations = Declarations(
        institutions=DirectoryInstitutions(replicas=replicas),
        keys=IdentityKeys(channel=runtime.channel("identity"), replicas=replicas),
        store=integrations,
        log=log,
        check_key=well_formed,
        clock=runtime.clock,
    )
    runtime.tasks.spawn("verification", declarations.verify_for_ever())
    routing = RoutingServicer(exchanges=exchanges, clock=runtime.clock)
    runtime.server.add(
        add_RoutingServiceServicer_to_server,
        routing,
        routing_api.DESCRIPTOR.services_by_name["RoutingService"],
        malformed=routing.malformed,
    )
    runtime.server.add(
        add_ReferenceDirectoryServiceServicer_to_server,
        ReferenceDirectoryServicer(declarations=declarations, clock=runtime.clock),
        directory_api.DESCRIPTOR.services_by_name["ReferenceDirectoryService"],
    )
    # Others may start later than this process: until they have, it refuses, to be asked again.
    with suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            await replicas.ready()


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
