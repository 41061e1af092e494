"""`crossroads bench …`: each figure beside its floor, in one run."""

import typer

app = typer.Typer(no_args_is_help=True, help="Measure, each figure beside its floor.")


@app.callback()
def bench() -> None:
    """Measure, each figure beside its floor."""
