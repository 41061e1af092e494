"""Options that several commands have, and the values that they take."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
ServiceName = Annotated[
    str, typer.Argument(help="An exchange service; `crossroads exchange list` names them all.")
]
Purpose = Annotated[str, typer.Option(help="Why: a purpose that a grant names.")]
Version = Annotated[int, typer.Option(min=1, help="Version of the service.")]
Elements = Annotated[
    list[str] | None, typer.Option(help="A data element wanted; none: all that is granted.")
]
Since = Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="First day asked about.")]
Until = Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Last day asked about.")]

CaFile = Annotated[str, typer.Option(help="PEM of who certifies that Vault.")]
RoleFile = Annotated[Path | None, typer.Option(help="The operator's AppRole: its role id.")]
SecretFile = Annotated[Path | None, typer.Option(help="The operator's AppRole: its secret id.")]
PodFile = Annotated[
    Path | None, typer.Option(help="A pod's token, to log in as the Kubernetes role `operator`.")
]


def day(text: str, option: str) -> date | None:
    """The day that an option names, None for "". Raises typer.BadParameter."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("is no day; write YYYY-MM-DD", param_hint=option) from None
