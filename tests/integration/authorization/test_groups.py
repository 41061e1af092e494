"""A grant to a group of institutions, with the capacity and phase in which each side must know the
subject: published by authorization, decided and checked by routing, in real exchanges."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.routing.v1 import reference_directory_service_pb2 as directory_api
from crossroads.routing.v1 import reference_directory_service_pb2_grpc as directory_grpc
from services.runtime.errors import CrossroadsError, Reason
from tests.support.asking import question
from tests.support.authority import MEMBERS, Authority, deciding, deliberation, row
from tests.support.platform import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

CAPAC, ONEM, ONSS = "capac/payments", "onem/benefits", "onss/dmfa"
PURPOSE = "GROUP_PURPOSE"
CAREER, ELSEWHERE = "18/1", "18/2"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Authority]:
    """CAPAC and the ONEM may ask the ONSS as the group "Unemployment": about whom they know as 18/1
    in phase 2 or 3, and the ONSS as 12/10 in phase 1."""
    folder = tmp_path_factory.mktemp("groups")
    async with deciding(postgres, folder, exchanging=True) as network:
        group = row(
            institution="",
            institutions=["capac", "onem"],
            group_name="Unemployment",
            purpose=PURPOSE,
            caller_capacities=[CAREER],
            caller_phases=[2, 3],
            source_phases=[1],
        )
        done = await network.publish(deliberation("26/001", group))
        await network.until(lambda: network.replicas.versions()["grants"][0] >= done.version)
        yield network


def key(serial: int) -> str:
    """A synthetic person's key."""
    first = f"850730{serial:03d}"
    return f"{first}{97 - int(first) % 97:02d}"


async def declare(network: Authority, who: str, subject: str, capacity: str, phase: int) -> None:
    """That institution has a file on this person, since 2015."""
    network.owners.known.add(subject)
    channel: Any = await network.channel(network.pki.institution(*who.split("/")))
    declared = directory_api.Integration(subject=subject, capacity=capacity, phase=phase)
    setattr(declared, "from", "2015-01-01")
    request = directory_api.DeclareIntegrationsRequest(integrations=[declared])
    await directory_grpc.ReferenceDirectoryServiceStub(channel).DeclareIntegrations(request)


async def asked(network: Authority, who: str, subject: str, name: str) -> Reason | None:
    """Why that institution is refused; None for an answer."""
    caller = await network.caller(*who.split("/"))
    try:
        answer = await caller.Exchange(question(name, purpose=PURPOSE, subject=subject))
    except CrossroadsError as error:
        return error.reason
    assert list(answer.deliberations) == ["26/001"]
    return None


async def test_each_member_of_the_group_is_answered_in_the_granted_phases(
    network: Authority,
) -> None:
    subject = key(11)
    await declare(network, CAPAC, subject, CAREER, 2)
    await declare(network, ONEM, subject, CAREER, 3)
    await declare(network, ONSS, subject, "12/10", 1)
    for who in (CAPAC, ONEM):
        assert await asked(network, who, subject, "each-member") is None
    assert await asked(network, ONSS, subject, "no-member") is Reason.NOT_AUTHORIZED


@pytest.mark.parametrize(
    ("serial", "who", "caller", "source_phase"),
    [
        (21, CAPAC, (CAREER, 1), 1),  # the caller knows the person in another phase
        (22, CAPAC, (CAREER, 2), 2),  # the source does
        (23, ONEM, (ELSEWHERE, 2), 1),  # the caller knows the person in another capacity
    ],
)
async def test_another_phase_or_capacity_is_refused_and_the_source_not_asked(
    network: Authority, serial: int, who: str, caller: tuple[str, int], source_phase: int
) -> None:
    subject, questions = key(serial), len(network.asked)
    await declare(network, who, subject, *caller)
    await declare(network, ONSS, subject, "12/10", source_phase)
    assert await asked(network, who, subject, f"other-{serial}") is Reason.NOT_INTEGRATED
    assert len(network.asked) == questions
    # With what was missing beside it, the same is answered.
    await declare(network, who, subject, CAREER, 3)
    await declare(network, ONSS, subject, "12/10", 1)
    assert await asked(network, who, subject, f"then-{serial}") is None


async def test_revocation_of_the_row_ends_it_for_every_member(network: Authority) -> None:
    subject = key(31)
    group = row(
        institution="",
        institutions=["capac", "onem"],
        group_name="Unemployment",
        purpose="ENDING",
        caller_capacities=[CAREER],
    )
    done = await network.publish(deliberation("26/002", group))
    await network.until(lambda: network.replicas.versions()["grants"][0] >= done.version)
    for who in (CAPAC, ONEM):
        await declare(network, who, subject, CAREER, 1)
    await declare(network, ONSS, subject, "12/10", 1)
    callers = [await network.caller(*who.split("/")) for who in (CAPAC, ONEM)]
    for caller in callers:
        await caller.Exchange(question("before", purpose="ENDING", subject=subject))
    member = await network.as_person(MEMBERS[2])
    await member.RevokeGrant(api.RevokeGrantRequest(grant_id="26/002#1", reason="no more"))
    for caller in callers:
        with pytest.raises(CrossroadsError) as raised:
            await caller.Exchange(question("after", purpose="ENDING", subject=subject))
        assert raised.value.reason is Reason.NOT_AUTHORIZED
