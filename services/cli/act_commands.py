"""`crossroads act …`: what registry changes only because persons say so."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.output import USAGE, emit, fail, guarded, run
from services.cli.platform.home import Home

app = typer.Typer(no_args_is_help=True, help="Acts of registry: propose, approve, read.")

Person = Annotated[str, typer.Option("--as", help="The person of this directory who acts.")]
Folder = Annotated[Path | None, typer.Option(help="Elsewhere: who acts, by key.pem and cert.pem.")]
Address = Annotated[str, typer.Option(help="Elsewhere: registry, host:port.")]
Authority = Annotated[Path | None, typer.Option(help="Elsewhere: who certifies services (PEM).")]
ActId = Annotated[str, typer.Argument(help="The act's id.")]


@app.callback()
def act() -> None:
    """Acts of registry: propose, approve, read."""


@app.command()
def propose(
    file: Annotated[Path, typer.Argument(help="A ProposeActRequest (registry/v1) as JSON.")],
    person: Person = "",
    folder: Folder = None,
    address: Address = "",
    authority: Authority = None,
) -> None:
    """Propose a set of changes; one that only takes away is applied at once ("missing": 0)."""
    from services.cli import acts  # noqa: PLC0415 - gRPC

    with guarded():
        actor = acts.Actor(_someone(person, folder), folder, address, _pem(authority))
        text = file.read_text("utf-8")
    emit(run(acts.propose(Home.find(), actor, text)))


@app.command()
def approve(
    act_id: ActId,
    person: Person = "",
    folder: Folder = None,
    address: Address = "",
    authority: Authority = None,
) -> None:
    """Approve an act, as another person than who proposed it."""
    from services.cli import acts  # noqa: PLC0415 - gRPC

    with guarded():
        actor = acts.Actor(_someone(person, folder), folder, address, _pem(authority))
    emit(run(acts.approve(Home.find(), actor, act_id)))


@app.command()
def show(
    act_id: ActId,
    person: Person = "",
    folder: Folder = None,
    address: Address = "",
    authority: Authority = None,
) -> None:
    """Print an act: what an approver reads first."""
    from services.cli import acts  # noqa: PLC0415 - gRPC

    with guarded():
        actor = acts.Actor(_someone(person, folder), folder, address, _pem(authority))
    emit(run(acts.show(Home.find(), actor, act_id)))


def _someone(person: str, folder: Path | None) -> str:
    if bool(person) == (folder is not None):
        fail("say who acts: --as PERSON, or elsewhere --folder", USAGE)
    return person


def _pem(file: Path | None) -> bytes:
    return b"" if file is None else file.read_bytes()
