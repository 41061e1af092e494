"""`crossroads exchange` and `crossroads trace`."""

from typing import Annotated, Any

import typer

from services.cli import showing
from services.cli.demo import ASKER, PURPOSE
from services.cli.options import (
    Elements,
    Json,
    Purpose,
    ServiceName,
    Since,
    Until,
    Version,
    day,
)
from services.cli.output import FAULT, console, emit, fail, guarded, run
from services.cli.platform import instance, ports
from services.cli.platform.home import Home

Asker = Annotated[str, typer.Option("--as", help="Who asks: <institution>/<application>.")]
Subject = Annotated[
    str, typer.Option(help="The person's key, 11 digits; without it, the demo's person.")
]
Fields = Annotated[str, typer.Option(help="Fields of the service's question message, as JSON.")]
RequestId = Annotated[
    str, typer.Option(help="For idempotency: a repeat with the same id is the same exchange.")
]
Ticket = Annotated[str, typer.Option(help="The caller's own reference.")]


def add(app: typer.Typer) -> None:
    """Add both commands to the application."""
    app.command()(exchange)
    app.command()(trace)


def exchange(  # noqa: PLR0917 - typer reads the options from the signature
    service: ServiceName,
    asker: Asker = ASKER,
    subject: Subject = "",
    purpose: Purpose = PURPOSE,
    version: Version = 1,
    question: Fields = "",
    element: Elements = None,
    since: Since = "",
    until: Until = "",
    request_id: RequestId = "",
    ticket: Ticket = "",
    as_json: Json = False,
) -> None:
    """Ask an authentic source about one person, as an institution of the demo would.

    Examples: crossroads exchange list · crossroads exchange household · crossroads exchange address
    --as cpas-namur/inquiries --purpose SOCIAL_INQUIRY --subject 11DIGITS
    """
    home = Home.find()
    if service == "list":
        run(_catalogue(home, asker, as_json=as_json), as_json=as_json)
        return
    period = (day(since, "--since"), day(until, "--until"))
    values = {
        "asker": asker,
        "service": service,
        "subject": subject,
        "purpose": purpose,
        "version": version,
        "question": question,
        "elements": tuple(element or ()),
        "period": period if any(period) else None,
        "request_id": request_id,
        "ticket": ticket,
    }
    run(_exchange(home, values, as_json=as_json), as_json=as_json)


def trace(
    trace_id: Annotated[str, typer.Argument(help="32 hexadecimal digits.")], as_json: Json = False
) -> None:
    """Show a recent trace as a waterfall."""
    from dataclasses import asdict  # noqa: PLC0415

    from services.cli.otlp import fetch  # noqa: PLC0415 - gRPC

    home = Home.find()
    with guarded():
        instance.require_running(home)
    spans = run(fetch(f"{ports.LOOPBACK}:{ports.known(home)['otlp']}", trace_id))
    if not spans:
        fail("no spans of that trace are kept: it is too old, or was not sampled", FAULT)
    if as_json:
        emit([asdict(each) for each in spans])
    else:
        showing.trace(console, trace_id, spans)


async def _exchange(home: Home, values: dict[str, Any], *, as_json: bool) -> None:
    from services.cli import asking  # noqa: PLC0415
    from services.cli.connections import Connections  # noqa: PLC0415

    async with Connections(home=home) as connections:
        tracing = asking.Tracing(address=connections.address("otlp"))
        asked = asking.Question(**values | {"subject": values["subject"] or _demo_subject(home)})
        try:
            catalogue = await asking.services(connections, asked.asker)
            described = asking.find(catalogue, asked.service, asked.version)
            answered = await asking.ask(connections, tracing, described, asked)
            spans = [] if as_json else await tracing.spans(answered.trace_id)
        finally:
            await tracing.close()
    if as_json:
        emit(asking.as_json(answered))
        return
    rows = [
        ("deliberations", ", ".join(answered.deliberations)),
        ("data elements", ", ".join(answered.elements)),
    ]
    if answered.current_key:
        rows.append(("replaced key", f"the answer is about {answered.current_key}"))
    if answered.not_integrated:
        rows.append(("integration", "the person is not integrated; this grant allows it"))
    showing.facts(console, "decision", rows)
    showing.answer(console, answered)
    showing.receipt(console, answered)
    showing.trace(console, answered.trace_id, spans)


async def _catalogue(home: Home, asker: str, *, as_json: bool) -> None:
    from services.cli import asking  # noqa: PLC0415
    from services.cli.connections import Connections  # noqa: PLC0415
    from services.cli.payload import question_fields  # noqa: PLC0415

    async with Connections(home=home) as connections:
        catalogue = await asking.services(connections, asker)
    rows: list[dict[str, Any]] = [
        {
            "service": each.id,
            "version": each.version,
            "title": each.title.en,
            "question": question_fields(each),
            "sources": list(each.sources),
            "elements": list(each.elements),
        }
        for each in catalogue
    ]
    if as_json:
        emit(rows)
        return
    for row in rows:
        fields = ", ".join(row["question"]) or "no field"
        text = f"{row['title']}; question: {fields}; from {', '.join(row['sources'])}"
        showing.facts(console, f"{row['service']} version {row['version']}", [("", text)])


def _demo_subject(home: Home) -> str:
    from services.cli.demo.starting import population_file  # noqa: PLC0415
    from services.institution.population import Store  # noqa: PLC0415

    with Store(path=population_file(home)) as store:
        return store.subjects().demo
