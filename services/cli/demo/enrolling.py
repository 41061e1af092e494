"""Brings the demo sector into a running platform, through the API and by the persons who may.

Contract: `Enrolling.run` does what has not been done: the genesis, the registry's act, the
deliberations, the keys, the integrations. What was done is remembered by digest in `demo.json`: a
second start asks nobody anything. Every step may be repeated, so a lost file costs time only.
"""

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

from google.protobuf.message import Message

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.authorization.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from crossroads.identity.v1 import identity_service_pb2 as identity
from crossroads.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from services.cli.connections import Connections, patiently
from services.cli.demo import messages
from services.cli.genesis import genesis
from services.cli.platform import ports
from services.cli.platform.home import Home, write
from services.institution.client import CrossroadsClient, Integration
from services.institution.population import Integration as Kept
from services.institution.population import Person, Replacement, Store
from services.institution.sector import Deliberation, Sector, load
from services.runtime.errors import CrossroadsError, Reason

KEYS_AT_ONCE = 5000
DECLARING_AT_ONCE = 6
DECLARE_SECONDS = 60.0
REGISTERS = {"RN": "rn", "RAD": "rn", "BIS": "bcss"}
"""Which institution registers the keys of each register."""

Tell = Callable[[str], None]


class Enrolling:
    """The enrolment of the demo in one home; `tell` hears what is being done."""

    def __init__(self, *, home: Home, store: Store, tell: Tell) -> None:
        self._home = home
        self._store = store
        self._tell = tell
        self._sector: Sector = load()
        self._file = _file(home)
        self._done: dict[str, str] = _read(self._file.read_text()) if self._file.exists() else {}

    async def run(self) -> None:
        """Do what is missing. Raises CrossroadsError, PlatformError."""
        async with Connections(home=self._home) as connections:
            await self._register(connections)
            for one in self._sector.deliberations:
                await self._decide(connections, one)
            await self._give_keys(connections)
            await self._replace_keys(connections)
            await self._declare(connections)

    def _missing(self, step: str, content: Iterable[bytes]) -> bool:
        """Whether a step is still to be done, or was done with other content."""
        self._digest = hashlib.sha256(b"\n".join(content)).hexdigest()
        return self._done.get(step) != self._digest

    def _note(self, step: str, digest: str) -> None:
        self._done[step] = digest
        write(self._file, json.dumps(self._done, indent=2) + "\n")

    async def _register(self, connections: Connections) -> None:
        """The genesis, then one act of the administrators that holds the whole sector."""
        changes = list(messages.changes(self._sector, ports.known(self._home)))
        if not self._missing("registry", map(_bytes, changes)):
            return
        digest = self._digest
        administrators = [each.id for each in self._sector.with_role("administrator")]
        self._tell("genesis: three administrators, two of whom decide together")
        await genesis(self._home, administrators)
        self._tell(f"registry: an act of {len(changes)} changes, proposed and approved")
        first, second = [
            await connections.person(each, "registry", RegistryServiceStub)
            for each in administrators[:2]
        ]
        proposal = registry.ProposeActRequest(reason="the demo sector", changes=changes)
        proposed = await patiently(first.ProposeAct, proposal)
        await patiently(
            lambda: second.ApproveAct(registry.ApproveActRequest(act_id=proposed.act_id))
        )
        self._note("registry", digest)

    async def _decide(self, connections: Connections, one: Deliberation) -> None:
        """One deliberation, submitted by a member of the committee and published by another."""
        message = messages.deliberation(one)
        step = f"deliberation {one.number}"
        if step in self._done:
            return
        self._tell(f"authorization: deliberation {one.number}, grants: {len(one.grants)}")
        submitter, publisher = [
            await connections.person(each, "authorization", AuthorizationServiceStub)
            for each in (one.submitted_by, one.published_by)
        ]
        submit = authorization.SubmitDeliberationRequest(deliberation=message)
        publish = authorization.PublishDeliberationRequest(number=one.number)
        await unless(Reason.ALREADY_EXISTS, submitter.SubmitDeliberation, submit)
        await unless(Reason.FAILED_PRECONDITION, publisher.PublishDeliberation, publish)
        self._note(step, hashlib.sha256(_bytes(message)).hexdigest())

    async def _give_keys(self, connections: Connections) -> None:
        """Every key of the population, by the institution that keeps its register."""
        keys = [(each.niss, each.register) for each in self._store.all(Person)]
        keys += [(each.niss, each.register) for each in self._store.all(Replacement)]
        if not self._missing("keys", (f"{niss}{register}".encode() for niss, register in keys)):
            return
        digest = self._digest
        self._tell(f"identity: {len(keys):,} keys")
        of: dict[str, list[identity.PersonKey]] = defaultdict(list)
        for niss, register in keys:
            kept = identity.Register.Value(f"REGISTER_{register}")
            of[REGISTERS[register]].append(identity.PersonKey(niss=niss, register=kept))
        for institution, persons in of.items():
            stub = await connections.application(
                self._application(institution), "identity", IdentityServiceStub
            )
            for start in range(0, len(persons), KEYS_AT_ONCE):
                request = identity.RegisterPersonsRequest(
                    persons=persons[start : start + KEYS_AT_ONCE]
                )
                await patiently(stub.RegisterPersons, request, timeout=DECLARE_SECONDS)
        self._note("keys", digest)

    async def _replace_keys(self, connections: Connections) -> None:
        """The numbers that others replaced."""
        replaced = list(self._store.all(Replacement))
        if not self._missing("replacements", (each.niss.encode() for each in replaced)):
            return
        digest = self._digest
        self._tell(f"identity: {len(replaced)} numbers that another replaced")
        stub = await connections.application(
            self._application("bcss"), "identity", IdentityServiceStub
        )
        for each in replaced:
            request = identity.ReplaceKeyRequest(old_niss=each.niss, new_niss=each.current)
            await patiently(stub.ReplaceKey, request)
        self._note("replacements", digest)

    async def _declare(self, connections: Connections) -> None:
        """Each institution says whom it has a file on."""
        of: dict[str, list[Kept]] = defaultdict(list)
        for each in self._store.all(Kept):
            of[each.institution].append(each)
        total = sum(map(len, of.values()))
        names = (repr(each).encode() for kept in of.values() for each in kept)
        if not self._missing("integrations", names):
            return
        digest = self._digest
        self._tell(f"routing: {total:,} integrations of {len(of)} institutions, each one logged")
        free = asyncio.Semaphore(DECLARING_AT_ONCE)

        async def declare(institution: str, kept: Sequence[Kept]) -> None:
            async with free:
                await self._declare_all(connections, institution, kept)

        async with asyncio.TaskGroup() as group:
            for institution, kept in of.items():
                group.create_task(declare(institution, kept))
        self._note("integrations", digest)

    async def _declare_all(
        self, connections: Connections, institution: str, kept: Sequence[Kept]
    ) -> None:
        folder = connections.folder(self._application(institution))
        client = CrossroadsClient(
            certificates=await connections.certificates(folder),
            platform=connections.platform,
            routing=connections.address("routing"),
        )
        declared = [
            Integration(
                each.niss,
                each.capacity,
                date.fromisoformat(each.start),
                date.fromisoformat(each.until) if each.until else None,
            )
            for each in kept
        ]
        async with client:
            await patiently(client.declare_integrations, declared, timeout=DECLARE_SECONDS)

    def _application(self, institution: str) -> str:
        """The first application of an institution, "<institution>/<application>"."""
        return next(
            each.path for each in self._sector.applications if each.institution == institution
        )


def enrolled(home: Home) -> bool:
    """Whether the enrolment of a home has begun."""
    return _file(home).exists()


async def unless(reason: Reason, call: Callable[..., Awaitable[object]], request: Message) -> None:
    """Make a call whose effect may be there already, which `reason` says then."""
    try:
        await patiently(call, request)
    except CrossroadsError as error:
        if error.reason is not reason:
            raise


def _file(home: Home) -> Path:
    return home.path / "demo.json"


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _read(text: str) -> dict[str, str]:
    content: dict[str, str] = json.loads(text)
    return content
