"""`crossroads up` and `crossroads status`: what they do and what they show."""

import time
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from services.cli.output import FAULT, console, emit
from services.cli.platform import ports
from services.cli.platform.home import Home
from services.cli.platform.instance import Platform
from services.cli.platform.status import State, Status


async def up(home: Home, *, demo: bool, public: bool, as_json: bool) -> None:
    """Start the platform; with the demo, show one exchange; `public`, the public side as well.

    Raises PlatformError, CrossroadsError.
    """
    began = time.monotonic()
    shown = Console(stderr=True, highlight=False) if as_json else console
    told: set[str] = set()

    def progress(now: Status) -> None:
        for name, each in now.processes.items():
            if each.state is State.SERVING and name not in told:
                told.add(name)
                shown.print(f"  [green]✓[/green] {name}  [dim]{_since(began)}[/dim]")

    def tell(text: str) -> None:
        shown.print(f"  [cyan]·[/cyan] {text}  [dim]{_since(began)}[/dim]")

    shown.print(f"starting the platform in {home.path}")
    if not demo:
        await Platform.up(home, progress=progress)
    else:
        from services.cli.demo.starting import start_demo  # noqa: PLC0415 - its data and Faker

        store = await start_demo(home, tell=tell, progress=progress)
        with store:
            await _tour(home, store, shown, began, as_json=as_json)
    if public:
        from services.cli import public as side  # noqa: PLC0415 - only where it is asked for

        await Platform.up(home, processes=side.processes(home), progress=progress)
        tell(f"the public site: {side.address(home)}")
    if as_json and not demo:
        emit({"state": str(State.SERVING), "home": str(home.path)})


async def _tour(home: Home, store: Any, shown: Console, began: float, *, as_json: bool) -> None:
    from services.cli import asking  # noqa: PLC0415
    from services.cli.connections import Connections  # noqa: PLC0415
    from services.cli.demo.tour import Tour  # noqa: PLC0415

    tracing = asking.Tracing(address=f"{ports.LOOPBACK}:{ports.known(home)['otlp']}")
    try:
        async with Connections(home=home) as connections:
            tour = Tour(
                connections=connections,
                tracing=tracing,
                store=store,
                console=shown,
            )
            answered = await tour.show()
    finally:
        await tracing.close()
    if as_json:
        emit(asking.as_json(answered) | {"seconds": round(time.monotonic() - began, 1)})
        return
    shown.rule()
    shown.print(
        f"It took {_since(began)}. The platform goes on running: try\n"
        "  crossroads exchange --help      ask any service of the catalogue\n"
        "  crossroads log verify           prove every receipt against the log\n"
        f"  crossroads trace {answered.trace_id}\n"
        "  crossroads status               what runs; `make stop` or `crossroads down` ends it\n"
        "The command is .venv/bin/crossroads."
    )


async def status(home: Home, *, as_json: bool) -> None:
    """What runs. Raises typer.Exit(1) unless everything serves."""
    now = await Platform.status(home)
    if as_json:
        emit(_document(home, now))
    else:
        _table(home, now)
    if now.state is not State.SERVING:
        raise typer.Exit(FAULT)


def _document(home: Home, now: Status) -> dict[str, Any]:
    return {
        "home": str(home.path),
        "state": str(now.state),
        "message": now.message,
        "processes": {
            name: {"state": str(each.state), "pid": each.pid, "restarts": each.restarts}
            for name, each in now.processes.items()
        },
        "ports": ports.known(home),
    }


def _table(home: Home, now: Status) -> None:
    console.print(f"{home.path}: {now.state}{': ' if now.message else ''}{now.message}")
    known = ports.known(home)
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "state", "pid", "restarts", "address"):
        table.add_column(heading)
    for name, each in now.processes.items():
        address = f"{ports.LOOPBACK}:{known[name]}" if name in known else ""
        table.add_row(name, str(each.state), str(each.pid), str(each.restarts), address)
    if now.processes:
        console.print(table)


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
