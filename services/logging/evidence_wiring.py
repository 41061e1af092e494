"""The wiring of the log's evidence: what opens it, finds it, holds it and erases it."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from crossroads.logging.v1 import evidence_service_pb2, evidence_service_pb2_grpc
from services.logging import peers
from services.logging.deferrals import Deferrals
from services.logging.evidence import Evidence
from services.logging.evidence_servicer import EvidenceServicer, Roles
from services.logging.evidence_store import EvidenceStore
from services.logging.finder import Finder
from services.logging.holds import Holds
from services.logging.indicators import Indicators
from services.logging.journal import Appender, Journal
from services.logging.retention import Retention, Shredder
from services.logging.sealing import Custody, KeyRing
from services.logging.search import PersonKeys, Searches
from services.logging.store import LogStore
from services.logging.subjects import SubjectRoots
from services.logging.term_index import Indexer
from services.logging.uses import Uses, Words
from services.runtime.clock import Clock
from services.runtime.ids import Ids
from services.runtime.process import Runtime


class Vault(Custody, Protocol):
    """Transit, with the right to erase."""

    async def key_exists(self, key: str) -> bool:
        """Whether there is such a key: False once it was erased."""
        ...

    async def delete_key(self, key: str) -> None:
        """Erase a key."""
        ...


class EvidenceSide:
    """All parts about evidence, put together."""

    def __init__(
        self,
        *,
        store: LogStore,
        keys: KeyRing,
        vault: Vault,
        log: Appender,
        person_keys: PersonKeys,
        words: Words,
        retention: Retention,
        clock: Clock,
        ids: Ids,
    ) -> None:
        tables = EvidenceStore(database=store.database, log_id=store.log_id)
        journal = Journal(log=log)
        evidence = Evidence(store=tables, keys=keys, custody=vault)
        indexer = Indexer(store=tables, keys=keys, evidence=evidence)
        finder = Finder(store=tables, keys=keys, evidence=evidence, indexer=indexer)
        self.tables, self.journal, self._clock = tables, journal, clock
        self.evidence, self.indexer, self.finder = evidence, indexer, finder
        self.roots = SubjectRoots(store=tables, journal=journal, clock=clock)
        self._keep(keys, vault, retention, clock, ids)
        self._read(person_keys, words, clock, ids)

    def _keep(
        self, keys: KeyRing, vault: Vault, retention: Retention, clock: Clock, ids: Ids
    ) -> None:
        """What holds and what erases."""
        self.holds = Holds(
            store=self.tables,
            keys=keys,
            custody=vault,
            evidence=self.evidence,
            finder=self.finder,
            journal=self.journal,
            clock=clock,
            ids=ids,
        )
        self.shredder = Shredder(
            store=self.tables,
            keys=keys,
            custody=vault,
            holds=self.holds,
            journal=self.journal,
            retention=retention,
            clock=clock,
        )

    def _read(self, person_keys: PersonKeys, words: Words, clock: Clock, ids: Ids) -> None:
        """What answers questions."""
        self.deferrals = Deferrals(
            store=self.tables, evidence=self.evidence, journal=self.journal, clock=clock, ids=ids
        )
        self.searches = Searches(
            finder=self.finder,
            indexer=self.indexer,
            keys=person_keys,
            journal=self.journal,
            ids=ids,
        )
        self.uses = Uses(
            finder=self.finder,
            searches=self.searches,
            deferrals=self.deferrals,
            words=words,
            clock=clock,
        )

    def servicer(self, roles: Roles) -> EvidenceServicer:
        """The API over these parts."""
        return EvidenceServicer(
            searches=self.searches,
            uses=self.uses,
            deferrals=self.deferrals,
            holds=self.holds,
            erasures=self.tables,
            indicators=Indicators(store=self.tables, clock=self._clock),
            roles=roles,
        )

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs in the background, by name."""
        return {
            "terms": self.indexer.run,
            "erasure": self.shredder.run,
            "subject-roots": self.roots.run,
        }


def serve_evidence(
    runtime: Runtime,
    *,
    store: LogStore,
    keys: KeyRing,
    log: Appender,
    roles: Roles,
    retention: Retention,
) -> None:
    """Add EvidenceService to the server, and start what belongs to it."""
    replaced = peers.replacements(channel=runtime.channel("identity"), clock=runtime.clock)
    catalogue = peers.catalogue(channel=runtime.channel("registry"), clock=runtime.clock)
    purposes = peers.PurposeNames(channel=runtime.channel("registry"))
    side = EvidenceSide(
        store=store,
        keys=keys,
        vault=runtime.vault,
        log=log,
        person_keys=peers.ReplacedKeys(rows=replaced),
        words=peers.CatalogueWords(rows=catalogue, purposes=purposes),
        retention=retention,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    runtime.health.watch("evidence", lambda: side.evidence.whole)
    runtime.tasks.spawn("replica-replacements", replaced.run())
    runtime.tasks.spawn("replica-catalogue", catalogue.run())
    runtime.tasks.spawn("purposes", purposes.run())
    for name, task in side.tasks().items():
        runtime.tasks.spawn(name, task())
    runtime.server.add(
        evidence_service_pb2_grpc.add_EvidenceServiceServicer_to_server,
        side.servicer(roles),
        evidence_service_pb2.DESCRIPTOR.services_by_name["EvidenceService"],
    )
