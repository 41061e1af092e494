"""What the platform weighs: idle, and with a hundred thousand grants."""

from pathlib import Path

import pytest

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.authorization.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from services.cli.connections import Connections, patiently
from services.cli.demo import messages
from services.cli.platform import status
from services.cli.platform.home import SERVICES
from services.institution.sector import load
from tests.support.running import Running

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.long]
MIB = 1024
IDLE_MIB, LOADED_MIB = 120, 400
DELIBERATIONS, GRANTS = 20, 5000
CALL_SECONDS = 60.0


def resident(platform: Running, name: str) -> int:
    """Resident memory of a process in MiB (proc_pid_status(5), VmRSS)."""
    pid = status.read(platform.home).processes[name].pid
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith("VmRSS")) // MIB


async def test_routing_holds_a_hundred_thousand_grants_in_400_mib(platform: Running) -> None:
    for name in SERVICES:
        assert resident(platform, name) <= IDLE_MIB * 1.25, name  # it has served the other tests
    template = messages.deliberation(
        next(each for each in load().deliberations if each.number == "D/2026/001")
    )
    recipients = [each.id for each in load().institutions if each.id != "csi"]
    async with Connections(home=platform.home) as connections:
        submitter = await connections.person(
            "dirk-claes", "authorization", AuthorizationServiceStub
        )
        publisher = await connections.person(
            "elise-dubois", "authorization", AuthorizationServiceStub
        )
        for number in range(DELIBERATIONS):
            draft = authorization.Deliberation()
            draft.CopyFrom(template)
            draft.number = f"S/2026/{number:03}"
            del draft.grants[:]
            draft.scope.recipients[:] = recipients
            for place in range(GRANTS):
                grant = draft.grants.add()
                grant.CopyFrom(template.grants[place % len(template.grants)])
                grant.institution = recipients[place % len(recipients)]
                grant.application = ""
            submit = authorization.SubmitDeliberationRequest(deliberation=draft)
            await patiently(submitter.SubmitDeliberation, submit, timeout=CALL_SECONDS)
            publish = authorization.PublishDeliberationRequest(number=draft.number)
            await patiently(publisher.PublishDeliberation, publish, timeout=CALL_SECONDS)
    done = platform.crossroads("exchange", "employment_periods", "--json")
    assert done.code == 0, done.err
    used = resident(platform, "routing")
    assert used <= LOADED_MIB
