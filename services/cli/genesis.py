"""`crossroads genesis`: enrols the first administrators, once; leaf 0 of the log.

Contract: carried out with a certificate that only the operator can have made, under the name
"genesis", and that is removed afterwards. Registry refuses a second one.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.cli.connections import Connections, patiently
from services.cli.platform import instance, ports
from services.cli.platform.bootstrap import operator_session
from services.cli.platform.enrolment import Enrolment
from services.cli.platform.home import Home
from services.runtime.errors import CrossroadsError, Reason

MINIMUM_THRESHOLD = 2


async def genesis(
    home: Home, administrators: Sequence[str], threshold: int = MINIMUM_THRESHOLD
) -> int | None:
    """Enrol the first administrators (person ids); the log index, None if there was a genesis.

    Raises CrossroadsError, PlatformError.
    """
    folder = await asyncio.to_thread(_certificate, home)
    request = registry.GenesisRequest(administrators=administrators, threshold=threshold)
    try:
        async with Connections(home=home) as connections:
            stub = await connections.holder(folder, "registry", RegistryServiceStub)
            response = await patiently(stub.Genesis, request)
    except CrossroadsError as error:
        if error.reason is not Reason.ALREADY_EXISTS:
            raise
        return None
    finally:
        shutil.rmtree(folder)
    return int(response.log_index)


def _certificate(home: Home) -> Path:
    instance.require_running(home)
    address = f"https://{ports.LOOPBACK}:{ports.known(home)['openbao']}"
    session = operator_session(home, address)
    try:
        return Enrolment(home=home, session=session).enrol_genesis()
    finally:
        session.close()
