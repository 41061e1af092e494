"""The wiring of the log: store, keys, sequencer, tree, server."""

import asyncio
import logging

from crossroads.logging.v1 import logging_service_pb2, logging_service_pb2_grpc
from services.logging.config import Config
from services.logging.evidence_wiring import serve_evidence
from services.logging.model import microseconds
from services.logging.parts import Parts
from services.logging.publication import show
from services.logging.published import CheckpointFile
from services.logging.sealing import KeyRing
from services.logging.sequencer import Limits
from services.logging.servicer import LoggingServicer
from services.logging.store import LogStore
from services.runtime.clock import Clock
from services.runtime.directory import Directory, replica
from services.runtime.errors import CrossroadsError
from services.runtime.process import Runtime, run

KEYS_SECONDS = 60.0

_logger = logging.getLogger(__name__)


async def start(config: Config, runtime: Runtime) -> None:
    """Take the log over, make the receipt key a leaf of it, then serve."""
    store = await LogStore.open(
        await runtime.database(), config.origin, commit_seconds=config.commit_seconds
    )
    parts = Parts(
        store=store,
        vault=runtime.vault,
        copy=CheckpointFile(path=config.checkpoint_file),
        origin=config.origin,
        checkpoint_key=config.checkpoint_key,
        limits=Limits(config.batch_entries, config.waiting_entries, config.waiting_bytes),
        clock=runtime.clock,
        ids=runtime.ids,
    )
    await parts.keys.prepare(runtime.clock.now())
    directory = replica(channel=runtime.channel("registry"), clock=runtime.clock)
    runtime.server.directory = roles = Directory(rows=directory)
    runtime.tasks.spawn("replica-directory", directory.run())
    await _take_over(runtime, parts, store)
    await _serve(config, runtime, parts, store, roles)


async def _take_over(runtime: Runtime, parts: Parts, store: LogStore) -> None:
    """Be the one sequencer, and keep what the log needs going."""
    sequencer = parts.sequencer
    runtime.health.watch("log", lambda: sequencer.open)
    runtime.health.watch("checkpoint_copy", lambda: parts.checkpoints.copied)
    runtime.tasks.spawn("sequencer", sequencer.run())
    runtime.tasks.spawn("keys", _keep(parts.keys, runtime.clock))
    runtime.health.standing_by = True
    await sequencer.opened()  # a standby waits here, and is not serving
    runtime.health.standing_by = False
    await parts.sweeper.prepare()
    # Of what the last process left: the log may be stale without it.
    await parts.checkpoints.insist()
    entering = parts.receipts.enter(sequencer, store)
    if sequencer.size:
        await entering
    else:  # the genesis is leaf 0, and nobody can exchange before it
        runtime.tasks.spawn("receipt-key", entering, ends=True)
    runtime.tasks.spawn("checkpoints", parts.checkpoints.run())
    runtime.tasks.spawn("sweeper", parts.sweeper.run())
    metrics, now = runtime.telemetry.metrics, runtime.clock.now
    metrics.gauge("crossroads.log.size", lambda: float(sequencer.size), unit="{entry}")
    metrics.gauge(
        "crossroads.log.behind", lambda: parts.checkpoints.behind(microseconds(now())), unit="s"
    )


async def _serve(
    config: Config, runtime: Runtime, parts: Parts, store: LogStore, roles: Directory
) -> None:
    """The log to its appenders, and to everybody what is public of it."""
    checkpoints, proofs, tree = parts.checkpoints, parts.proofs, parts.tree
    await show(config, runtime, checkpoints=checkpoints, proofs=proofs, store=store, tree=tree)
    runtime.server.add(
        logging_service_pb2_grpc.add_LoggingServiceServicer_to_server,
        LoggingServicer(sequencer=parts.sequencer, proofs=proofs, listed=parts.receipts.listed),
        logging_service_pb2.DESCRIPTOR.services_by_name["LoggingService"],
    )
    serve_evidence(
        runtime,
        store=store,
        keys=parts.keys,
        log=parts.sequencer,
        roles=roles,
        retention=config.retention,
    )


async def _keep(keys: KeyRing, clock: Clock) -> None:
    """Have the keys that a standby needs at once when it takes over, for months if need be."""
    while True:
        await asyncio.sleep(KEYS_SECONDS)
        try:
            await keys.prepare(clock.now())
        except CrossroadsError as error:
            _logger.warning("keys of the month not prepared: %s", error.message)


def main() -> None:
    """Run the service."""
    run(Config, start)


if __name__ == "__main__":
    main()
