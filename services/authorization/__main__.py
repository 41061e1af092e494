"""Authorization as a process: `python -m services.authorization --config FILE`."""

from crossroads.authorization.v1 import (
    authorization_service_pb2,
    decision_service_pb2,
    deliberation_service_pb2,
)
from crossroads.authorization.v1.authorization_service_pb2_grpc import (
    add_AuthorizationServiceServicer_to_server,
)
from crossroads.authorization.v1.decision_service_pb2_grpc import (
    add_DecisionServiceServicer_to_server,
)
from crossroads.authorization.v1.deliberation_service_pb2_grpc import (
    add_DeliberationServiceServicer_to_server,
)
from services.authorization.config import Config
from services.authorization.current import CurrentGrants, PastGrants
from services.authorization.decision_servicer import DecisionServicer
from services.authorization.decisions import Decisions
from services.authorization.deliberation_servicer import DeliberationServicer, Lives
from services.authorization.deliberations import Deliberations
from services.authorization.dossiers import Dossiers
from services.authorization.grants import Grants
from services.authorization.peers import LoggingJournal, RegistryCatalogue
from services.authorization.servicer import AuthorizationServicer
from services.authorization.standing import Standing
from services.authorization.store import AuthorizationStore
from services.runtime.process import Runtime, run
from services.runtime.watch.owner import Table


async def start(_: Config, runtime: Runtime) -> None:
    """Wire the service: it decides on its own table by the replica that routing uses."""
    database = await runtime.database()
    table = Table(name="grants", database=database, clock=runtime.clock)
    await table.load()
    registry = RegistryCatalogue(channel=runtime.channel("registry"), clock=runtime.clock)
    runtime.server.directory = registry.directory
    current = CurrentGrants(grants=table, clock=runtime.clock)
    for replica in (registry.rows, registry.entries, current.replica):
        runtime.tasks.spawn(f"replica-{replica.name}", replica.run())
    past = PastGrants(grants=table)
    decisions = Decisions(current=current, past=past, persons=registry, clock=runtime.clock)
    _serve_acts(runtime, registry, decisions, AuthorizationStore(database=database, grants=table))
    runtime.server.add(
        add_DecisionServiceServicer_to_server,
        DecisionServicer(decisions=decisions, past=past),
        decision_service_pb2.DESCRIPTOR.services_by_name["DecisionService"],
    )


def _serve_acts(
    runtime: Runtime, registry: RegistryCatalogue, decisions: Decisions, store: AuthorizationStore
) -> None:
    """What changes the table of grants."""
    journal = LoggingJournal(channel=runtime.channel("logging"))
    grants = Grants(
        store=store,
        journal=journal,
        persons=registry,
        subscribers=store.grants,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    deliberations = Deliberations(
        store=store,
        journal=journal,
        catalogue=registry,
        persons=registry,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    acts = AuthorizationServicer(
        deliberations=deliberations, grants=grants, decisions=decisions, table=store.grants
    )
    runtime.server.add(
        add_AuthorizationServiceServicer_to_server,
        acts,
        authorization_service_pb2.DESCRIPTOR.services_by_name["AuthorizationService"],
    )
    lives = _lives(runtime, registry, journal, store)
    runtime.server.add(
        add_DeliberationServiceServicer_to_server,
        DeliberationServicer(lives=lives, grants=grants, digest=acts.digest),
        deliberation_service_pb2.DESCRIPTOR.services_by_name["DeliberationService"],
    )


def _lives(
    runtime: Runtime,
    registry: RegistryCatalogue,
    journal: LoggingJournal,
    store: AuthorizationStore,
) -> Lives:
    """What happens to a deliberation, before and after its publication."""
    dossiers = Dossiers(
        store=store,
        journal=journal,
        catalogue=registry,
        persons=registry,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    standing = Standing(
        store=store,
        journal=journal,
        catalogue=registry,
        persons=registry,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    return Lives(dossiers, standing)


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
