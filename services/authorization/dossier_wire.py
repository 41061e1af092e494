"""Between the API's messages and dossiers: drafts, scopes, acts.

Contract: `draft_from` and `draft_to` are inverse; grants of a draft are terms only, "#1", "#2", ….
"""

from datetime import UTC

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import deliberation_service_pb2 as messages
from services.authorization.lifecycle import Act, Dossier, Draft, Stage
from services.authorization.model import Chamber, PublishedGrant
from services.authorization.previews import Simulation
from services.authorization.wire import grant_from, grant_to, scope_from, scope_to, stamp


def draft_from(message: messages.Draft) -> Draft:
    """What an institution asks for."""
    entry = message.enters_into_force
    return Draft(
        amends=message.amends,
        title_fr=message.title_fr,
        title_nl=message.title_nl,
        title_de=message.title_de,
        title_en=message.title_en,
        text_fr=message.text_fr,
        text_nl=message.text_nl,
        text_de=message.text_de,
        chamber=Chamber(api.Chamber.Name(message.chamber).removeprefix("CHAMBER_")),
        scope=scope_from(message.scope),
        grants=tuple(grant_from(grant, f"#{n}") for n, grant in enumerate(message.grants, 1)),
        enters_into_force=(
            entry.ToDatetime(tzinfo=UTC) if message.HasField("enters_into_force") else None
        ),
    )


def draft_to(draft: Draft) -> messages.Draft:
    """A draft as it was given."""
    return messages.Draft(
        amends=draft.amends,
        title_fr=draft.title_fr,
        title_nl=draft.title_nl,
        title_de=draft.title_de,
        title_en=draft.title_en,
        text_fr=draft.text_fr,
        text_nl=draft.text_nl,
        text_de=draft.text_de,
        chamber=api.Chamber.Value(f"CHAMBER_{draft.chamber}"),
        scope=scope_to(draft.scope),
        grants=[grant_to(PublishedGrant(grant, "", "", "")) for grant in draft.grants],
        enters_into_force=stamp(draft.enters_into_force),
    )


def stage_from(number: int) -> Stage | None:
    """A stage; None for none."""
    name = messages.Stage.Name(messages.Stage.ValueType(number))
    return Stage(name.removeprefix("STAGE_")) if number else None


def dossier_to(dossier: Dossier) -> messages.Dossier:
    """A dossier with its acts."""
    return messages.Dossier(
        id=str(dossier.id),
        institution=dossier.institution,
        stage=messages.Stage.Value(f"STAGE_{dossier.stage}"),
        draft=draft_to(dossier.draft),
        acts=map(_act_to, dossier.acts),
        number=dossier.number,
    )


def _act_to(act: Act) -> messages.DossierAct:
    return messages.DossierAct(
        act=act.step,
        by=act.by,
        at=stamp(act.at),
        outcome=act.outcome,
        text=act.text,
        log_index=act.log_index,
    )


def simulation_to(done: Simulation) -> messages.SimulateDraftResponse:
    """What a draft would change."""
    return messages.SimulateDraftResponse(
        newly_permitted=done.newly_permitted,
        newly_refused=done.newly_refused,
        altered=done.altered,
        unchanged=done.unchanged,
        changes=[
            messages.SimulatedChange(
                audit=each.place,
                permitted_now=each.now.permitted,
                permitted_then=each.then.permitted,
                gained=sorted(set(each.then.elements) - set(each.now.elements)),
                lost=sorted(set(each.now.elements) - set(each.then.elements)),
            )
            for each in done.changes
        ],
    )
