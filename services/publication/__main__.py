"""Publication as a process: `python -m services.publication --config FILE`."""

from functools import partial
from pathlib import Path

from crossroads.publication.v1 import publication_service_pb2
from crossroads.publication.v1.publication_service_pb2_grpc import (
    add_PublicationServiceServicer_to_server,
)
from services.proof.checkpoint import Checkpoint
from services.proof.policy import parse_policy
from services.publication.catalogue import CatalogueEditor
from services.publication.config import Config
from services.publication.files import FilesEditor
from services.publication.indicators import IndicatorsEditor
from services.publication.log import LogEditor
from services.publication.model import Collection
from services.publication.nobody import Nobody
from services.publication.operations import Publication
from services.publication.servicer import PublicationServicer
from services.publication.site import Site
from services.publication.store import PublicationStore
from services.runtime.process import Runtime, run
from services.runtime.web import WebServer


async def start(config: Config, runtime: Runtime) -> None:
    """Wire the service: it has a store and two servers, and no channel to anybody."""
    store = PublicationStore(database=await runtime.database())
    publication = Publication(
        store=store,
        editors={
            Collection.AUTHORIZATIONS: FilesEditor,
            Collection.CATALOGUE: CatalogueEditor,
            Collection.INDICATORS: IndicatorsEditor,
            Collection.LOG: partial(LogEditor, verify=partial(believed, config)),
        },
        clock=runtime.clock,
        most=config.push_bytes,
    )
    runtime.server.directory = Nobody(revoked=frozenset(config.revoked))
    runtime.server.add(
        add_PublicationServiceServicer_to_server,
        PublicationServicer(publication=publication),
        publication_service_pb2.DESCRIPTOR.services_by_name["PublicationService"],
    )
    site = WebServer(handler=Site(store=store), listen=config.shown_at, max_connections=1000)
    await site.start()
    runtime.on_stop(site.stop)


def believed(config: Config, note: str) -> Checkpoint:
    """The checkpoint in a note that the configured policy believes. Raises ValueError."""
    try:
        policy = parse_policy(Path(config.log_policy).read_text("utf-8"))
    except OSError:
        raise ValueError("log_policy: there is no such file here; no checkpoint is shown") from None
    return policy.verify(note, config.origin)


def main() -> None:
    """Run until told to stop."""
    run(Config, start)


if __name__ == "__main__":
    main()
