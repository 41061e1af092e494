"""Who may call: the certificate decides, at the handshake, on every call and on open streams."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest

from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1 import registry_service_pb2_grpc as registry_grpc
from crossroads.routing.v1 import routing_service_pb2_grpc as routing_grpc
from crossroads.trust.v1 import trust_pb2 as trust
from crossroads.watch.v1 import watch_pb2 as watch
from services.proof.record import Kind
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.server import Server
from tests.support.asking import answered, kinds_of, question, refusal, refused
from tests.support.network import Network
from tests.support.network_rows import application
from tests.support.pki import Leaf

pytestmark = pytest.mark.asyncio(loop_scope="module")

REVOCATION_SECONDS = 2.0
"""The lease: however slow the machine, a revocation works by then."""


def stub_on(channel: Any) -> Any:
    return routing_grpc.RoutingServiceStub(channel)


def revocation(leaf: Leaf) -> tuple[str, trust.Entry]:
    row = trust.Revocation(serial=leaf.serial)
    return f"revocation/{leaf.serial}", trust.Entry(revocation=row)


async def test_caller_without_a_certificate_gets_no_connection(network: Network) -> None:
    credentials = grpc.ssl_channel_credentials(network.pki.intermediates["service"].pem)
    name = ("grpc.ssl_target_name_override", "routing.crossroads.internal")
    async with grpc.aio.secure_channel(
        network.peers["routing"], credentials, options=[name]
    ) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub_on(channel).Exchange(question("nobody"), timeout=10)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert await kinds_of(network, "nobody") == []


async def test_caller_whose_certificate_has_expired_gets_no_connection_and_is_told_why(
    network: Network,
) -> None:
    leaf = network.pki.institution("capac", "payments", lifetime=timedelta(seconds=-1))
    stub = stub_on(await network.channel(leaf))
    with pytest.raises(CrossroadsError, match="certificate has expired; renew it") as raised:
        await stub.Exchange(question("expired"))
    assert raised.value.reason is Reason.UNAUTHENTICATED
    assert await kinds_of(network, "expired") == []


async def test_certificate_that_expires_on_an_open_connection_is_refused(
    network: Network,
) -> None:
    leaf = network.pki.institution("capac", "payments", lifetime=timedelta(seconds=3))
    stub = stub_on(await network.channel(leaf))
    await stub.Exchange(question("expiring"))
    async with asyncio.timeout(10):
        while True:
            try:
                await stub.Exchange(question("expiring"))
            except CrossroadsError:
                break
            await asyncio.sleep(0.05)
    seen = await refusal(stub.Exchange(question("expired-since")))
    assert (seen.reason, seen.code) == (
        Reason.UNAUTHENTICATED,
        grpc.StatusCode.UNAUTHENTICATED,
    )
    assert seen.text == "the certificate has expired; present a current certificate"
    assert await kinds_of(network, "expired-since") == []


@pytest.mark.parametrize(
    ("uri", "issuer"),
    [
        ("spiffe://crossroads/service/registry", "institution"),
        ("spiffe://crossroads/institution/capac/payments", "person"),
        ("spiffe://crossroads/institution/capac/payments", "service"),
        ("spiffe://elsewhere/institution/capac/payments", "institution"),
        ("spiffe://crossroads/institution/capac", "institution"),
    ],
)
async def test_name_that_its_issuer_may_not_give_is_refused(
    network: Network, uri: str, issuer: str
) -> None:
    leaf = network.pki.leaf(uri, "", issuer, timedelta(hours=1))
    seen = await refusal(stub_on(await network.channel(leaf)).Exchange(question("forged")))
    assert seen.reason is Reason.UNAUTHENTICATED
    assert "present a current certificate" in seen.text
    assert await kinds_of(network, "forged") == []


async def test_certificate_of_another_authority_gets_no_connection(network: Network) -> None:
    leaf = type(network.pki)().institution("capac", "payments")
    with pytest.raises(CrossroadsError) as raised:
        await stub_on(await network.channel(leaf)).Exchange(question("other-authority"))
    assert raised.value.reason is Reason.UNAVAILABLE
    assert await kinds_of(network, "other-authority") == []


async def test_other_institution_is_refused_under_its_own_name(network: Network) -> None:
    await (await network.caller()).Exchange(question("mine"))
    questions = len(network.asked)
    seen = await refused(network, question("mine"), Kind.REFUSAL, caller="onem/benefits")
    assert seen.reason is Reason.NOT_AUTHORIZED
    assert len(network.asked) == questions
    assert await kinds_of(network, "mine") == [Kind.REQUEST, Kind.RELEASE]


@pytest.mark.parametrize("kind", ["unknown", "inactive", "service", "person"])
async def test_who_is_no_active_application_is_refused(network: Network, kind: str) -> None:
    await network.published("directory", application("capac", "closed", active=False))
    leaf = {
        "unknown": network.pki.institution("capac", "nothing"),
        "inactive": network.pki.institution("capac", "closed"),
        "service": network.pki.service("contact"),
        "person": network.pki.person("p1"),
    }[kind]
    seen = await refusal(stub_on(await network.channel(leaf)).Exchange(question("inactive")))
    assert (seen.reason, seen.code) == (
        Reason.CALLER_NOT_ALLOWED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
    assert "registry" in seen.text
    assert await kinds_of(network, "inactive") == []


async def test_revoked_certificate_is_refused(network: Network) -> None:
    leaf = network.pki.institution("capac", "payments")
    stub = stub_on(await network.channel(leaf))
    await stub.Exchange(question("good"))
    await network.published("directory", revocation(leaf))
    seen = await refusal(stub.Exchange(question("revoked")))
    assert seen.reason is Reason.UNAUTHENTICATED
    assert seen.text == "the certificate is revoked; present a current certificate"
    assert await kinds_of(network, "revoked") == []
    await (await network.caller()).Exchange(question("another-certificate"))


async def test_open_stream_ends_when_its_certificate_is_revoked(network: Network) -> None:
    leaf = network.pki.service("contact")
    server = Server(
        certificates=network.certificates(network.pki.service("registry")),
        issuers=network.pki.issuers,
        directory=network.replicas.directory,
    )
    service = registry.DESCRIPTOR.services_by_name["RegistryService"]
    server.add(registry_grpc.add_RegistryServiceServicer_to_server, network.owners, service)
    channel: Any = await network.channel(leaf, "registry", at=await server.start())
    pings = asyncio.Queue[registry.WatchDirectoryRequest]()

    async def requests() -> Any:
        while True:
            yield await pings.get()

    stream = registry_grpc.RegistryServiceStub(channel).WatchDirectory(requests())
    pings.put_nowait(registry.WatchDirectoryRequest(ping=watch.Ping(nonce=1)))
    assert await stream.read() is not None
    await network.published("directory", revocation(leaf))
    async with asyncio.timeout(REVOCATION_SECONDS):
        seen = await refusal(read_to_the_end(stream))
    assert seen.reason is Reason.UNAUTHENTICATED
    assert "revoked" in seen.text
    await channel.close()
    await server.stop(0)


async def read_to_the_end(stream: Any) -> None:
    while await stream.read() is not None:
        pass


async def test_source_that_presents_another_institutions_certificate_is_not_believed(
    network: Network,
) -> None:
    address = network.sources["onss"].address
    await network.sources["onss"].stop(0)
    for leaf in (
        network.pki.institution("capac", "payments"),
        network.pki.leaf(
            "spiffe://crossroads/institution/onss/dmfa",
            "dmfa.onss.crossroads.internal",
            "service",
            timedelta(hours=1),
        ),
    ):
        questions = len(network.asked)
        await network.start_source("onss/dmfa", leaf=leaf, listen=address)
        asked = question(f"impostor-{leaf.serial}")
        seen = await refused(network, asked, Kind.REQUEST, Kind.REFUSAL)
        assert seen.reason is Reason.SOURCE_UNAVAILABLE
        assert len(network.asked) == questions
        await network.sources["onss"].stop(0)
    await network.start_source("onss/dmfa", listen=address)
    await answered(network, question("believed"))
