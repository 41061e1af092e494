"""`crossroads cluster …`: a look at the cluster that Crossroads runs on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.output import NOT_VERIFIED, console, emit, fail, guarded

if TYPE_CHECKING:
    from services.cli.cluster.model import Finding

app = typer.Typer(no_args_is_help=True, help="The cluster that Crossroads runs on.")


@app.callback()
def cluster() -> None:
    """The cluster that Crossroads runs on."""


Kubeconfig = Annotated[
    Path | None, typer.Option(help="Without it: $KUBECONFIG, ~/.kube/config, or the pod's own.")
]
LogUrl = Annotated[str, typer.Option(help="Where the public cloud shows the log: https://…/log")]
Connect = Annotated[
    bool,
    typer.Option("--connect", help="Also try the pods' ports: from a pod that may reach none."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


@app.command()
def check(
    *,
    namespace: Annotated[str, typer.Option(help="Of the chart.")] = "crossroads",
    vault_namespace: Annotated[str, typer.Option(help="Of OpenBao.")] = "vault",
    kubeconfig: Kubeconfig = None,
    context: Annotated[str, typer.Option(help="Of the kubeconfig.")] = "",
    log_url: LogUrl = "",
    connect: Connect = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with the cluster, and what to do; exit code 4 when anything is.

    Looks at versions, rights, placement over zones, certificates, network policies, databases and
    the log's witnesses. It changes nothing, reads no secret, and needs no right but to list.
    """
    from services.cli.cluster.api import Api  # noqa: PLC0415
    from services.cli.cluster.check import as_document  # noqa: PLC0415
    from services.cli.cluster.check import check as look  # noqa: PLC0415

    with guarded():
        api = Api(kubeconfig=kubeconfig, context=context)
        try:
            found = look(
                api,
                namespace=namespace,
                vault_namespace=vault_namespace,
                now=datetime.now(UTC),
                log_url=log_url,
                connect=connect,
            )
        finally:
            api.close()
    if as_json:
        emit(as_document(found, api, namespace))
    else:
        _show(found)
    where = f"{namespace} of {api.address}"
    if found:
        fail(f"{len(found)} things are wrong in {where}", NOT_VERIFIED)
    if not as_json:
        unseen = "" if log_url else "; the log's checkpoint was not looked at (--log-url)"
        console.print(f"[green]✓[/green] nothing is wrong in {where}{unseen}")


def _show(found: "list[Finding]") -> None:
    for each in found:
        console.print(
            f"[red]✗[/red] [bold]{each.area}[/bold] {each.subject}: {each.text}", soft_wrap=True
        )
        console.print(f"    [dim]→[/dim] {each.todo}", soft_wrap=True)
