"""What stands around routing in a network of tests: owners of tables, certificates, a process."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.authorization.v1 import authorization_service_pb2_grpc as authorization_grpc
from crossroads.identity.v1 import identity_service_pb2 as identity
from crossroads.identity.v1 import identity_service_pb2_grpc as identity_grpc
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.registry.v1 import registry_service_pb2_grpc as registry_grpc
from crossroads.trust.v1 import trust_pb2 as trust
from services.runtime.clock import SystemClock
from services.runtime.migrations import migrate
from services.runtime.postgres import Database
from services.runtime.watch.owner import Table
from services.runtime.watch.rows import Change
from services.runtime.wiring import Runtime
from tests.support.logs import Safe
from tests.support.pki import Leaf
from tests.support.watching import Gate


class Issued:
    """Gives one certificate of the test's authority."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf

    async def issue(self) -> tuple[bytes, bytes, datetime]:
        return self._leaf.key_pem, self._leaf.chain_pem, self._leaf.not_after


class TestRuntime(Runtime):
    """The machinery of a process, with a database and a Vault that outlive it."""

    __test__ = False

    def __init__(self, *, database: Database, safe: Safe, **options: Any) -> None:
        super().__init__(on_death=self._died, **options)
        self._given = database
        self._safe = safe
        self.deaths: list[BaseException] = []

    def _died(self, error: BaseException) -> None:
        self.deaths.append(error)

    async def database(self) -> Database:
        await migrate(self._given, self.package)
        return self._given

    @property
    def vault(self) -> Any:
        return self._safe


class Owners(
    authorization_grpc.AuthorizationServiceServicer,
    registry_grpc.RegistryServiceServicer,
    identity_grpc.IdentityServiceServicer,
):
    """The watched tables of authorization, registry and identity; behind a shut gate, silent."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.gates = {name: Gate() for name in ("grants", "directory")}
        self.known = set[str]()
        self.lists: list[Any] = []
        self.tables = {
            name: Table(name=name, database=database, clock=SystemClock())
            for name in ("grants", "catalogue", "directory", "replacements")
        }

    async def publish(self, name: str, *rows: tuple[str, Any]) -> int:
        """Put rows (a message, or None to take one away) into a table; its version."""
        changes = [
            Change(key, None if row is None else row.SerializeToString()) for key, row in rows
        ]
        async with self.database.transaction() as conn:
            version = await self.tables[name].publish(conn, *changes)
        await self.tables[name].refresh()
        return version.version

    async def WatchGrants(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        response = authorization.WatchGrantsResponse
        async for each in self.tables["grants"].respond(requests, response):
            await self.gates["grants"].passing()
            yield each

    async def WatchDirectory(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        response = registry.WatchDirectoryResponse
        async for each in self.tables["directory"].respond(requests, response):
            await self.gates["directory"].passing()
            yield each

    async def ListInstitutions(self, request: Any, context: Any) -> Any:
        """CAPAC has a name; it fills a page, so that who asks must ask on."""
        if request.page_token:
            return registry.ListInstitutionsResponse()
        named = registry.Institution(
            trust=trust.Institution(id="capac"), name=registry.Labels(fr="Caisse auxiliaire")
        )
        return registry.ListInstitutionsResponse(institutions=[named], next_page_token="capac")

    async def ListDataElements(self, request: Any, context: Any) -> Any:
        return registry.ListDataElementsResponse(elements=self.listed(registry.DataElement))

    async def ListCodes(self, request: Any, context: Any) -> Any:
        return registry.ListCodesResponse(codes=self.listed(registry.Code))

    async def ListExchangeServices(self, request: Any, context: Any) -> Any:
        services = self.listed(registry.ExchangeService)
        return registry.ListExchangeServicesResponse(services=services)

    def listed(self, kind: type[Any]) -> list[Any]:
        """What registry lists of a kind: what a test put into `lists`."""
        return [each for each in self.lists if isinstance(each, kind)]

    async def WatchCatalogue(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        response = registry.WatchCatalogueResponse
        async for each in self.tables["catalogue"].respond(requests, response):
            yield each

    async def WatchReplacements(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        response = identity.WatchReplacementsResponse
        async for each in self.tables["replacements"].respond(requests, response):
            yield each

    async def ResolveKeys(self, request: Any, context: Any) -> Any:
        keys = [
            identity.ResolvedKey(known=each in self.known, current_niss=each)
            for each in request.niss
        ]
        return identity.ResolveKeysResponse(keys=keys)
