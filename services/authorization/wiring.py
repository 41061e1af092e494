"""The operations, each from the parts that it needs: the second page of the wiring."""

from typing import NamedTuple

from services.authorization.current import CurrentGrants
from services.authorization.deliberation_servicer import Lives
from services.authorization.deliberations import Deliberations
from services.authorization.dossiers import Dossiers
from services.authorization.exports import Exports
from services.authorization.grants import Grants
from services.authorization.peers import LoggingJournal, RegistryCatalogue
from services.authorization.previews import Previews
from services.authorization.standing import Standing
from services.authorization.store import AuthorizationStore
from services.runtime.clock import Clock
from services.runtime.ids import Ids


class Parts(NamedTuple):
    """What operations are made of."""

    store: AuthorizationStore
    journal: LoggingJournal
    registry: RegistryCatalogue
    current: CurrentGrants
    clock: Clock
    ids: Ids


def grants(parts: Parts) -> Grants:
    """The end of grants one by one."""
    return Grants(
        store=parts.store,
        journal=parts.journal,
        persons=parts.registry,
        subscribers=parts.store.grants,
        clock=parts.clock,
        ids=parts.ids,
    )


def deliberations(parts: Parts) -> Deliberations:
    """Transcription and reading."""
    return Deliberations(
        store=parts.store,
        journal=parts.journal,
        catalogue=parts.registry,
        persons=parts.registry,
        clock=parts.clock,
        ids=parts.ids,
    )


def lives(parts: Parts) -> Lives:
    """What happens to a deliberation, before and after its publication, and what is read of it."""
    dossiers = Dossiers(
        store=parts.store,
        journal=parts.journal,
        catalogue=parts.registry,
        persons=parts.registry,
        clock=parts.clock,
        ids=parts.ids,
    )
    standing = Standing(
        store=parts.store,
        journal=parts.journal,
        catalogue=parts.registry,
        persons=parts.registry,
        clock=parts.clock,
        ids=parts.ids,
    )
    previews = Previews(current=parts.current, registry=parts.registry, clock=parts.clock)
    exports = Exports(
        store=parts.store,
        current=parts.current,
        registry=parts.registry,
        journal=parts.journal,
        clock=parts.clock,
        ids=parts.ids,
    )
    return Lives(dossiers, standing, previews, exports)
