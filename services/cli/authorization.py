"""The calls behind `crossroads authorization`: what may be read, by whom, and why.

Contract: each function opens the channels that it needs, as `holder`: a person's id, or
"<institution>/<application>"; "" is the demo's first auditor. Raises CrossroadsError,
PlatformError.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import decision_service_pb2 as decisions
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from crossroads.authorization.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from crossroads.authorization.v1.decision_service_pb2_grpc import DecisionServiceStub
from crossroads.authorization.v1.deliberation_service_pb2_grpc import DeliberationServiceStub
from services.cli.connections import Connections, patiently
from services.cli.platform.home import Home, PlatformError
from services.institution.sector import load

PAGE = 1000


class Instants(NamedTuple):
    """For when, and on what was known when; None: now. Aware."""

    valid_at: datetime | None = None
    known_at: datetime | None = None


class Exported(NamedTuple):
    """An edition of the publication, as it was written: the digest that the log has, and of what
    came."""

    files: int
    version: int
    digest: str
    computed: str
    log_index: int


def auditor(holder: str) -> str:
    """Who that is; "" stands for the demo's first auditor."""
    return holder or load().with_role("auditor")[0].id


async def check(home: Home, question: api.CheckRequest, holder: str) -> api.CheckResponse:
    """Would it be allowed now?"""
    async with _stub(home, holder, DecisionServiceStub) as stub:
        asked = decisions.CheckManyRequest(checks=[question])
        answered: decisions.CheckManyResponse = await patiently(stub.CheckMany, asked)
        return answered.decisions[0]


async def explain(
    home: Home, question: api.CheckRequest, when: Instants, holder: str
) -> decisions.ExplainResponse:
    """The decision, and the grants that came near."""
    async with _stub(home, holder, DecisionServiceStub) as stub:
        request = decisions.ExplainRequest(check=question)
        _date(request, when)
        explained: decisions.ExplainResponse = await patiently(stub.Explain, request)
        return explained


async def as_of(
    home: Home, question: api.CheckRequest, when: Instants, holder: str
) -> decisions.Decision:
    """The decision for an instant of the world, on what was known at another."""
    async with _stub(home, holder, DecisionServiceStub) as stub:
        request = decisions.CheckAsOfRequest(check=question)
        _date(request, when)
        return (await patiently(stub.CheckAsOf, request)).decision  # type: ignore[no-any-return]


async def who_may(
    home: Home, element: str, when: Instants, holder: str
) -> decisions.WhoMayResponse:
    """Every row by which a data element may be read, or that takes it away."""
    async with _stub(home, holder, DecisionServiceStub) as stub:
        request = decisions.WhoMayRequest(element=element, page_size=PAGE)
        _date(request, when)
        return await _all(stub.WhoMay, request, "access")  # type: ignore[no-any-return]


async def what_may(
    home: Home, institution: str, when: Instants, holder: str
) -> decisions.WhatMayResponse:
    """Every row of an institution, and those that bind everybody."""
    async with _stub(home, holder, DecisionServiceStub) as stub:
        request = decisions.WhatMayRequest(institution=institution, page_size=PAGE)
        _date(request, when)
        return await _all(stub.WhatMay, request, "access")  # type: ignore[no-any-return]


async def deliberations(home: Home, holder: str) -> list[api.Deliberation]:
    """The published ones, newest first, without their grants."""
    async with _stub(home, holder, AuthorizationServiceStub) as stub:
        request = api.ListDeliberationsRequest(page_size=PAGE)
        return list((await _all(stub.ListDeliberations, request, "deliberations")).deliberations)


async def deliberation(home: Home, number: str, version: int, holder: str) -> api.Deliberation:
    """One, with all its grants. `version` 0: the newest."""
    async with _stub(home, holder, AuthorizationServiceStub) as stub:
        request = api.GetDeliberationRequest(number=number, version=version, page_size=PAGE)
        page = await patiently(stub.GetDeliberation, request)
        found: api.Deliberation = page.deliberation
        while page.next_page_token:
            request.page_token = page.next_page_token
            page = await patiently(stub.GetDeliberation, request)
            found.grants.extend(page.deliberation.grants)
        return found


async def analyse(home: Home, draft: life.Draft, holder: str) -> list[life.Finding]:
    """What is odd about the grants of a draft."""
    async with _stub(home, holder, DeliberationServiceStub) as stub:
        request = life.AnalyseDraftRequest(draft=draft)
        return list((await patiently(stub.AnalyseDraft, request)).findings)


async def export(home: Home, folder: Path, holder: str) -> Exported:
    """Write the publication into a folder that is empty or not there."""
    _require_empty(folder)
    holder = holder or load().with_role("administrator")[0].id
    hashes: dict[str, Any] = {}
    first: life.ExportPublicationResponse | None = None
    async with _stub(home, holder, DeliberationServiceStub) as stub:
        async for piece in stub.ExportPublication(life.ExportPublicationRequest()):
            first = first or piece
            file = _inside(folder, piece.path)
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as written:
                written.write(piece.content)
            hashes.setdefault(piece.path, hashlib.sha256()).update(piece.content)
    if first is None:
        raise PlatformError("nothing was published yet")
    lines = "".join(f"{hashes[path].hexdigest()}  {path}\n" for path in sorted(hashes))
    computed = hashlib.sha256(lines.encode()).hexdigest()
    return Exported(len(hashes), first.version, first.digest.hex(), computed, first.log_index)


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PlatformError(f"{folder} holds something already; name an empty folder")


def _inside(folder: Path, path: str) -> Path:
    file = (folder / path).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise PlatformError(f"authorization named a file outside of the publication: {path}")
    return file


@asynccontextmanager
async def _stub(home: Home, holder: str, stub: Any) -> AsyncIterator[Any]:
    who = auditor(holder)
    async with Connections(home=home) as connections:
        opening = connections.application if "/" in who else connections.person
        yield await opening(who, "authorization", stub)


async def _all(call: Any, request: Any, field: str) -> Any:
    """The first page with what the others hold."""
    first = page = await patiently(call, request)
    while page.next_page_token:
        request.page_token = page.next_page_token
        page = await patiently(call, request)
        getattr(first, field).extend(getattr(page, field))
    first.next_page_token = ""
    return first


def _date(request: Any, when: Instants) -> None:
    for field, instant in when._asdict().items():
        if instant is not None:
            getattr(request, field).FromDatetime(instant)
