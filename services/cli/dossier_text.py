"""What `crossroads deliberation` shows: for people, and as JSON documents. Pure.

Contract: digests are hexadecimal, versions and indices of the log numbers.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

from google.protobuf import json_format

from crossroads.authorization.v1 import authorization_service_pb2 as api
from crossroads.authorization.v1 import deliberation_service_pb2 as life
from services.cli.authorization_text import row

NEXT = {
    "draft": "opinion, by the applicant's security officer",
    "opinion": "admit, by a member of the chamber",
    "admit": "advise, by a committee member, an administrator or an auditor who will not vote",
    "advise": "vote, by more than half of the chamber; then close, by one who voted",
    "close": "publish, by a member of the committee who had no part in the decision",
    "transcribe": "publish, by another member of the committee",
}


def done(step: str, dossier: str, *, follows: bool = True) -> str:
    """What was done to a dossier, and what may follow."""
    lines = [f"{dossier}  {step}: done and logged"]
    if follows and step in NEXT:
        lines.append(f"  next: {NEXT[step]}")
    return "\n".join(lines)


def counted(dossier: str, votes: life.CloseVoteResponse) -> str:
    """How a chamber decided."""
    outcome = "adopted" if votes.adopted else "rejected"
    lines = [
        f"{dossier}  {outcome}: {votes.in_favour} in favour, {votes.against} against, "
        f"{votes.abstained} abstained, of {votes.members} members"
    ]
    if votes.adopted:
        lines.append(f"  next: {NEXT['close']}")
    return "\n".join(lines)


def counted_document(dossier: str, votes: life.CloseVoteResponse) -> dict[str, Any]:
    """The same as a JSON document."""
    return {
        "dossier_id": dossier,
        "adopted": votes.adopted,
        "in_favour": votes.in_favour,
        "against": votes.against,
        "abstained": votes.abstained,
        "members": votes.members,
    }


def published(
    what: str, done: life.PublishDossierResponse | api.PublishDeliberationResponse
) -> str:
    """What a publication gave."""
    document = published_document(what, done)
    entry = document.get("enters_into_force")
    return (
        f"{document['number']}  published"
        + (f", version {document['deliberation_version']}, in force from {entry}" if entry else "")
        + f"\n  table version {done.version}, log entry {done.log_index}"
    )


def published_document(
    what: str, done: life.PublishDossierResponse | api.PublishDeliberationResponse
) -> dict[str, Any]:
    """The same as a JSON document; `what` is the number of a transcription."""
    shown: dict[str, Any] = {"number": what}
    if isinstance(done, life.PublishDossierResponse):
        shown = {
            "dossier_id": what,
            "number": done.number,
            "deliberation_version": done.deliberation_version,
            "enters_into_force": done.enters_into_force.ToJsonString(),
        }
    return shown | {
        "table_version": done.version,
        "table_digest": done.digest.hex(),
        "log_index": done.log_index,
    }


def ended(what: str, verb: str, version: int, index: int, known: Iterable[api.Subscriber]) -> str:
    """What is over, and who did not confirm that they know."""
    lines = [f"{what}  {verb}", f"  table version {version}, log entry {index}"]
    late = sorted(each.name for each in known if not each.confirmed)
    if late:
        lines.append(
            f"  not confirmed by {', '.join(late)}: may decide on an older version for 2 s yet"
        )
    return "\n".join(lines)


def ended_document(
    name: str, what: str, version: int, index: int, known: Iterable[api.Subscriber]
) -> dict[str, Any]:
    """The same as a JSON document; `name` is the field of `what`."""
    return {
        name: what,
        "table_version": version,
        "log_index": index,
        "subscribers": [
            {"name": each.name, "version": each.version, "confirmed": each.confirmed}
            for each in known
        ],
    }


def lifted(number: str, done: life.LiftSuspensionResponse) -> str:
    """How far the lifting of a suspension is."""
    if done.missing:
        return f"{number}  lifting proposed\n  next: lift, by another member of the committee"
    return f"{number}  lifted\n  table version {done.version}, log entry {done.log_index}"


def lifted_document(number: str, done: life.LiftSuspensionResponse) -> dict[str, Any]:
    """The same as a JSON document."""
    shown: dict[str, Any] = {"number": number, "missing": done.missing}
    if not done.missing:
        shown |= {"table_version": done.version, "log_index": done.log_index}
    return shown


def dossier(one: life.Dossier) -> str:
    """A dossier: what is asked for, and what was done."""
    draft = one.draft
    lines = [
        _line(one),
        f"  chamber: {api.Chamber.Name(draft.chamber).removeprefix('CHAMBER_').lower()}",
        f"  scope: {', '.join(draft.scope.recipients)}; {', '.join(draft.scope.purposes)}",
    ]
    if draft.amends:
        lines.append(f"  amends {draft.amends}")
    texts = (("fr", draft.text_fr), ("nl", draft.text_nl), ("de", draft.text_de))
    lines += [f"  {language}: {text}" for language, text in texts if text]
    if one.number:
        lines.append(f"  published as {one.number}")
    missing = [name[-2:] for name in ("text_fr", "text_nl", "text_de", "title_de")
               if not getattr(draft, name).strip()]  # fmt: skip
    if missing:
        lines.append(f"  not publishable yet: text or title is missing in {_languages(missing)}")
    lines += [line for place, grant in enumerate(draft.grants, 1) for line in _grant(place, grant)]
    for act in one.acts:
        at = act.at.ToDatetime(UTC)
        outcome = f" {act.outcome.replace('_', ' ')}" if act.outcome else ""
        lines.append(f"{at:%Y-%m-%d %H:%M}Z  {act.act}{outcome}, {act.by}, log {act.log_index}")
        if act.text:
            lines.append(f"    {act.text}")
    return "\n".join(lines)


def listed(found: Sequence[life.Dossier]) -> str:
    """A line for each dossier."""
    return "\n".join(map(_line, found)) or "none that you may read"


def dossier_document(one: life.Dossier) -> dict[str, Any]:
    """A dossier as a JSON document."""
    shown: dict[str, Any] = json_format.MessageToDict(
        one, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for act in shown["acts"]:
        act["log_index"] = int(act["log_index"])
    return shown


def _line(one: life.Dossier) -> str:
    stage = life.Stage.Name(one.stage).removeprefix("STAGE_").lower()
    title = one.draft.title_en or one.draft.title_fr
    return f"{one.id}  {stage:<12} {one.institution}  {title}"


def _grant(place: int, grant: api.Grant) -> Iterable[str]:
    named = api.Grant()
    named.CopyFrom(grant)
    named.id = f"#{place}"
    return row(named)


def _languages(names: Sequence[str]) -> str:
    return ", ".join(sorted({name.upper() for name in names}))
