"""`crossroads log uses`: who used a person's data, read as an auditor."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from google.protobuf import json_format

from crossroads.logging.v1 import evidence_service_pb2 as evidence
from crossroads.logging.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from services.cli.connections import Connections, patiently
from services.cli.platform.home import Home
from services.institution.sector import load

Groups = list[evidence.UseGroup]


async def at_home(
    home: Home, subject: str, *, reason: str, language: str, auditor: str = ""
) -> Groups:
    """All uses of a person's data in the log of a home; the latest group first.

    `auditor`: as whom; "" is the demo's first. Raises CrossroadsError.
    """
    found: Groups = []
    async with Connections(home=home) as connections:
        person = auditor or load().with_role("auditor")[0].id
        stub = await connections.person(person, "logging", EvidenceServiceStub)
        request = evidence.ListUsesRequest(
            subject=subject, reason=reason, language=language, page_size=200
        )
        while True:
            page = await patiently(stub.ListUses, request)
            _merge(found, page.groups)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token


def _merge(found: Groups, page: Any) -> None:
    """Add a page to the groups of the pages before."""
    known = {(each.institution, each.purpose): each for each in found}
    for group in page:
        if (group.institution, group.purpose) in known:
            known[group.institution, group.purpose].uses.extend(group.uses)
        else:
            found.append(group)


def as_text(groups: Groups) -> str:
    """A block for each institution and purpose."""
    return "\n".join(line for group in groups for line in _lines(group)) or "nobody, so far"


def _lines(group: evidence.UseGroup) -> Iterator[str]:
    purpose = f" — {group.purpose_text}" if group.purpose_text else ""
    yield f"{group.institution or 'the platform'}{purpose}"
    for use in group.uses:
        time = use.time.ToDatetime(UTC)
        by = f" ({use.application})" if use.application else ""
        until = ""
        if use.HasField("deferred_until"):
            until = f"; not shown before {use.deferred_until.ToDatetime(UTC):%Y-%m-%d}"
        yield f"  {time:%Y-%m-%d %H:%M:%S}  {use.reason}{by}{until}"
        if use.deliberations:
            yield f"    deliberation {', '.join(use.deliberations)}"
        if use.categories:
            yield f"    {', '.join(each.label for each in use.categories)}"


def as_json(groups: Groups) -> list[dict[str, Any]]:
    """The same as a JSON document."""
    return [json_format.MessageToDict(each, preserving_proto_field_name=True) for each in groups]
