"""`crossroads genesis`: enrols the first administrators, once; leaf 0 of the log.

Contract: carried out with a certificate that only the operator can have made, under the name
"genesis", and that is removed afterwards. Registry refuses a second one.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.cli.connections import Connections, patiently
from services.cli.platform import instance, ports
from services.cli.platform.bootstrap import operator_session
from services.cli.platform.enrolment import Enrolment, issue, service_names
from services.cli.platform.home import Home
from services.cli.vault.target import Where, logged_in
from services.runtime.certificates import Certificates, FileIssuer
from services.runtime.channel import Channel
from services.runtime.errors import CrossroadsError, Reason

MINIMUM_THRESHOLD = 2


async def genesis(
    home: Home, administrators: Sequence[str], threshold: int = MINIMUM_THRESHOLD
) -> int | None:
    """Enrol the first administrators (person ids); the log index, None if there was a genesis.

    Raises CrossroadsError, PlatformError.
    """
    folder = await asyncio.to_thread(_certificate, home)
    try:
        async with Connections(home=home) as connections:
            stub = await connections.holder(folder, "registry", RegistryServiceStub)
            return await _begin(stub, administrators, threshold)
    finally:
        shutil.rmtree(folder)


async def genesis_at(
    address: str, vault: Where, administrators: Sequence[str], threshold: int
) -> int | None:
    """The same at a registry elsewhere (host:port), with a certificate of that platform's Vault."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        authority = await asyncio.to_thread(_certified, vault, folder)
        certificates = Certificates(
            issuer=FileIssuer(key_file=folder / "key.pem", chain_file=folder / "cert.pem")
        )
        await certificates.start()
        channel = Channel(
            target=address, name="registry", certificates=certificates, trust=authority
        )
        try:
            stub = cast("Any", RegistryServiceStub)(channel)  # it looks like gRPC's
            return await _begin(stub, administrators, threshold)
        finally:
            await channel.close()


async def _begin(stub: Any, administrators: Sequence[str], threshold: int) -> int | None:
    request = registry.GenesisRequest(administrators=administrators, threshold=threshold)
    try:
        return int((await patiently(stub.Genesis, request)).log_index)
    except CrossroadsError as error:
        if error.reason is not Reason.ALREADY_EXISTS:
            raise
        return None


def _certificate(home: Home) -> Path:
    instance.require_running(home)
    address = f"https://{ports.LOOPBACK}:{ports.known(home)['openbao']}"
    session = operator_session(home, address)
    try:
        return Enrolment(home=home, session=session).enrol_genesis()
    finally:
        session.close()


def _certified(vault: Where, folder: Path) -> bytes:
    """The authority of the services, which certified the genesis: its role is declared there."""
    with logged_in(vault) as session:
        return issue(session, "pki-services/sign/genesis", *service_names("genesis"), folder)
