"""EvidenceService over mTLS: who may call what, and what travels."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from crossroads.logging.v1 import evidence_service_pb2 as api
from crossroads.logging.v1 import evidence_service_pb2_grpc as api_grpc
from crossroads.logging.v1 import logging_service_pb2 as log_api
from crossroads.options.v1.options_pb2 import Role
from services.logging.store import LogStore
from services.runtime.certificates import Certificates
from services.runtime.channel import Channel
from services.runtime.directory import Directory, Person, Row
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.server import Server
from tests.integration.logging.conftest import Issued
from tests.support.evidence import PrivateLog, exchange
from tests.support.logs import ORIGIN, SUBJECT, Safe, StoppedClock
from tests.support.pki import Leaf, Pki
from tests.support.platform import OpenDatabase

As = Callable[[str], Any]
PERSONS = {
    "anna": Person("anna", frozenset({Role.ROLE_AUDITOR}), ""),
    "omar": Person("omar", frozenset({Role.ROLE_SECURITY_OFFICER}), "capac"),
    "agnes": Person("agnes", frozenset({Role.ROLE_AGENT}), ""),
}


class Rows:
    """A directory of persons."""

    def get(self, key: str) -> Row | None:
        """A row."""
        return PERSONS.get(key.removeprefix("person/"))

    def require(self) -> None:
        """It is current."""


@pytest.fixture
async def log(fresh_database: OpenDatabase) -> AsyncIterator[PrivateLog]:
    """A log at work."""
    store = await LogStore.open(await fresh_database("services.logging"), ORIGIN)
    log = PrivateLog(store, clock=StoppedClock(datetime(2001, 3, 10, tzinfo=UTC)), safe=Safe())
    async with log.running():
        yield log


@pytest.fixture
async def asking(log: PrivateLog) -> AsyncIterator[As]:
    """A function: the stub of a person by id, or of a service ("service/contact")."""
    pki = Pki()
    async with AsyncExitStack() as stack:
        server = Server(
            certificates=Certificates(issuer=Issued(pki.service("logging"))), issuers=pki.issuers
        )
        directory = Directory(rows=Rows())
        server.directory = directory
        server.add(
            api_grpc.add_EvidenceServiceServicer_to_server,
            log.side.servicer(directory),
            api.DESCRIPTOR.services_by_name["EvidenceService"],
        )
        address = await server.start()
        stack.push_async_callback(server.stop, 0)
        leaves: dict[str, Leaf] = {name: pki.person(name) for name in PERSONS}
        services = ("contact", "routing", "publisher", "publication")
        leaves |= {f"service/{name}": pki.service(name) for name in services}
        leaves["institution"] = pki.institution("capac", "dossier")
        stubs = {}
        for name, leaf in leaves.items():
            own = Certificates(issuer=Issued(leaf))
            await own.start()
            channel = Channel(
                target=address,
                name="logging",
                certificates=own,
                trust=pki.intermediates["service"].pem,
            )
            stack.push_async_callback(channel.close)
            stubs[name] = api_grpc.EvidenceServiceStub(cast("Any", channel))
        yield stubs.__getitem__


def looking(**criteria: Any) -> api.SearchRequest:
    return api.SearchRequest(criteria=api.Criteria(**criteria), reason="a complaint")


def own_uses(**fields: Any) -> api.ListUsesRequest:
    return api.ListUsesRequest(subject=SUBJECT, reason="by eID", language="en", **fields)


async def test_an_auditor_searches_in_pages(log: PrivateLog, asking: As) -> None:
    await log.sequencer.append([exchange() for _ in range(3)])
    request = looking(ticket="T-1")
    request.page_size = 2
    first = await asking("anna").Search(request)
    request.page_token = first.next_page_token
    second = await asking("anna").Search(request)
    assert [each.index for page in (first, second) for each in page.entries] == [2, 1, 0]
    assert second.next_page_token == ""
    assert (first.log_index, first.indexed_size) == (3, 3)
    assert first.entries[0].kind == log_api.KIND_RELEASE
    assert SUBJECT.encode() in first.entries[0].subject


async def test_indicators_are_given_to_publisher_alone(log: PrivateLog, asking: As) -> None:
    today = log.clock.now().date().isoformat()
    request = api.ListIndicatorsRequest(since=today)
    assert not (await asking("service/publisher").ListIndicators(request)).indicators
    for other in ("service/publication", "service/contact", "anna", "institution"):
        with pytest.raises(CrossroadsError) as refused:
            await asking(other).ListIndicators(request)
        assert refused.value.reason is Reason.CALLER_NOT_ALLOWED
    with pytest.raises(CrossroadsError) as wrong:
        await asking("service/publisher").ListIndicators(
            api.ListIndicatorsRequest(since="2026-02-30")
        )
    assert wrong.value.reason is Reason.INVALID_ARGUMENT


async def test_an_officer_is_held_to_the_own_institution(log: PrivateLog, asking: As) -> None:
    await log.sequencer.append([exchange(), exchange(institution="cpas", source="rn")])
    found = await asking("omar").Search(looking(subject=SUBJECT))
    assert [each.index for each in found.entries] == [0]
    assert (found.entries[0].subject, found.entries[0].audit) == (b"", b"")
    assert found.entries[0].party


@pytest.mark.parametrize(
    ("caller", "method"),
    [
        ("agnes", "Search"),
        ("service/contact", "Search"),
        ("institution", "Search"),
        ("omar", "ListUses"),
        ("agnes", "ListUses"),
        ("service/routing", "ListUses"),
        ("institution", "ListUses"),
        ("omar", "PlaceHold"),
        ("service/contact", "DeferDisclosure"),
    ],
)
async def test_others_are_turned_away(asking: As, caller: str, method: str) -> None:
    requests = {
        "Search": looking(ticket="T-1"),
        "ListUses": own_uses(),
        "PlaceHold": api.PlaceHoldRequest(
            criteria=api.Criteria(ticket="T-1"), authority="a court", reason="a case"
        ),
        "DeferDisclosure": api.DeferDisclosureRequest(criteria=api.Criteria(ticket="T-1")),
    }
    with pytest.raises(CrossroadsError) as refused:
        await getattr(asking(caller), method)(requests[method])
    assert refused.value.reason is Reason.CALLER_NOT_ALLOWED


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (api.SearchRequest(criteria=api.Criteria(ticket="T-1")), Reason.INVALID_ARGUMENT),
        (looking(subject="85073003329"), Reason.INVALID_KEY),
        (looking(exchange_id=b"short"), Reason.INVALID_ARGUMENT),
        (looking(hold_id="none"), Reason.INVALID_ARGUMENT),
        (api.SearchRequest(reason="a complaint"), Reason.INVALID_ARGUMENT),
    ],
)
async def test_a_search_that_is_malformed_is_refused_and_finds_no_place_in_the_log(
    log: PrivateLog, asking: As, request_: Any, reason: Reason
) -> None:
    with pytest.raises(CrossroadsError) as refused:
        await asking("anna").Search(request_)
    assert refused.value.reason is reason
    assert log.sequencer.size == 0


async def test_contact_shows_a_person_who_used_the_data(log: PrivateLog, asking: As) -> None:
    await log.sequencer.append([exchange()])
    shown = await asking("service/contact").ListUses(own_uses(page_size=10))
    (group,) = shown.groups
    (use,) = group.uses
    assert (group.institution, group.purpose) == ("capac", "UNEMPLOYMENT_BENEFIT")
    assert use.action == api.ACTION_RELEASED
    assert use.time.ToDatetime(UTC) == log.clock.time
    assert [each.element for each in use.categories] == ["employment.period"]
    assert use.proof.leaf_hash == (await log.store.leaf_hashes(0, 1))[0]
    assert not use.HasField("deferred_until")


async def test_a_deferral_hides_until_it_is_ended(log: PrivateLog, asking: As) -> None:
    await log.sequencer.append([exchange()])
    request = api.DeferDisclosureRequest(
        criteria=api.Criteria(subject=SUBJECT, institution="capac"),
        authority="examining magistrate",
        reason="case 26/114",
    )
    request.until.FromDatetime(log.clock.time + timedelta(days=5))
    deferral = await asking("anna").DeferDisclosure(request)
    shown = await asking("service/contact").ListUses(own_uses())
    assert not shown.groups
    await asking("anna").EndDeferral(
        api.EndDeferralRequest(deferral_id=deferral.deferral_id, reason="closed")
    )
    shown = await asking("service/contact").ListUses(own_uses())
    assert "capac" in [group.institution for group in shown.groups]


async def test_a_hold_is_placed_listed_and_released(log: PrivateLog, asking: As) -> None:
    await log.sequencer.append([exchange()])
    placed = await asking("anna").PlaceHold(
        api.PlaceHoldRequest(
            criteria=api.Criteria(subject=SUBJECT), authority="labour court", reason="case 1"
        )
    )
    assert placed.entries == 1
    found = await asking("anna").Search(looking(hold_id=placed.hold_id))
    assert [each.index for each in found.entries] == [placed.log_index, 0]
    await asking("anna").ReleaseHold(
        api.ReleaseHoldRequest(hold_id=placed.hold_id, reason="closed")
    )
    (hold,) = (await asking("anna").ListHolds(api.ListHoldsRequest())).holds
    assert hold.HasField("released_at")


async def test_what_was_erased_is_listed(log: PrivateLog, asking: As) -> None:
    await log.sequencer.append([exchange()])
    await log.later(days=365 * 10 + 40)
    await log.shredder.sweep()
    (erasure,) = (await asking("anna").ListErasures(api.ListErasuresRequest())).erasures
    assert (erasure.retention_class, erasure.month) == ("exchange", "2001-03")
    assert not erasure.HasField("final_log_index")
