"""The command `crossroads`: a platform on this machine, and what one does with it.

Exit codes and --json: see output.py. Heavy modules are imported by the command that needs them, so
that `--help` is quick.
"""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import CaFile, Json, PodFile, RoleFile, SecretFile
from services.cli.output import FAULT, USAGE, console, emit, fail, guarded, run
from services.cli.platform.home import Home

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Crossroads: exchanges of social-security data, authorized beforehand, traced for ever.",
    epilog="CROSSROADS_HOME names the directory of a platform; without it, ./.crossroads.",
)
WitnessFile = Annotated[
    Path, typer.Option("--config", help="TOML: name, listen, key_file, state_file, logs.")
]
NewKey = Annotated[bool, typer.Option("--new-key", help="Make the key if there is none.")]
ShowKey = Annotated[bool, typer.Option("--show-key", help="Print the verifier key, and end.")]


@app.command()
def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="With the demo sector, and one exchange shown.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="With the public side: publication and publisher.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start the platform of this directory; leave it running."""
    from services.cli import starting  # noqa: PLC0415 - as above

    run(starting.up(Home.find(), demo=demo, public=public, as_json=as_json), as_json=as_json)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the platform of this directory, and only that."""
    from services.cli.platform.instance import Platform  # noqa: PLC0415

    stopped = run(Platform.down(Home.find()))
    if as_json:
        emit({"stopped": stopped})
    else:
        console.print("stopped" if stopped else "nothing was running here")


@app.command()
def status(as_json: Json = False) -> None:
    """Say what runs; exit code 1 unless everything serves."""
    from services.cli import starting  # noqa: PLC0415

    run(starting.status(Home.find(), as_json=as_json))


@app.command()
def population(
    persons: Annotated[int, typer.Option(min=50, help="How many synthetic persons.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same persons.")] = 1,
    as_json: Json = False,
) -> None:
    """Make a population of synthetic persons, before the first `up --demo` of a directory."""
    from services.cli.demo.starting import make_population, population_file  # noqa: PLC0415

    home = Home.find()
    with guarded():
        home.make()
        summary = make_population(home, persons, seed)
    if as_json:
        emit({"file": str(population_file(home)), "rows": summary})
        return
    for name, count in summary.items():
        console.print(f"{count:>9,}  {name.replace('_', ' ')}")
    console.print("the next `crossroads up --demo` enrols it")


@app.command()
def genesis(
    administrator: Annotated[list[str], typer.Option(help="A person id; at least three of them.")],
    threshold: Annotated[int, typer.Option(min=2, help="How many of them an act needs.")] = 2,
    *,
    registry: Annotated[str, typer.Option(help="Elsewhere: registry, host:port.")] = "",
    vault: Annotated[str, typer.Option(help="Elsewhere: its Vault, https://host:port.")] = "",
    ca_file: CaFile = "",
    token_file: Annotated[Path | None, typer.Option(help="A token of the operator.")] = None,
    role_id_file: RoleFile = None,
    secret_id_file: SecretFile = None,
    kubernetes_token_file: PodFile = None,
    as_json: Json = False,
) -> None:
    """Enrol the first administrators, once: leaf 0 of the log."""
    from services.cli import genesis as begin  # noqa: PLC0415
    from services.cli.vault.target import Where  # noqa: PLC0415

    if bool(registry) != bool(vault):
        fail("elsewhere, give both --registry and --vault", USAGE)
    where = Where(
        address=vault,
        ca_file=ca_file,
        token_file=token_file,
        role_id_file=role_id_file,
        secret_id_file=secret_id_file,
        kubernetes_token_file=kubernetes_token_file,
    )
    home = Home.find()
    work = (
        begin.genesis_at(registry, where, administrator, threshold)
        if registry
        else begin.genesis(home, administrator, threshold)
    )
    index = run(work, as_json=as_json)
    if index is None:
        fail("the genesis took place already; propose acts from now on", FAULT)
    if as_json:
        emit({"log_index": index})
    else:
        console.print(f"genesis: log entry {index}")


@app.command()
def witness(config: WitnessFile, new_key: NewKey = False, show_key: ShowKey = False) -> None:
    """Be a witness of logs: cosign only what continues what was seen before."""
    from services.cli.witness import run as serve  # noqa: PLC0415

    raise typer.Exit(serve(config, new_key=new_key, show_key=show_key))


def register() -> None:
    """Add the commands that have modules of their own."""
    from services.cli import (  # noqa: PLC0415
        act_commands,
        authorization_commands,
        bench_commands,
        cluster_commands,
        deliberation_commands,
        exchange_commands,
        log_commands,
        vault_commands,
    )

    exchange_commands.add(app)
    app.add_typer(act_commands.app, name="act")
    app.add_typer(vault_commands.app, name="vault")
    app.add_typer(authorization_commands.app, name="authorization")
    app.add_typer(deliberation_commands.app, name="deliberation")
    app.add_typer(cluster_commands.app, name="cluster")
    app.add_typer(log_commands.app, name="log")
    app.add_typer(bench_commands.app, name="bench")


def main() -> None:
    """Run the command."""
    register()
    app(prog_name="crossroads")


if __name__ == "__main__":
    main()
