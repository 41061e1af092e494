"""Other services behind what authorization's operations need: the log, and registry's replicas."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any, NamedTuple, cast

from google.protobuf.message import DecodeError

from crossroads.options.v1 import options_pb2
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.authorization.dossiers import act_id
from services.authorization.lifecycle import Act, Actor, Dossier
from services.authorization.model import Chamber, Deliberation, PublishedGrant, described
from services.authorization.model import digest as digest_of
from services.authorization.publication import Edition, Labels, Names
from services.authorization.publishing import Alteration
from services.policy.model import instant
from services.proof import act as proof
from services.runtime.channel import Channel
from services.runtime.clock import Clock
from services.runtime.directory import Directory, Person, Row, replica
from services.runtime.journal import Journal
from services.runtime.watch.replica import Replica, watching

DRAFT_READERS = frozenset(
    {
        options_pb2.ROLE_ADMINISTRATOR,
        options_pb2.ROLE_COMMITTEE,
        options_pb2.ROLE_SECURITY_OFFICER,
        options_pb2.ROLE_AUDITOR,
    }
)
CHAMBERS = {
    Chamber.SOCIAL_SECURITY_AND_HEALTH: options_pb2.ROLE_CHAMBER_SOCIAL_SECURITY_AND_HEALTH,
    Chamber.FEDERAL_AUTHORITY: options_pb2.ROLE_CHAMBER_FEDERAL_AUTHORITY,
}
AUDITORS = frozenset({options_pb2.ROLE_AUDITOR, options_pb2.ROLE_COMMITTEE})


class LoggingJournal:
    """Appends authorization's acts: the index of a durable entry, or LOG_UNAVAILABLE.

    An entry that stands already with the same content is not appended again.
    """

    def __init__(self, *, channel: Channel) -> None:
        self._journal = Journal(channel=channel)

    async def submitted(self, deliberation: Deliberation, act_id: bytes, digest: bytes) -> int:
        """Log a submission; its index."""
        return await self._journal.append(
            proof.act(
                act_id,
                "authorization.submit",
                by=[deliberation.submitted_by],
                audit=_about(deliberation, digest),
            )
        )

    async def published(self, deliberation: Deliberation, person: str, digest: bytes) -> int:
        """Log a publication; its index."""
        return await self._journal.append(
            proof.act(
                deliberation.act_id.bytes,
                "authorization.publish",
                by=[deliberation.submitted_by, person],
                audit=_about(deliberation, digest),
            )
        )

    async def ended(self, act_id: bytes, grant: PublishedGrant, person: str, reason: str) -> int:
        """Log the end of a grant; its index."""
        audit = {"deliberation": grant.deliberation, "grant": grant.grant.id, "reason": reason}
        return await self._journal.append(
            proof.act(act_id, "authorization.revoke", by=[person], audit=audit)
        )

    async def altered(self, act_id: bytes, what: str, alteration: Alteration) -> int:
        """Log what happens to a published deliberation ("suspend", say); its index."""
        audit = {
            "deliberation": alteration.number,
            "digest": digest_of(tuple(row.grant.grant for row in alteration.opening)).hex(),
            "ended": len(alteration.ending),
            "opened": len(alteration.opening),
            "reason": alteration.reason,
        }
        return await self._journal.append(
            proof.act(act_id, f"authorization.{what}", by=[alteration.person], audit=audit)
        )

    async def exported(self, act_id: bytes, by: str, edition: Edition, digest: bytes) -> int:
        """Log an edition of the publication with the digest of its files; its index."""
        audit = {
            "digest": digest.hex(),
            "table": {"digest": edition.digest.hex(), "version": edition.version},
        }
        return await self._journal.append(
            proof.act(act_id, "authorization.export", by=[by], audit=audit)
        )

    async def acted(self, dossier: Dossier, act: Act) -> int:
        """Log the next act on a dossier; its index."""
        draft = dossier.draft
        audit = {
            "digest": digest_of(draft.grants).hex(),
            "dossier": str(dossier.id),
            "institution": dossier.institution,
            "outcome": act.outcome,
            "scope": described(draft.scope),
            "text": _fixed(act.text),
            "texts": _fixed(draft.text_fr, draft.text_nl, draft.text_de),
        }
        place = act_id(dossier.id, str(len(dossier.acts) + 1))
        return await self._journal.append(
            proof.act(place, f"authorization.dossier.{act.step}", by=[act.by], audit=audit)
        )


class RegistryCatalogue:
    """What registry says, from replicas: institutions, applications, services, data elements."""

    def __init__(self, *, channel: Channel, clock: Clock) -> None:
        stub: Any = cast("Any", RegistryServiceStub)(channel)  # it looks like gRPC\'s
        self.rows: Replica[Row] = replica(channel=channel, clock=clock)
        self._stub = stub
        self.entries: Replica[Listed] = Replica(
            name="catalogue",
            connect=watching(stub.WatchCatalogue, registry.WatchCatalogueRequest),
            decode=read_listed,
            clock=clock,
        )
        self.directory = Directory(rows=self.rows)

    def require(self) -> None:
        """Raise LEASE_EXPIRED if what is known here may be out of date."""
        self.rows.require()
        self.entries.require()

    def institution_of(self, person: str) -> str | None:
        """Whom a person acts for; "" for the platform, None for a stranger."""
        return self.directory.institution_of(person)

    def reads_drafts(self, person: str) -> bool:
        """Whether a person works on deliberations that are not published yet."""
        return not DRAFT_READERS.isdisjoint(self.directory.roles(person))

    def actor(self, person: str) -> Actor:
        """Who that is; of no institution "?" and in no chamber where nobody knows."""
        found = self.directory.person(person)
        if found is None:
            return Actor(person, "?")
        return Actor(
            person,
            found.institution,
            frozenset(chamber for chamber, role in CHAMBERS.items() if role in found.roles),
            options_pb2.ROLE_COMMITTEE in found.roles,
        )

    def sitting(self, chamber: Chamber) -> dict[str, Actor]:
        """The members of a chamber by id."""
        wanted = {options_pb2.ROLE_COMMITTEE, CHAMBERS[chamber]}
        return {
            row.id: self.actor(row.id)
            for _, row in self.rows.items()
            if isinstance(row, Person) and wanted <= row.roles
        }

    def audits(self, person: str) -> bool:
        """Whether a person may see the decisions on every institution."""
        return not AUDITORS.isdisjoint(self.directory.roles(person))

    def institution_active(self, institution: str) -> bool | None:
        """Whether it is active; None if there is no such institution."""
        found = self.directory.institution(institution)
        return None if found is None else found.active

    def application_active(self, institution: str, application: str) -> bool | None:
        """Whether it is active; None if there is no such application."""
        found = self.directory.application(institution, application)
        return None if found is None else found.active

    def elements(self, service: str, version: int) -> frozenset[str] | None:
        """What an answer may hold; of any version where that is 0. None: no such service."""
        if version:
            found = self.entries.get(f"service/{service}/{version}")
            return None if found is None else found.elements
        prefix = f"service/{service}/"
        versions = [
            held.elements for key, held in self.entries.rows.items() if key.startswith(prefix)
        ]
        return frozenset().union(*versions) if versions else None

    def declared(self, element: str) -> bool:
        """Whether the information model has this data element."""
        return self.entries.get(f"element/{element}") is not None

    def deprecated(self, element: str) -> bool:
        """Whether nothing new should name this data element."""
        found = self.entries.get(f"element/{element}")
        return found is not None and found.deprecated

    async def names(self) -> Names:
        """What people call institutions, services and data elements, and who answers."""
        self.require()
        entries = dict(self.entries.rows)
        named = [
            each
            async for page in _pages(
                self._stub.ListInstitutions, registry.ListInstitutionsRequest(page_size=1000)
            )
            for each in page.institutions
        ]
        institutions = {each.trust.id: _labels(each.name) for each in named}
        services: dict[str, Labels] = {}
        sources: dict[str, frozenset[str]] = {}
        for key, held in entries.items():
            if key.startswith("service/"):
                service = key.split("/")[1]
                services[service] = held.labels
                sources[service] = sources.get(service, frozenset()) | held.sources
        elements = {
            key.removeprefix("element/"): held.labels
            for key, held in entries.items()
            if key.startswith("element/")
        }
        purposes, capacities = [await self._codes(each) for each in ("purpose", "capacity")]
        return Names(institutions, services, elements, sources, purposes, capacities)

    async def _codes(self, name: str) -> dict[str, Labels]:
        """A code list by code."""
        request = registry.ListCodesRequest(list=name, page_size=1000)
        return {
            each.code: _labels(each.labels)
            async for page in _pages(self._stub.ListCodes, request)
            for each in page.codes
        }


class Listed(NamedTuple):
    """A row of the catalogue: a service with its data elements and sources, or an element."""

    elements: frozenset[str]
    labels: Labels
    deprecated: bool = False
    sources: frozenset[str] = frozenset()
    """Institutions."""


def read_listed(key: str, value: bytes) -> Listed:
    """A row of WatchCatalogue; ValueError if it is none."""
    try:
        entry = registry.CatalogueEntry.FromString(value)
    except DecodeError as error:
        raise ValueError("a row of the catalogue can't be read") from error
    service = entry.service
    if key == f"service/{service.id}/{service.version}":
        sources = frozenset(source.partition("/")[0] for source in service.sources)
        return Listed(
            frozenset(service.elements), _labels(service.title), deprecated=False, sources=sources
        )
    if key == f"element/{entry.element.id}":
        element = entry.element
        return Listed(frozenset({element.id}), _labels(element.labels), element.deprecated)
    raise ValueError("a row of the catalogue does not fit its key")


async def _pages(method: Any, request: Any) -> AsyncIterator[Any]:
    """Every page of a list."""
    while True:
        page = await method(request)
        yield page
        request.page_token = page.next_page_token
        if not request.page_token:
            return


def _labels(message: registry.Labels) -> Labels:
    return Labels(message.fr, message.nl, message.de, message.en)


def _about(deliberation: Deliberation, digest: bytes) -> dict[str, Any]:
    entry = deliberation.enters_into_force
    return {
        "deliberation": deliberation.number,
        "digest": digest.hex(),
        "enters_into_force": None if entry is None else instant(entry),
        "grants": len(deliberation.grants),
        "scope": described(deliberation.scope),
        "texts": _fixed(deliberation.text_fr, deliberation.text_nl, deliberation.text_de),
        "version": deliberation.version,
    }


def _fixed(*texts: str) -> str:
    """SHA-256 of texts, in hexadecimal: the log fixes them and does not hold them."""
    whole = sha256()
    for text in texts:
        whole.update(len(text.encode()).to_bytes(8, "big") + text.encode())
    return whole.hexdigest()
