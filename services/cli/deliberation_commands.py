"""`crossroads deliberation …`: from an institution's draft to what a chamber decided, and after."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from services.cli.options import Json
from services.cli.output import console, emit, run, text_of
from services.cli.platform.home import Home

if TYPE_CHECKING:
    from services.cli.dossiers import Desk

app = typer.Typer(no_args_is_help=True, help="Acts on deliberations: draft, vote, publish, end.")

Who = Annotated[
    str,
    typer.Option(
        "--as",
        help="Who acts: a person's id or <institution>/<application> of this directory; "
        "with --address, a folder with key.pem and cert.pem.",
    ),
]
DossierId = Annotated[str, typer.Argument(help="A dossier's id, as `draft` and `list` tell it.")]
Either = Annotated[
    str, typer.Argument(help="A dossier's id, or the number of a deliberation such as 26/001.")
]
Number = Annotated[str, typer.Argument(help="The number of a published deliberation.")]
Text = Annotated[str, typer.Option("--text", help="The grounds; they stay in the dossier.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is logged.")]
Favour = Annotated[bool, typer.Option("--favourable/--unfavourable", help="What it says.")]
JsonFile = Annotated[Path, typer.Argument(help="JSON; - reads standard input.")]


class Elsewhere(NamedTuple):
    """Where authorization is, if not on the platform of this directory."""

    address: str
    authority: Path | None


@app.callback()
def deliberation(
    ctx: typer.Context,
    address: Annotated[str, typer.Option(help="Elsewhere: authorization, host:port.")] = "",
    authority: Annotated[
        Path | None, typer.Option(help="Elsewhere: who certifies services (PEM).")
    ] = None,
) -> None:
    """Acts on deliberations: draft, vote, publish, end."""
    ctx.obj = Elsewhere(address, authority)


@app.command()
def draft(  # noqa: PLR0917 - typer reads the options from the signature
    ctx: typer.Context,
    file: JsonFile,
    who: Who,
    dossier: Annotated[str, typer.Option(help="The dossier to rewrite; none opens one.")] = "",
    amends: Annotated[str, typer.Option(help="The number of the deliberation to amend.")] = "",
    as_json: Json = False,
) -> None:
    """Ask for a deliberation, by a Draft of authorization/v1; rewriting asks for a new opinion."""
    from services.cli import dossiers  # noqa: PLC0415 - gRPC

    async def work() -> str:
        return await dossiers.draft(_desk(ctx, who), text_of(file), dossier, amends)

    _done("draft", run(work(), as_json=as_json), as_json=as_json)


@app.command()
def opinion(  # noqa: PLR0917
    ctx: typer.Context,
    dossier: DossierId,
    who: Who,
    text: Text,
    favourable: Favour,
    as_json: Json = False,
) -> None:
    """Give the opinion of the applicant's security officer."""
    from services.cli import dossiers  # noqa: PLC0415

    run(dossiers.opinion(_desk(ctx, who), dossier, favourable, text), as_json=as_json)
    _done("opinion", dossier, as_json=as_json)


@app.command()
def admit(  # noqa: PLR0917
    ctx: typer.Context,
    dossier: DossierId,
    who: Who,
    text: Text,
    admissible: Annotated[bool, typer.Option("--admissible/--inadmissible", help="Whether it is.")],
    as_json: Json = False,
) -> None:
    """Find a dossier admissible or not, as a member of the chamber."""
    from services.cli import dossiers  # noqa: PLC0415

    run(dossiers.admit(_desk(ctx, who), dossier, admissible, text), as_json=as_json)
    _done("admit", dossier, as_json=as_json, follows=admissible)


@app.command()
def advise(  # noqa: PLR0917
    ctx: typer.Context,
    dossier: DossierId,
    who: Who,
    text: Text,
    favourable: Favour,
    as_json: Json = False,
) -> None:
    """Give the advice on which the chamber decides; who advises does not vote."""
    from services.cli import dossiers  # noqa: PLC0415

    run(dossiers.advise(_desk(ctx, who), dossier, favourable, text), as_json=as_json)
    _done("advise", dossier, as_json=as_json)


@app.command()
def recuse(
    ctx: typer.Context, dossier: DossierId, who: Who, text: Text, as_json: Json = False
) -> None:
    """Withdraw oneself from a decision; the quorum stays what it is."""
    from services.cli import dossiers  # noqa: PLC0415

    run(dossiers.recuse(_desk(ctx, who), dossier, text), as_json=as_json)
    _done("recuse", dossier, as_json=as_json)


@app.command()
def vote(  # noqa: PLR0917
    ctx: typer.Context,
    dossier: DossierId,
    ballot: Annotated[str, typer.Argument(help="in-favour, against or abstain.")],
    who: Who,
    text: Text = "",
    as_json: Json = False,
) -> None:
    """Vote, once, as a member of the chamber."""
    from services.cli import dossiers  # noqa: PLC0415

    _require_one_of(ballot, list(dossiers.BALLOTS), "BALLOT")
    run(dossiers.vote(_desk(ctx, who), dossier, ballot, text), as_json=as_json)
    _done("vote", dossier, as_json=as_json)


@app.command()
def close(ctx: typer.Context, dossier: DossierId, who: Who, as_json: Json = False) -> None:
    """Count the votes and decide, as a member who voted."""
    from services.cli import dossier_text, dossiers  # noqa: PLC0415

    votes = run(dossiers.close(_desk(ctx, who), dossier), as_json=as_json)
    shown = dossier_text.counted_document(dossier, votes)
    _show(shown, dossier_text.counted(dossier, votes), as_json=as_json)


@app.command()
def publish(ctx: typer.Context, what: Either, who: Who, as_json: Json = False) -> None:
    """Publish a dossier that was adopted, or a transcription: from then on its grants apply."""
    from services.cli import dossier_text, dossiers  # noqa: PLC0415

    _require_known_form(what)
    done = run(dossiers.publish(_desk(ctx, who), what), as_json=as_json)
    shown = dossier_text.published_document(what, done)
    _show(shown, dossier_text.published(what, done), as_json=as_json)


@app.command()
def withdraw(
    ctx: typer.Context, what: Either, who: Who, reason: Reason, as_json: Json = False
) -> None:
    """End a dossier that is not published, or a published deliberation, for good."""
    from services.cli import dossiers  # noqa: PLC0415

    _require_known_form(what)
    done = run(dossiers.withdraw(_desk(ctx, who), what, reason), as_json=as_json)
    if done is None:
        _done("withdraw", what, as_json=as_json)
    else:
        _ended("number", what, "withdrawn", done, as_json=as_json)


@app.command()
def suspend(
    ctx: typer.Context, number: Number, who: Who, reason: Reason, as_json: Json = False
) -> None:
    """Stop all grants of a deliberation at once; its prohibitions stay."""
    from services.cli import dossiers  # noqa: PLC0415

    done = run(dossiers.suspend(_desk(ctx, who), number, reason), as_json=as_json)
    _ended("number", number, "suspended", done, as_json=as_json)


@app.command()
def lift(
    ctx: typer.Context, number: Number, who: Who, reason: Reason, as_json: Json = False
) -> None:
    """Propose that a suspension be lifted; another member lifts it by the same command."""
    from services.cli import dossier_text, dossiers  # noqa: PLC0415

    done = run(dossiers.lift(_desk(ctx, who), number, reason), as_json=as_json)
    shown = dossier_text.lifted_document(number, done)
    _show(shown, dossier_text.lifted(number, done), as_json=as_json)


@app.command()
def revoke(
    ctx: typer.Context,
    grant: Annotated[str, typer.Argument(help="A published grant, such as 26/001#1.")],
    who: Who,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """End one grant at once."""
    from services.cli import dossiers  # noqa: PLC0415

    done = run(dossiers.revoke(_desk(ctx, who), grant, reason), as_json=as_json)
    _ended("grant_id", grant, "revoked", done, as_json=as_json)


@app.command()
def transcribe(ctx: typer.Context, file: JsonFile, who: Who, as_json: Json = False) -> None:
    """Submit what was decided elsewhere, a Deliberation of authorization/v1; another publishes."""
    from services.cli import dossier_text, dossiers  # noqa: PLC0415

    async def work() -> str:
        return await dossiers.transcribe(_desk(ctx, who), text_of(file))

    number = run(work(), as_json=as_json)
    text = dossier_text.done("transcribe", number)
    _show({"number": number, "done": "transcribe"}, text, as_json=as_json)


@app.command()
def show(ctx: typer.Context, dossier: DossierId, who: Who, as_json: Json = False) -> None:
    """Show a dossier: what is asked for, and what was done."""
    from services.cli import dossier_text, dossiers  # noqa: PLC0415

    found = run(dossiers.show(_desk(ctx, who), dossier), as_json=as_json)
    _show(dossier_text.dossier_document(found), dossier_text.dossier(found), as_json=as_json)


@app.command("list")
def waiting(
    ctx: typer.Context,
    who: Who,
    stage: Annotated[str, typer.Option(help="Only at this stage, such as submitted.")] = "",
    as_json: Json = False,
) -> None:
    """List the dossiers that one may read, newest first."""
    from services.cli import dossier_text, dossiers  # noqa: PLC0415

    if stage:
        _require_one_of(stage, dossiers.STAGES, "--stage")
    found = run(dossiers.waiting(_desk(ctx, who), stage), as_json=as_json)
    documents = [dossier_text.dossier_document(each) for each in found]
    _show(documents, dossier_text.listed(found), as_json=as_json)


def _desk(ctx: typer.Context, who: str) -> "Desk":
    from services.cli import acts, dossiers  # noqa: PLC0415

    address, authority = ctx.obj
    if not address:
        return dossiers.Desk(Home.find(), acts.Actor(who))
    if authority is None or not authority.is_file():
        raise typer.BadParameter(
            "is no file; with --address, name the PEM of who certifies services",
            param_hint="--authority",
        )
    actor = acts.Actor("", Path(who), address, authority.read_bytes())
    return dossiers.Desk(Home.find(), actor)


def _require_one_of(value: str, allowed: "list[str] | tuple[str, ...]", where: str) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"is one of {', '.join(allowed)}", param_hint=where)


def _require_known_form(what: str) -> None:
    from services.cli import dossiers  # noqa: PLC0415

    if not dossiers.is_dossier(what) and "/" not in what:
        raise typer.BadParameter(
            "is neither a dossier's id nor a number such as 26/001; `crossroads deliberation list` "
            "and `crossroads authorization deliberations` tell them",
            param_hint="WHAT",
        )


def _done(step: str, dossier: str, *, as_json: bool, follows: bool = True) -> None:
    from services.cli import dossier_text  # noqa: PLC0415

    text = dossier_text.done(step, dossier, follows=follows)
    _show({"dossier_id": dossier, "done": step}, text, as_json=as_json)


def _ended(name: str, what: str, verb: str, done: Any, *, as_json: bool) -> None:
    from services.cli import dossier_text  # noqa: PLC0415

    given = (done.version, done.log_index, done.subscribers)
    shown = dossier_text.ended_document(name, what, *given)
    _show(shown, dossier_text.ended(what, verb, *given), as_json=as_json)


def _show(document: Any, text: str, *, as_json: bool) -> None:
    if as_json:
        emit(document)
    else:
        console.print(text, soft_wrap=True, markup=False)
