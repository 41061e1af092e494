"""The life of a dossier, from draft to publication: whose turn it is, and who may not. Pure.

Contract: `after` gives the dossier with one more act, or FAILED_PRECONDITION if it is out of turn.
`require_may` raises SECOND_PERSON_REQUIRED or CALLER_NOT_ALLOWED. Who proposed never decides; who
had a part in the decision never publishes; who recused themselves does nothing more. Nobody who
acts for the applicant or an institution that gains does more than propose (architecture, "Trust").
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.authorization.model import Chamber, Grant, Scope, gaining
from services.runtime.errors import CrossroadsError, Reason

MINIMUM_VOTES = 2
"""So many must vote, and vote in favour, however small the chamber is."""


class Stage(StrEnum):
    """Where a dossier is."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    ADMISSIBLE = "ADMISSIBLE"
    INADMISSIBLE = "INADMISSIBLE"
    ADVISED = "ADVISED"
    ADOPTED = "ADOPTED"
    REJECTED = "REJECTED"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"


class Step(StrEnum):
    """What can be done to a dossier."""

    DRAFT = "draft"
    OPINION = "opinion"
    ADMIT = "admit"
    ADVICE = "advice"
    RECUSE = "recuse"
    VOTE = "vote"
    CLOSE = "close"
    PUBLISH = "publish"
    WITHDRAW = "withdraw"


_OPEN = frozenset({Stage.DRAFT, Stage.SUBMITTED, Stage.ADMISSIBLE, Stage.ADVISED, Stage.ADOPTED})
_TURN: Mapping[Step, frozenset[Stage]] = {
    Step.DRAFT: frozenset({Stage.DRAFT, Stage.SUBMITTED}),
    Step.OPINION: frozenset({Stage.DRAFT}),
    Step.ADMIT: frozenset({Stage.SUBMITTED}),
    Step.ADVICE: frozenset({Stage.ADMISSIBLE}),
    Step.RECUSE: frozenset({Stage.ADMISSIBLE, Stage.ADVISED}),
    Step.VOTE: frozenset({Stage.ADVISED}),
    Step.CLOSE: frozenset({Stage.ADVISED}),
    Step.PUBLISH: frozenset({Stage.ADOPTED}),
    Step.WITHDRAW: _OPEN,
}
_LEADS: Mapping[tuple[Step, str], Stage] = {
    (Step.DRAFT, ""): Stage.DRAFT,
    (Step.OPINION, "favourable"): Stage.SUBMITTED,
    (Step.OPINION, "unfavourable"): Stage.SUBMITTED,
    (Step.ADMIT, "admissible"): Stage.ADMISSIBLE,
    (Step.ADMIT, "inadmissible"): Stage.INADMISSIBLE,
    (Step.ADVICE, "favourable"): Stage.ADVISED,
    (Step.ADVICE, "unfavourable"): Stage.ADVISED,
    (Step.CLOSE, "adopted"): Stage.ADOPTED,
    (Step.CLOSE, "rejected"): Stage.REJECTED,
    (Step.PUBLISH, ""): Stage.PUBLISHED,
    (Step.WITHDRAW, ""): Stage.WITHDRAWN,
}
IN_FAVOUR, AGAINST, ABSTAIN = "in_favour", "against", "abstain"
_PROPOSING = frozenset({Step.DRAFT, Step.OPINION})
_SITTING = frozenset({Step.ADMIT, Step.RECUSE, Step.VOTE, Step.CLOSE})
_DECIDING = (Step.ADMIT, Step.ADVICE, Step.VOTE, Step.CLOSE)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What an institution asks for. Ids of grants are "#<n>" until there is a number."""

    title_fr: str
    title_nl: str
    title_de: str
    title_en: str
    text_fr: str
    text_nl: str
    text_de: str
    chamber: Chamber
    scope: Scope
    grants: tuple[Grant, ...]
    amends: str = ""
    enters_into_force: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Act:
    """One act on a dossier. `by`: a person id, or "institution/<id>/<application>"."""

    step: Step
    by: str
    at: datetime
    outcome: str = ""
    text: str = ""
    log_index: int = 0


@dataclass(frozen=True)
class Actor:
    """Who acts: for whom ("": the platform), and in which chambers a person sits."""

    id: str
    institution: str
    chambers: frozenset[Chamber] = frozenset()
    committee: bool = False


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """A request with all that was done to it. `institution` is the applicant."""

    id: UUID
    institution: str
    draft: Draft
    stage: Stage = Stage.DRAFT
    acts: tuple[Act, ...] = ()
    number: str = ""
    amends_version: int = 0
    """Of the deliberation that it amends: the version that was there when this was drafted."""
    bound: frozenset[str] = frozenset()
    """Whom the prohibitions of what it amends bind: they may gain by it. Not recorded."""

    def who(self, *steps: Step) -> frozenset[str]:
        """Everybody who did one of these."""
        return frozenset(act.by for act in self.acts if act.step in steps)


class Count(NamedTuple):
    """The votes that count."""

    in_favour: int
    against: int
    abstained: int
    members: int

    @property
    def adopted(self) -> bool:
        """Whether they adopt it."""
        return self.in_favour > self.against and self.in_favour >= MINIMUM_VOTES

    @property
    def quorum(self) -> int:
        """How many must have voted: more than half of the chamber, recused members included."""
        return max(MINIMUM_VOTES, self.members // 2 + 1)


def after(dossier: Dossier, act: Act) -> Dossier:
    """The dossier with this act done."""
    require_turn(dossier, act.step)
    stage = _LEADS.get((act.step, act.outcome), dossier.stage)
    return replace(dossier, stage=stage, acts=(*dossier.acts, act))


def require_turn(dossier: Dossier, step: Step) -> None:
    """Raise FAILED_PRECONDITION unless it is the turn of this."""
    if dossier.stage not in _TURN[step]:
        when = ", ".join(sorted(_TURN[step]))
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION,
            f"the dossier is {dossier.stage}; this is done to one that is {when}",
        )


def require_may(dossier: Dossier, step: Step, actor: Actor) -> None:
    """Raise unless this actor may do this to this dossier now; roles were looked at before."""
    if step in _PROPOSING or (step is Step.WITHDRAW and not actor.committee):
        if not actor.institution or actor.institution != dossier.institution:
            raise _not_allowed("only the applicant institution and its security officer may do so")
        return
    if step is Step.WITHDRAW:
        return
    if not independent(dossier, actor):
        raise CrossroadsError(
            Reason.SECOND_PERSON_REQUIRED,
            "who proposed, or acts for the applicant or for an institution that gains, has no part "
            "in the decision; others must do so",
        )
    if step in _SITTING and dossier.draft.chamber not in actor.chambers:
        raise _not_allowed(f"only members of the chamber {dossier.draft.chamber} may do so")
    _require_once(dossier, step, actor)


def independent(dossier: Dossier, actor: Actor) -> bool:
    """Whether a person neither proposed this nor acts for anybody who gains by it."""
    gains = gaining(dossier.draft.grants) | dossier.bound | {dossier.institution}
    return actor.id not in dossier.who(*_PROPOSING) and actor.institution not in gains


def _require_once(dossier: Dossier, step: Step, actor: Actor) -> None:
    """Nobody votes twice or on the own advice, nor does anything after a recusal; who had a part
    in the decision does not publish."""
    voted = actor.id in dossier.who(Step.VOTE)
    if actor.id in dossier.who(Step.RECUSE):
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION, "you have recused yourself; another member must do so"
        )
    if step is Step.PUBLISH and actor.id in dossier.who(*_DECIDING):
        raise CrossroadsError(
            Reason.SECOND_PERSON_REQUIRED,
            "who admitted, advised, or voted does not publish; another member must",
        )
    if step is Step.VOTE and actor.id in dossier.who(Step.ADVICE):
        raise CrossroadsError(
            Reason.SECOND_PERSON_REQUIRED, "who gave the advice does not vote on it"
        )
    if step in (Step.VOTE, Step.RECUSE) and voted:
        raise CrossroadsError(Reason.FAILED_PRECONDITION, "you have voted; a vote stands")
    if step is Step.CLOSE and not voted:
        raise _not_allowed("a member who voted closes the vote")


def count(dossier: Dossier, members: Mapping[str, Actor]) -> Count:
    """The votes of those who sit in the chamber (`members`, by id) and are independent still.

    Raises FAILED_PRECONDITION while there is no quorum.
    """
    valid = [
        act.outcome
        for act in dossier.acts
        if act.step is Step.VOTE and act.by in members and independent(dossier, members[act.by])
    ]
    votes = Count(valid.count(IN_FAVOUR), valid.count(AGAINST), valid.count(ABSTAIN), len(members))
    if len(valid) < votes.quorum:
        raise CrossroadsError(
            Reason.FAILED_PRECONDITION,
            f"{len(valid)} of {votes.members} members have a vote that counts; "
            f"{votes.quorum} are needed",
        )
    return votes


def compiled(draft: Draft, number: str, first: int, entry: datetime) -> tuple[Grant, ...]:
    """The grants of a draft as rows `first`, … of the deliberation `number`, none valid before
    `entry`."""
    return tuple(
        replace(grant, id=f"{number}#{place}", valid_from=max(grant.valid_from or entry, entry))
        for place, grant in enumerate(draft.grants, first)
    )


def _not_allowed(text: str) -> CrossroadsError:
    return CrossroadsError(Reason.CALLER_NOT_ALLOWED, text)
