"""Routing as a process: `python -m services.routing --config FILE`."""

import asyncio
from contextlib import suppress

from crossroads.routing.v1 import reference_directory_service_pb2 as directory_api
from crossroads.routing.v1 import reference_directory_service_pb2_grpc as directory_grpc
from crossroads.routing.v1 import routing_service_pb2 as routing_api
from crossroads.routing.v1 import routing_service_pb2_grpc as routing_grpc
from services.keys.person import well_formed
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
    log_of,
    replicas_of,
    sources_of,
)
from services.routing.replicas import Replicas
from services.routing.reports import Reports
from services.routing.secret import question_key
from services.routing.servicer import ReferenceDirectoryServicer, RoutingServicer
from services.routing.store import Integrations, Volumes, WrappedKeys
from services.runtime.process import Runtime, run

READY_SECONDS = 5.0


async def start(config: Config, runtime: Runtime) -> None:
    """Follow what others own, wire what rests on it, and wait a little until it is here."""
    replicas = replicas_of(runtime)
    await wire(config, runtime, replicas)
    # Others may start later than this process: until they have, it refuses, to be asked again.
    with suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            await replicas.ready()


async def wire(config: Config, runtime: Runtime, replicas: Replicas) -> None:
    """The database and the log, then the two APIs on them."""
    runtime.health.watch("replicas", replicas.current)
    database = await runtime.database()
    log = log_of(runtime)
    integrations = Integrations(database=database)
    mac_key = await question_key(
        runtime.vault, WrappedKeys(database=database), config.question_key, runtime.clock.now()
    )
    stores = (integrations, Volumes(database=database))
    exchanges = _exchanges(config, runtime, replicas, log=log, stores=stores, mac_key=mac_key)
    routing = RoutingServicer(exchanges=exchanges, clock=runtime.clock)
    runtime.server.add(
        routing_grpc.add_RoutingServiceServicer_to_server,
        routing,
        routing_api.DESCRIPTOR.services_by_name["RoutingService"],
        malformed=routing.malformed,
    )
    declarations = Declarations(
        institutions=DirectoryInstitutions(replicas=replicas),
        keys=IdentityKeys(channel=runtime.channel("identity"), replicas=replicas),
        store=integrations,
        log=log,
        check_key=well_formed,
        mac_key=mac_key,
        clock=runtime.clock,
    )
    runtime.tasks.spawn("verification", declarations.verify_for_ever())
    runtime.server.add(
        directory_grpc.add_ReferenceDirectoryServiceServicer_to_server,
        ReferenceDirectoryServicer(declarations=declarations, clock=runtime.clock),
        directory_api.DESCRIPTOR.services_by_name["ReferenceDirectoryService"],
    )


def _exchanges(
    config: Config,
    runtime: Runtime,
    replicas: Replicas,
    *,
    log: LogStream,
    stores: tuple[Integrations, Volumes],
    mac_key: bytes,
) -> Exchanges:
    """The exchange, with what it keeps between two of them."""
    clock, ids = runtime.clock, runtime.ids
    per_second, burst = config.malformed_per_second, config.malformed_burst
    early = EarlyRefusals(clock=clock, per_second=per_second, burst=burst)
    answers = Answers(clock=clock, seconds=config.kept_seconds, octets=config.kept_octets)
    reports = Reports(early=early, answers=answers, log=log, clock=clock, ids=ids)
    runtime.tasks.spawn("reports", reports.run())
    runtime.on_stop(reports.flush)
    return Exchanges(
        tables=replicas,
        directory=stores[0],
        volumes=stores[1],
        log=log,
        inquiries=Inquiries(sources=sources_of(runtime, replicas)),
        answers=answers,
        early=early,
        check_key=well_formed,
        mac_key=mac_key,
        clock=clock,
        ids=ids,
    )


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
