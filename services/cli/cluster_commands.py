"""`crossroads cluster …`: a look at the cluster that Crossroads runs on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.output import NOT_VERIFIED, console, emit, fail, guarded

if TYPE_CHECKING:
    from services.cli.cluster.model import Outcome

app = typer.Typer(no_args_is_help=True, help="The cluster that Crossroads runs on.")


@app.callback()
def cluster() -> None:
    """The cluster that Crossroads runs on."""


Kubeconfig = Annotated[
    Path | None, typer.Option(help="Without it: $KUBECONFIG, ~/.kube/config, or the pod's own.")
]
LogUrl = Annotated[str, typer.Option(help="Where the public cloud shows the log: https://…/log")]
Tls = Annotated[
    list[str] | None,
    typer.Option(help="Also look at the certificate shown there: openbao-active.vault.svc:8200."),
]
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
    tls: Tls = None,
    connect: Connect = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with the cluster, and what to do; exit code 4 when anything is.

    Looks at versions, rights, placement over zones, certificates, network policies, databases and
    the log's witnesses. It changes nothing, reads no secret, and needs the right to list; with that
    to get pods/proxy it also sees how far databases' standbys are behind.
    """
    from services.cli.cluster import check as cluster_check  # noqa: PLC0415
    from services.cli.cluster.api import Api  # noqa: PLC0415

    look = cluster_check.Look(log_url=log_url, tls=tls or (), connect=connect)
    with guarded():
        api = Api(kubeconfig=kubeconfig, context=context)
        try:
            outcome = cluster_check.check(
                api,
                namespace=namespace,
                vault_namespace=vault_namespace,
                now=datetime.now(UTC),
                look=look,
            )
        finally:
            api.close()
    if as_json:
        emit(cluster_check.as_document(outcome, api, namespace))
    else:
        _show(outcome)
    where = f"{namespace} of {api.address}"
    if outcome.found:
        fail(f"{len(outcome.found)} things are wrong in {where}", NOT_VERIFIED)
    if not as_json:
        console.print(f"[green]✓[/green] nothing is wrong in {where}")


def _show(outcome: "Outcome") -> None:
    for each in outcome.found:
        console.print(
            f"[red]✗[/red] [bold]{each.area}[/bold] {each.subject}: {each.text}", soft_wrap=True
        )
        console.print(f"    [dim]→[/dim] {each.todo}", soft_wrap=True)
    for text in outcome.unseen:
        console.print(f"[dim]·[/dim] not looked at: {text}", soft_wrap=True)
