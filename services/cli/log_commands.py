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
