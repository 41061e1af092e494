"""`crossroads authorization …`: what may be read, by whom, and why; what a draft would change."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from services.cli.output import NOT_VERIFIED, REFUSED, console, emit, fail, run, text_of
from services.cli.platform.home import Home

if TYPE_CHECKING:
    from crossroads.authorization.v1 import authorization_service_pb2 as api
    from services.cli.authorization import Instants
    from services.cli.logged import Reading

app = typer.Typer(no_args_is_help=True, help="What may be read, by whom, and why.")
Holder = Annotated[
    str,
    typer.Option(
        "--as",
        help="As whom: a person's id or <institution>/<application>; "
        "without it, the demo's first auditor.",
    ),
]
Recipient = Annotated[
    str, typer.Option("--for", help="Who would ask: <institution> or <institution>/<application>.")
]
Way = Annotated[str, typer.Option(help="online, asynchronous, event or batch.")]
ValidAt = Annotated[
    str, typer.Option(metavar="INSTANT", help="For when, 2026-03-01 or 2026-03-01T12:00Z; now.")
]
KnownAt = Annotated[
    str, typer.Option(metavar="INSTANT", help="On what was known at that instant; now.")
]
DraftFile = Annotated[
    Path, typer.Argument(help="JSON of authorization.v1.Draft; - reads standard input.")
]
Last = Annotated[int, typer.Option(min=1, max=100_000, help="How many exchanges, newest first.")]
Why = Annotated[str, typer.Option("--reason", help="Why the log is read; it is logged.")]
Under = Annotated[str, typer.Option("--deliberation", help="Only exchanges under this one.")]
Auditor = Annotated[
    str, typer.Option("--as", help="As which auditor; without it, the demo's first.")
]


@app.command()
def check(  # noqa: PLR0917 - typer reads the options from the signature
    service: ServiceName,
    recipient: Recipient = ASKER,
    purpose: Purpose = PURPOSE,
    version: Version = 1,
    element: Elements = None,
    way: Way = "online",
    since: Since = "",
    until: Until = "",
    holder: Holder = "",
    as_json: Json = False,
) -> None:
    """Say whether an exchange would be allowed now; exit code 3 if not."""
    from services.cli import authorization, authorization_text  # noqa: PLC0415 - gRPC

    question = _question(
        service, recipient, purpose, version, element, way=way, since=since, until=until
    )
    taken = run(authorization.check(Home.find(), question, holder), as_json=as_json)
    _decided(taken, authorization_text.decision(taken), as_json=as_json)


@app.command("as-of")
def as_of(  # noqa: PLR0917
    service: ServiceName,
    recipient: Recipient = ASKER,
    purpose: Purpose = PURPOSE,
    version: Version = 1,
    element: Elements = None,
    way: Way = "online",
    since: Since = "",
    until: Until = "",
    valid_at: ValidAt = "",
    known_at: KnownAt = "",
    holder: Holder = "",
    as_json: Json = False,
) -> None:
    """Say whether it was allowed at an instant, on what was known then; exit code 3 if not."""
    from services.cli import authorization, authorization_text  # noqa: PLC0415

    question = _question(
        service, recipient, purpose, version, element, way=way, since=since, until=until
    )
    when = _now(_when(valid_at, known_at))
    taken = run(authorization.as_of(Home.find(), question, when, holder), as_json=as_json)
    _decided(taken, authorization_text.decision(taken), as_json=as_json)


@app.command()
def explain(  # noqa: PLR0917
    service: ServiceName,
    recipient: Recipient = ASKER,
    purpose: Purpose = PURPOSE,
    version: Version = 1,
    element: Elements = None,
    way: Way = "online",
    since: Since = "",
    until: Until = "",
    valid_at: ValidAt = "",
    known_at: KnownAt = "",
    holder: Holder = "",
    as_json: Json = False,
) -> None:
    """Explain a decision: every grant that came near, and each condition that it failed."""
    from services.cli import authorization, authorization_text  # noqa: PLC0415

    question = _question(
        service, recipient, purpose, version, element, way=way, since=since, until=until
    )
    when = _when(valid_at, known_at)
    told = run(authorization.explain(Home.find(), question, when, holder), as_json=as_json)
    if as_json:
        shown = authorization_text.document(told)
        emit(shown | {"decision": authorization_text.document(told.decision)})
    else:
        _print(authorization_text.explanation(told))


@app.command("who-may")
def who_may(
    element: Annotated[str, typer.Argument(help="A data element of the information model.")],
    valid_at: ValidAt = "",
    known_at: KnownAt = "",
    holder: Holder = "",
    as_json: Json = False,
) -> None:
    """List who may read a data element, and the prohibitions that name it."""
    from services.cli import authorization, authorization_text  # noqa: PLC0415

    when = _when(valid_at, known_at)
    found = run(authorization.who_may(Home.find(), element, when, holder), as_json=as_json)
    _show(authorization_text.document(found), authorization_text.access(found), as_json=as_json)


@app.command("what-may")
def what_may(
    institution: Annotated[str, typer.Argument(help="An institution's id.")],
    valid_at: ValidAt = "",
    known_at: KnownAt = "",
    holder: Holder = "",
    as_json: Json = False,
) -> None:
    """List what an institution may read, and the prohibitions that bind it."""
    from services.cli import authorization, authorization_text  # noqa: PLC0415

    when = _when(valid_at, known_at)
    found = run(authorization.what_may(Home.find(), institution, when, holder), as_json=as_json)
    _show(authorization_text.document(found), authorization_text.access(found), as_json=as_json)


@app.command()
def deliberations(
    number: Annotated[str, typer.Argument(help="One of them, with its grants.")] = "",
    version: Annotated[int, typer.Option(min=0, help="Of that one; 0 is the newest.")] = 0,
    holder: Holder = "",
    as_json: Json = False,
) -> None:
    """List the published deliberations, or show one with its grants."""
    from services.cli import authorization, authorization_text  # noqa: PLC0415

    home = Home.find()
    if number:
        one = run(authorization.deliberation(home, number, version, holder), as_json=as_json)
        shown = authorization_text.deliberation(one)
        _show(authorization_text.document(one), shown, as_json=as_json)
        return
    found = run(authorization.deliberations(home, holder), as_json=as_json)
    documents = [authorization_text.document(each) for each in found]
    _show(documents, authorization_text.listed(found), as_json=as_json)


@app.command()
def analyse(draft: DraftFile, holder: Holder = "", as_json: Json = False) -> None:
    """Say what is odd about the grants of a draft."""
    from services.cli import authorization, authorization_text  # noqa: PLC0415

    found = run(_with_draft(draft, authorization.analyse, holder), as_json=as_json)
    documents = [authorization_text.document(each) for each in found]
    _show(documents, authorization_text.findings(found), as_json=as_json)


@app.command()
def simulate(  # noqa: PLR0917
    draft: DraftFile,
    reason: Why,
    last: Last = 1000,
    deliberation: Under = "",
    auditor: Auditor = "",
    as_json: Json = False,
) -> None:
    """Say what a draft, in force, would change in the last exchanges of the log."""
    from services.cli import authorization_text, logged  # noqa: PLC0415

    reading = _reading(auditor, reason, last, deliberation)
    done = run(_with_draft(draft, logged.simulate, reading), as_json=as_json)
    shown = authorization_text.simulated_document(done)
    _show(shown, authorization_text.simulated(done), as_json=as_json)


@app.command()
def replay(
    reason: Why,
    last: Last = 1000,
    deliberation: Under = "",
    auditor: Auditor = "",
    as_json: Json = False,
) -> None:
    """Take the decisions of the last exchanges of the log again; exit code 4 if one differs."""
    from services.cli import authorization_text, logged  # noqa: PLC0415

    reading = _reading(auditor, reason, last, deliberation)
    done = run(logged.replay(Home.find(), reading), as_json=as_json)
    shown = authorization_text.replayed_document(done)
    _show(shown, authorization_text.replayed(done), as_json=as_json)
    if done.different:
        fail(f"{len(done.different)} decisions come out otherwise", NOT_VERIFIED)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write it: empty, or not there.")],
    holder: Annotated[
        str, typer.Option("--as", help="As which administrator; without it, the demo's first.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Write the publication: the whole table as JSON, and pages; exit code 4 if the digest that the
    log has does not fit."""
    from services.cli import authorization  # noqa: PLC0415

    done = run(authorization.export(Home.find(), folder, holder), as_json=as_json)
    text = (
        f"{done.files} files of version {done.version} in {folder}\n"
        f"digest {done.digest}, log entry {done.log_index}"
    )
    _show({"folder": str(folder), **done._asdict()}, text, as_json=as_json)
    if done.computed != done.digest:
        fail(f"the files have another digest: {done.computed}", NOT_VERIFIED)


def _question(
    service: str,
    recipient: str,
    purpose: str,
    version: int,
    elements: list[str] | None,
    **more: str,
) -> "api.CheckRequest":
    from crossroads.authorization.v1 import authorization_service_pb2 as api  # noqa: PLC0415

    ways = [each.removeprefix("WAY_").lower() for each in api.Way.keys()[1:]]
    if more["way"] not in ways:
        raise typer.BadParameter(f"is one of {', '.join(ways)}", param_hint="--way")
    first, last = day(more["since"], "--since"), day(more["until"], "--until")
    institution, _, application = recipient.partition("/")
    return api.CheckRequest(
        institution=institution,
        application=application,
        service=service,
        service_version=version,
        elements=elements or (),
        purpose=purpose,
        way=api.Way.Value(f"WAY_{more['way'].upper()}"),
        data_from=first.isoformat() if first else "",
        data_until=(last + timedelta(days=1)).isoformat() if last else "",
    )


def _when(valid_at: str, known_at: str) -> "Instants":
    from services.cli.authorization import Instants  # noqa: PLC0415

    return Instants(_instant(valid_at, "--valid-at"), _instant(known_at, "--known-at"))


def _now(when: "Instants") -> "Instants":
    """With now in the place of what was left out."""
    now = datetime.now(UTC)
    return when._replace(valid_at=when.valid_at or now, known_at=when.known_at or now)


def _instant(text: str, option: str) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            "is no instant; write 2026-03-01 or 2026-03-01T12:00Z", param_hint=option
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _reading(auditor: str, reason: str, last: int, deliberation: str) -> "Reading":
    from services.cli import authorization, logged  # noqa: PLC0415

    return logged.Reading(authorization.auditor(auditor), reason, last, deliberation)


async def _with_draft(file: Path, call: Any, given: Any) -> Any:
    """Make a call with the draft in a file."""
    from services.cli.dossiers import read_draft  # noqa: PLC0415

    return await call(Home.find(), read_draft(text_of(file)), given)


def _decided(taken: Any, text: str, *, as_json: bool) -> None:
    from services.cli import authorization_text  # noqa: PLC0415

    _show(authorization_text.document(taken), text, as_json=as_json)
    if not taken.permitted:
        raise typer.Exit(REFUSED)


def _show(document: Any, text: str, *, as_json: bool) -> None:
    if as_json:
        emit(document)
    else:
        _print(text)


def _print(text: str) -> None:
    console.print(text, soft_wrap=True, markup=False)
