"""`crossroads log …`: what one does with the log."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.output import FAULT, NOT_VERIFIED, console, emit, fail, run
from services.cli.platform.home import Home

app = typer.Typer(no_args_is_help=True, help="The tamper-evident log.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


@app.callback()
def log() -> None:
    """The tamper-evident log."""


@app.command()
def verify(as_json: Json = False) -> None:
    """Prove every receipt that this directory's institutions hold against the log."""
    proven, findings, size = run(_verify(Home.find()), as_json=as_json)
    if as_json:
        emit({"proven": proven, "tree_size": size, "findings": findings})
    for each in findings if not as_json else ():
        console.print(f"[red]✗[/red] {each['holder']}, entry {each['index']}: {each['why']}")
    if findings:
        fail(f"{len(findings)} receipts are not borne out by the log", NOT_VERIFIED)
    if not as_json:
        console.print(f"[green]✓[/green] {proven} receipts, all in the log of {size} entries")


@app.command()
def fsck(
    note: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that was kept elsewhere; repeatable.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A verifier key of the log or of a witness.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The log's configuration; without it, this directory's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rebuild tree, index and evidence from what is stored; name the first difference."""
    from services.cli import log as stored  # noqa: PLC0415 - gRPC

    code = stored.fsck(
        Home.find(), config=config, notes=note or (), keys=key or (), as_json=as_json
    )
    raise typer.Exit({stored.CLEAN: 0, stored.DIFFERENT: NOT_VERIFIED}.get(code, FAULT))


@app.command()
def reconcile(
    hours: Annotated[float, typer.Option(min=0, help="How far back.")] = 24.0,
    auditor: Annotated[
        str, typer.Option(help="As whom; without it, the demo's first auditor.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Compare receipts, routing's answers and the log; list what is missing on either side."""
    from services.cli import reconcile as sides  # noqa: PLC0415 - gRPC

    found = run(sides.at_home(Home.find(), auditor, hours), as_json=as_json)
    if as_json:
        emit(sides.as_json(found))
    else:
        console.print(sides.as_text(found), soft_wrap=True, markup=False)
    raise typer.Exit(NOT_VERIFIED if found.lost else 0)


@app.command()
def uses(
    subject: Annotated[str, typer.Argument(help="The key of a person.")],
    reason: Annotated[str, typer.Option(help="Why; it is logged, and the person can see it.")],
    language: Annotated[str, typer.Option(help="fr, nl, de or en.")] = "en",
    auditor: Annotated[
        str, typer.Option(help="As whom; without it, the demo's first auditor.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Say who used a person's data, as an auditor sees it."""
    from services.cli import uses as looking  # noqa: PLC0415 - gRPC

    found = run(
        looking.at_home(Home.find(), subject, reason=reason, language=language, auditor=auditor),
        as_json=as_json,
    )
    if as_json:
        emit(looking.as_json(found))
    else:
        console.print(looking.as_text(found), soft_wrap=True, markup=False)


async def _verify(home: Home) -> tuple[int, list[dict[str, str | int]], int]:
    from services.cli.connections import Connections  # noqa: PLC0415 - gRPC
    from services.cli.verifying import Finding, receipts  # noqa: PLC0415

    proven, size = 0, 0
    findings: list[dict[str, str | int]] = []
    async with Connections(home=home) as connections:
        async for each in receipts(connections):
            if isinstance(each, Finding):
                findings.append({"holder": each.holder, "index": each.index, "why": each.why})
            else:
                proven, size = proven + 1, max(size, each.size)
    return proven, findings, size
