"""Other services and the sources, behind what the operations need of them."""

from collections.abc import Sequence
from typing import Any

from crossroads.authorization.v1.authorization_service_pb2 import WatchGrantsRequest
from crossroads.authorization.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from crossroads.identity.v1 import identity_service_pb2 as api
from crossroads.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from crossroads.logging.v1.logging_service_pb2_grpc import LoggingServiceStub
from crossroads.registry.v1.registry_service_pb2 import WatchCatalogueRequest
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.routing.log import LogStream
from services.routing.model import Caller
from services.routing.replicas import Replicas
from services.routing.sources import Sources, Way
from services.runtime.channel import Channel
from services.runtime.directory import replica as directory_replica
from services.runtime.watch.replica import watching
from services.runtime.wiring import Runtime

KEYS_PER_CALL = 5000


def stub(cls: Any, channel: Channel) -> Any:
    """A generated stub over one of our channels, which looks like gRPC's own to it."""
    return cls(channel)


class IdentityKeys:
    """The register of keys: asked about single keys, replicated for the replaced ones."""

    def __init__(self, *, channel: Channel, replicas: Replicas) -> None:
        self._stub = stub(IdentityServiceStub, channel)
        self._replicas = replicas

    async def known(self, subjects: Sequence[str]) -> frozenset[str]:
        """Those of the keys that somebody bears. Raises UNAVAILABLE."""
        found: set[str] = set()
        for start in range(0, len(subjects), KEYS_PER_CALL):
            asked = subjects[start : start + KEYS_PER_CALL]
            response = await self._stub.ResolveKeys(api.ResolveKeysRequest(niss=asked))
            pairs = zip(asked, response.keys, strict=True)
            found.update(key for key, resolved in pairs if resolved.known)
        return frozenset(found)

    def keys_of(self, subject: str) -> Sequence[str]:
        """All keys of the same person, replaced ones too."""
        return self._replicas.keys_of(self._replicas.current_key(subject))


class DirectoryInstitutions:
    """Institutions, from the directory that every server holds."""

    def __init__(self, *, replicas: Replicas) -> None:
        self._directory = replicas.directory

    def manages(self, manager: str, institution: str) -> bool:
        """Whether `institution` is active, and is or is managed by `manager`."""
        self._directory.require()
        found = self._directory.institution(institution)
        if found is None or not found.active:
            return False
        return manager in (institution, found.managed_by)

    def capacities(self, institution: str) -> frozenset[str]:
        """In which capacities it may integrate persons."""
        return self._directory.capacities(institution)


def replicas_of(runtime: Runtime) -> Replicas:
    """The tables that others own, each followed by a task of its own."""
    owner, grants, keys = (
        runtime.channel(name) for name in ("registry", "authorization", "identity")
    )
    directory = directory_replica(channel=owner, clock=runtime.clock)
    replicas = Replicas(
        grants=watching(stub(AuthorizationServiceStub, grants).WatchGrants, WatchGrantsRequest),
        catalogue=watching(stub(RegistryServiceStub, owner).WatchCatalogue, WatchCatalogueRequest),
        replacements=watching(
            stub(IdentityServiceStub, keys).WatchReplacements, api.WatchReplacementsRequest
        ),
        directory=directory,
        clock=runtime.clock,
    )
    for name, each in (("directory", directory), *replicas.own):
        runtime.tasks.spawn(f"replica-{name}", each.run())
    runtime.server.directory = replicas.directory
    return replicas


def log_of(runtime: Runtime) -> LogStream:
    """The log, over a stream that a task of its own keeps open."""
    log = LogStream(
        connect=stub(LoggingServiceStub, runtime.channel("logging")).AppendStream,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    runtime.tasks.spawn("log", log.run())
    return log


def sources_of(runtime: Runtime, replicas: Replicas) -> Sources:
    """The authentic sources: where the directory says, trusted as institutions."""

    def connect(source: Caller, address: str) -> Way:
        name = f"{source.application}.{source.institution}"
        return Way(channel=runtime.channel_to(address, name, trust="institution"))

    return Sources(address_of=replicas.address, connect=connect, clock=runtime.clock)
