"""Other services behind what the operations need: identity's keys, registry's institutions."""

from collections.abc import Sequence
from typing import Any

from crossroads.identity.v1 import identity_service_pb2 as api
from crossroads.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from services.keys import person
from services.keys.invalid import InvalidKey
from services.routing.replicas import Replicas
from services.runtime.channel import Channel

KEYS_PER_CALL = 5000


class IdentityKeys:
    """The register of keys: asked about single keys, replicated for the replaced ones."""

    def __init__(self, *, channel: Channel, replicas: Replicas) -> None:
        looks_like_grpcs: Any = channel
        self._stub: Any = IdentityServiceStub(looks_like_grpcs)
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


def well_formed(key: str) -> bool:
    """Whether the check digits of a person's key fit its other digits."""
    try:
        person.check(key)
    except InvalidKey:
        return False
    return True


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
