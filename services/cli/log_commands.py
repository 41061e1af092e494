"""`crossroads log …`: what one does with the log."""

import sys
from base64 import b64encode
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Json
from services.cli.output import FAULT, NOT_VERIFIED, console, emit, fail, guarded, run
from services.cli.platform.home import Home, PlatformError

app = typer.Typer(no_args_is_help=True, help="The tamper-evident log.")


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
        many = f"{proven} receipts, all" if proven > 1 else "1 receipt, which is"
        told = f"{many} in the log of {size} entries" if proven else "nobody here holds a receipt"
        console.print(f"[green]✓[/green] {told}")


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
    from services.cli.platform import instance  # noqa: PLC0415

    home = Home.find()
    if config is None:
        with guarded():
            instance.require_running(home)
    code = stored.fsck(home, config=config, notes=note or (), keys=key or (), as_json=as_json)
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


@app.command()
def proof(
    index: Annotated[int, typer.Argument(min=0, help="The entry's place in the log.")],
    url: Annotated[
        str, typer.Option(help="Where the log shows its tiles; without it, this directory's.")
    ] = "",
    policy: Annotated[Path | None, typer.Option(help="Whom to believe (C2SP tlog-policy).")] = None,
    as_json: Json = False,
) -> None:
    """Print the proof that an entry is in the log, to be verified anywhere (C2SP tlog-proof)."""
    home = Home.find()
    text, leaf_hash = run(_proof(home, index, url, policy))
    if as_json:
        emit({"index": index, "leaf_hash": b64encode(leaf_hash).decode(), "proof": text})
    else:
        sys.stdout.write(text)


@app.command()
def keys(
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new key; the last two sign from then on.")
    ] = False,
    retire: Annotated[
        bool, typer.Option("--retire", help="Let the newest key alone sign from now on.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the log's verifier keys, newest first."""
    from services.cli import log_keys  # noqa: PLC0415 - Vault

    home = Home.find()

    async def found() -> list[str]:
        if rotate:
            return log_keys.rotate(home)
        return log_keys.retire(home) if retire else log_keys.known(home)

    known = run(found())
    if as_json:
        emit({"verifier_keys": known})
        return
    for key in known:
        console.print(key, soft_wrap=True)
    if rotate:
        console.print("Give the new key to witnesses and verifiers, then `--retire` the old ones.")


async def _proof(home: Home, index: int, url: str, policy: Path | None) -> tuple[str, bytes]:
    from services.cli import tlog  # noqa: PLC0415
    from services.cli.platform import instance, ports  # noqa: PLC0415
    from services.proof.policy import parse_policy  # noqa: PLC0415
    from services.runtime.webclient import WebError  # noqa: PLC0415

    if not url:
        instance.require_running(home)
        url = f"http://{ports.LOOPBACK}:{ports.known(home)['logging-tiles']}"
    file = policy or home.witness_policy
    believed = None
    if policy is not None or file.exists():  # one that was named has to be there
        believed = parse_policy(file.read_text("utf-8"))
    try:
        return await tlog.inclusion(url, index, believed)
    except WebError as error:
        raise PlatformError(f"{url}: {error}") from None


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
