"""Authorization as a process: `python -m services.authorization --config FILE`."""

import asyncio
from collections.abc import Collection
from typing import Any

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
from services.authorization import wiring
from services.authorization.config import Config
from services.authorization.current import CurrentGrants, PastGrants
from services.authorization.decision_servicer import DecisionServicer
from services.authorization.decisions import Decisions
from services.authorization.deliberation_servicer import DeliberationServicer
from services.authorization.peers import LoggingJournal, RegistryCatalogue
from services.authorization.servicer import AuthorizationServicer
from services.authorization.store import AuthorizationStore
from services.authorization.wiring import Parts
from services.runtime.process import Runtime, run
from services.runtime.watch.owner import Table
from services.runtime.watch.replica import Replica


async def start(_: Config, runtime: Runtime) -> None:
    """Wire the service: it decides on its own table by the replica that routing uses."""
    database = await runtime.database()
    table = Table(name="grants", database=database, clock=runtime.clock)
    await table.load()
    registry = RegistryCatalogue(channel=runtime.channel("registry"), clock=runtime.clock)
    runtime.server.directory = registry.directory
    current = CurrentGrants(grants=table, clock=runtime.clock)
    replicas = (registry.rows, registry.entries, current.replica)
    _follow(runtime, replicas)
    past = PastGrants(grants=table)
    decisions = Decisions(current=current, past=past, persons=registry, clock=runtime.clock)
    parts = Parts(
        store=AuthorizationStore(database=database, grants=table),
        journal=LoggingJournal(channel=runtime.channel("logging")),
        registry=registry,
        current=current,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    ending = wiring.grants(parts)
    acts = AuthorizationServicer(
        deliberations=wiring.deliberations(parts), grants=ending, decisions=decisions, table=table
    )
    runtime.server.add(
        add_AuthorizationServiceServicer_to_server,
        acts,
        authorization_service_pb2.DESCRIPTOR.services_by_name["AuthorizationService"],
    )
    runtime.server.add(
        add_DeliberationServiceServicer_to_server,
        DeliberationServicer(lives=wiring.lives(parts), grants=ending, digest=acts.digest),
        deliberation_service_pb2.DESCRIPTOR.services_by_name["DeliberationService"],
    )
    runtime.server.add(
        add_DecisionServiceServicer_to_server,
        DecisionServicer(decisions=decisions, past=past),
        decision_service_pb2.DESCRIPTOR.services_by_name["DecisionService"],
    )
    # It serves once this returns: without its copies it could only refuse.
    await asyncio.gather(*(each.ready() for each in replicas))


def _follow(runtime: Runtime, replicas: Collection[Replica[Any]]) -> None:
    """Keep the copies current, and tell whether they are."""
    for replica in replicas:
        runtime.tasks.spawn(f"replica-{replica.name}", replica.run())
    runtime.health.watch("replicas", lambda: all(each.lease_holds() for each in replicas))


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
