"""Routing as a process: `python -m services.routing --config FILE`."""

from pathlib import Path

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.authorization.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from crossroads.identity.v1 import identity_service_pb2 as identity
from crossroads.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from crossroads.routing.v1 import (
    reference_directory_service_pb2,
    reference_directory_service_pb2_grpc,
    routing_service_pb2,
    routing_service_pb2_grpc,
)
from services.routing.answers import Answers
from services.routing.config import Config
from services.routing.declarations import Declarations
from services.routing.early import EarlyRefusals
from services.routing.inquiries import Inquiries
from services.routing.log import LogStream
from services.routing.model import Caller
from services.routing.operations import Exchanges
from services.routing.peers import DirectoryInstitutions, IdentityKeys, well_formed
from services.routing.replicas import Replicas
from services.routing.reports import Reports
from services.routing.secret import question_key
from services.routing.servicer import ReferenceDirectoryServicer, RoutingServicer
from services.routing.sources import Sources, Way
from services.routing.store import Integrations, WrappedKeys
from services.runtime.channel import Channel
from services.runtime.directory import replica as directory_replica
from services.runtime.process import Runtime, run
from services.runtime.watch.replica import watching


def replicas_of(runtime: Runtime) -> Replicas:
    """The tables that others own, each followed by a task of its own."""
    owner = RegistryServiceStub(runtime.channel("registry"))
    grants = AuthorizationServiceStub(runtime.channel("authorization"))
    keys = IdentityServiceStub(runtime.channel("identity"))
    directory = directory_replica(
        connect=watching(owner.WatchDirectory, registry.WatchDirectoryRequest),
        clock=runtime.clock,
    )
    replicas = Replicas(
        grants=watching(grants.WatchGrants, authorization.WatchGrantsRequest),
        catalogue=watching(owner.WatchCatalogue, registry.WatchCatalogueRequest),
        replacements=watching(keys.WatchReplacements, identity.WatchReplacementsRequest),
        directory=directory,
        clock=runtime.clock,
    )
    for name, each in (("directory", directory), *replicas.own):
        runtime.tasks.spawn(f"replica-{name}", each.run())
    runtime.server.directory = replicas.directory
    return replicas


def sources_of(config: Config, runtime: Runtime, replicas: Replicas) -> Sources:
    """The authentic sources: where the directory says, trusted as institutions."""
    trust = Path(config.runtime.trust.institutions).read_bytes()

    def connect(source: Caller, address: str) -> Way:
        channel = Channel(
            target=address,
            name=f"{source.application}.{source.institution}",
            certificates=runtime.certificates,
            trust=trust,
            telemetry=runtime.telemetry,
        )
        return Way(channel=channel)

    return Sources(address_of=replicas.address, connect=connect, clock=runtime.clock)


async def start(config: Config, runtime: Runtime) -> None:
    """Wire the service: replicas and the log first, then what rests on them."""
    database = await runtime.database()
    replicas = replicas_of(runtime)
    log = LogStream(
        connect=LoggingServiceStub(runtime.channel("logging")).AppendStream,
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
    integrations = Integrations(database=database)
    exchanges = Exchanges(
        tables=replicas,
        directory=integrations,
        log=log,
        inquiries=Inquiries(sources=sources_of(config, runtime, replicas)),
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
        routing_service_pb2_grpc.add_RoutingServiceServicer_to_server,
        routing,
        routing_service_pb2.DESCRIPTOR.services_by_name["RoutingService"],
        malformed=routing.malformed,
    )
    runtime.server.add(
        reference_directory_service_pb2_grpc.add_ReferenceDirectoryServiceServicer_to_server,
        ReferenceDirectoryServicer(declarations=declarations, clock=runtime.clock),
        reference_directory_service_pb2.DESCRIPTOR.services_by_name["ReferenceDirectoryService"],
    )


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
