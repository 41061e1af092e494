"""Publisher as a process: `python -m services.publisher --config FILE`."""

from pathlib import Path

from services.publisher.config import Config
from services.publisher.log import Log
from services.publisher.model import Collection
from services.publisher.operations import Owner, Publisher
from services.publisher.peers import Authorizations, Catalogue, Indicators, Publication
from services.runtime.channel import Channel
from services.runtime.process import Runtime, run
from services.runtime.webclient import WebClient

PUBLICATION = "publication"


async def start(config: Config, runtime: Runtime) -> None:
    """Wire the process: one loop for each collection, and no server."""
    clock = runtime.clock
    public = Publication(channel=publication(config, runtime))
    owners: list[tuple[Collection, Owner, float]] = [
        (
            Collection.AUTHORIZATIONS,
            Authorizations(channel=runtime.channel("authorization"), clock=clock),
            config.authorizations_seconds,
        ),
        (
            Collection.CATALOGUE,
            Catalogue(channel=runtime.channel("registry"), clock=clock),
            config.catalogue_seconds,
        ),
        (
            Collection.INDICATORS,
            Indicators(channel=runtime.channel("logging"), clock=clock),
            config.indicators_seconds,
        ),
    ]
    if config.log_url:
        client = WebClient(url=config.log_url)
        runtime.on_stop(client.close)
        owners.append((Collection.LOG, Log(client=client, clock=clock), config.log_seconds))
    for collection, owner, seconds in owners:
        loop = Publisher(collection=collection, owner=owner, public=public, seconds=seconds)
        runtime.health.watch(collection, lambda loop=loop: loop.healthy)  # type: ignore[misc]
        runtime.tasks.spawn(collection, loop.run())


def publication(config: Config, runtime: Runtime) -> Channel:
    """The channel to the public cloud: to that name, of that issuer, and to nobody else."""
    if not config.publication_authority:
        return runtime.channel(PUBLICATION)
    channel = Channel(
        target=config.runtime.peers[PUBLICATION],
        name=PUBLICATION,
        certificates=runtime.certificates,
        trust=Path(config.publication_authority).read_bytes(),
        telemetry=runtime.telemetry,
    )
    runtime.on_stop(channel.close)
    return channel


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
