"""authorization.v1.DecisionService: messages to the model, one operation each, and back."""

from typing import Any

from crossroads.authorization.v1 import decision_service_pb2 as api
from crossroads.authorization.v1.decision_service_pb2_grpc import DecisionServiceServicer
from services.authorization import decision_wire as wire
from services.authorization.decisions import Decisions, Past
from services.authorization.model import Asker
from services.authorization.replay import read, replay
from services.runtime.peer import current_peer


class DecisionServicer(DecisionServiceServicer):
    """Decisions for others. `past` is the table at earlier versions."""

    def __init__(self, *, decisions: Decisions, past: Past) -> None:
        self._decisions = decisions
        self._past = past

    async def CheckMany(self, request: api.CheckManyRequest, context: Any) -> api.CheckManyResponse:
        """Would these exchanges be allowed now?"""
        own = current_peer().application
        questions = [
            wire.request_from(each, own, f"checks[{place}].")
            for place, each in enumerate(request.checks)
        ]
        taken = self._decisions.check_many(questions, _asker())
        return api.CheckManyResponse(decisions=map(wire.check_to, taken))

    async def Explain(self, request: api.ExplainRequest, context: Any) -> api.ExplainResponse:
        """Why, and what came near."""
        question = wire.request_from(request.check, "", "check.")
        when = wire.instants_from(request)
        return wire.explanation_to(await self._decisions.explain(question, when, _asker()))

    async def CheckAsOf(self, request: api.CheckAsOfRequest, context: Any) -> api.CheckAsOfResponse:
        """Was it allowed then, on what was known then?"""
        question = wire.request_from(request.check, current_peer().application, "check.")
        when = wire.instants_from(request)
        taken = await self._decisions.check_as_of(question, when, _asker())
        return api.CheckAsOfResponse(decision=wire.decision_to(taken))

    async def WhoMay(self, request: api.WhoMayRequest, context: Any) -> api.WhoMayResponse:
        """Who may read a data element?"""
        page = await self._decisions.who_may(
            request.element, wire.instants_from(request), request.page_size, request.page_token
        )
        return api.WhoMayResponse(
            access=wire.access_to(page.access),
            next_page_token=page.next_token,
            table_version=page.table.version,
            table_digest=page.table.digest,
        )

    async def WhatMay(self, request: api.WhatMayRequest, context: Any) -> api.WhatMayResponse:
        """What may an institution read?"""
        page = await self._decisions.what_may(
            request.institution, wire.instants_from(request), request.page_size, request.page_token
        )
        return api.WhatMayResponse(
            access=wire.access_to(page.access),
            next_page_token=page.next_token,
            table_version=page.table.version,
            table_digest=page.table.digest,
        )

    async def Replay(self, request: api.ReplayRequest, context: Any) -> api.ReplayResponse:
        """Take logged decisions again."""
        done = await replay(read(request.audits), self._past)
        return api.ReplayResponse(
            replayed=[
                api.Replayed(same=not each.differences, differences=each.differences)
                for each in done
            ]
        )


def _asker() -> Asker:
    peer = current_peer()
    return Asker(peer.institution, peer.application, peer.person)
