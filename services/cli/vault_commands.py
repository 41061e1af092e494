"""`crossroads vault …`: what infra/vault declares, applied to a Vault and compared with it.

Exit codes as in output.py; 4 when Vault is not as declared, for `diff` and after `apply`.
"""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.options import CaFile, Json, PodFile, RoleFile, SecretFile
from services.cli.output import NOT_VERIFIED, console, emit, fail, guarded

if TYPE_CHECKING:
    from services.cli.vault.authorities import RootFiles
    from services.cli.vault.difference import Difference, Field
    from services.cli.vault.target import Where

app = typer.Typer(no_args_is_help=True, help="The set-up of Vault: infra/vault, compared, applied.")

Environment = Annotated[
    str, typer.Option(help="A file of infra/vault/environments; this directory's is `local`.")
]
Address = Annotated[str, typer.Option(help="https://host:port; without it, this directory's.")]
TokenFile = Annotated[
    Path | None, typer.Option(help="A token; root's is revoked and removed after `apply`.")
]
Authorities = Annotated[
    Path, typer.Option(help="Folder of requests (.csr) and certificates (.pem), and root.pem.")
]
Databases = Annotated[Path | None, typer.Option(help="Folder with SERVICE/password, needed once.")]
Values = Annotated[list[str] | None, typer.Option("--value", help="NAME=VALUE; repeatable.")]
KeyFile = Annotated[Path, typer.Option(help="The root's key: keep it away from any network.")]
CertificateFile = Annotated[Path, typer.Option(help="The root's certificate (PEM).")]
Passphrase = Annotated[Path | None, typer.Option(help="File with what the root's key is under.")]


@app.callback()
def vault() -> None:
    """The set-up of Vault: infra/vault, compared, applied."""


@app.command()
def diff(
    *,
    environment: Environment = "",
    address: Address = "",
    ca_file: CaFile = "",
    token_file: TokenFile = None,
    role_id_file: RoleFile = None,
    secret_id_file: SecretFile = None,
    kubernetes_token_file: PodFile = None,
    authorities: Authorities = Path("authorities"),
    databases: Databases = None,
    value: Values = None,
    as_json: Json = False,
) -> None:
    """List everything in Vault that is not as declared; exit code 4 when there is anything."""
    from services.cli.vault.target import Where, opened  # noqa: PLC0415 - X.509 and the like

    where = Where(
        environment=environment,
        address=address,
        ca_file=ca_file,
        token_file=token_file,
        role_id_file=role_id_file,
        secret_id_file=secret_id_file,
        kubernetes_token_file=kubernetes_token_file,
        authorities=authorities,
        databases=databases,
        values=_values(value),
    )
    with guarded(), opened(where) as target:
        wrong, name = target.diff(), target.declaration.environment
    if as_json:
        emit({"environment": name, "differences": [each.document() for each in wrong]})
    for each in wrong if not as_json else ():
        _show(each)
    if wrong:
        fail(f"{len(wrong)} things are not as infra/vault declares for {name}", NOT_VERIFIED)
    if not as_json:
        console.print(f"[green]✓[/green] as infra/vault declares for {name}")


@app.command()
def apply(
    *,
    environment: Environment = "",
    address: Address = "",
    ca_file: CaFile = "",
    token_file: TokenFile = None,
    role_id_file: RoleFile = None,
    secret_id_file: SecretFile = None,
    kubernetes_token_file: PodFile = None,
    authorities: Authorities = Path("authorities"),
    databases: Databases = None,
    value: Values = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Also remove policies and roles that nobody declared.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring Vault to what is declared; what is as declared is not touched."""
    from services.cli.vault.target import Where  # noqa: PLC0415

    where = Where(
        environment=environment,
        address=address,
        ca_file=ca_file,
        token_file=token_file,
        role_id_file=role_id_file,
        secret_id_file=secret_id_file,
        kubernetes_token_file=kubernetes_token_file,
        authorities=authorities,
        databases=databases,
        values=_values(value),
    )
    _apply(where, remove=remove, as_json=as_json)


@app.command()
def root(
    key_file: KeyFile,
    certificate_file: CertificateFile,
    passphrase_file: Passphrase = None,
) -> None:
    """Make the root of the PKI, outside Vault, once: on a machine without a network."""
    from services.cli.vault.declaration import root_authority  # noqa: PLC0415
    from services.cli.vault.offline import make_root  # noqa: PLC0415

    with guarded():
        files = _root(key_file, certificate_file, passphrase_file)
        make_root(
            root_authority(),
            key_file=files.key,
            certificate_file=files.certificate,
            passphrase=files.passphrase,
        )
    console.print(
        f"[green]✓[/green] {key_file}: take it away, twice, to two places\n"
        f"  {certificate_file}: public; copy it as root.pem beside the requests"
    )


@app.command()
def sign(
    key_file: KeyFile,
    certificate_file: CertificateFile,
    authorities: Authorities = Path("authorities"),
    environment: Annotated[str, typer.Option(help="As for apply.")] = "community",
    passphrase_file: Passphrase = None,
) -> None:
    """Sign the intermediates' requests that wait in a folder, with the offline root."""
    from services.cli.vault.authorities import sign_waiting  # noqa: PLC0415
    from services.cli.vault.declaration import declare  # noqa: PLC0415

    with guarded():
        files = _root(key_file, certificate_file, passphrase_file)
        signed = sign_waiting(files, declare(environment, {"socket": ""}), authorities)
    for name in signed:
        console.print(f"[green]✓[/green] {authorities / name}.pem")
    if not signed:
        console.print(f"nothing waits in {authorities}")


@app.command()
def certify(
    name: Annotated[str, typer.Argument(help="A person's id, or <institution>/<application>.")],
    folder: Annotated[Path, typer.Argument(help="Where key.pem and cert.pem go.")],
    *,
    address: Address = "",
    ca_file: CaFile = "",
    token_file: TokenFile = None,
    role_id_file: RoleFile = None,
    secret_id_file: SecretFile = None,
    kubernetes_token_file: PodFile = None,
) -> None:
    """Certify who acts or asks, for a day, as the operator: a first administrator, say."""
    from services.cli.platform import enrolment  # noqa: PLC0415 - X.509
    from services.cli.vault.target import Where, logged_in  # noqa: PLC0415

    where = Where(
        address=address,
        ca_file=ca_file,
        token_file=token_file,
        role_id_file=role_id_file,
        secret_id_file=secret_id_file,
        kubernetes_token_file=kubernetes_token_file,
    )
    with guarded(), logged_in(where) as session:
        enrolment.certify(session, name, folder)
    console.print(f"[green]✓[/green] {folder}: key.pem and cert.pem of {name}, good for 24 h")


def _apply(where: "Where", *, remove: bool, as_json: bool) -> None:
    from services.cli.vault.target import opened  # noqa: PLC0415

    with guarded(), opened(where) as target:
        outcome = target.apply(remove=remove)
        token = target.give_up_root(outcome)
    if as_json:
        left = [{**each.document(), "todo": todo} for each, todo in outcome.left]
        done = [each.document() for each in outcome.done]
        emit({"done": done, "left": left, "root_token": token})
    else:
        for each in outcome.done:
            console.print(f"[green]✓[/green] {each.kind} {each.name}: was {each.change}")
        for each, todo in outcome.left:
            console.print(f"[yellow]![/yellow] {each.kind} {each.name}: {each.change}; {todo}")
        if token:
            console.print(f"the root token is {token}")
    if outcome.left:
        fail(f"{len(outcome.left)} things are left to do", NOT_VERIFIED)
    if not as_json:
        console.print(f"{len(outcome.done)} things changed")


def _show(difference: "Difference") -> None:
    console.print(f"[red]✗[/red] {difference.kind} {difference.name}: {difference.change}")
    for field in difference.fields:
        for line in _lines(field):
            console.print(f"    {line}", markup=False)


def _lines(field: "Field") -> Iterator[str]:
    """A field in words; a policy as the lines that differ."""
    if field.name == "policy":
        found, declared = (str(each or "").splitlines() for each in (field.found, field.declared))
        yield from difflib.unified_diff(found, declared, "in Vault", "declared", n=0, lineterm="")
    else:
        yield f"{field.name}: {field.found!r}, declared {field.declared!r}"


def _values(given: list[str] | None) -> dict[str, str]:
    pairs = [each.partition("=") for each in given or ()]
    wrong = [name for name, equals, _ in pairs if not equals]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r}: write NAME=VALUE", param_hint="--value")
    return {name: text for name, _, text in pairs}


def _root(key_file: Path, certificate_file: Path, passphrase_file: Path | None) -> "RootFiles":
    from services.cli.vault.authorities import RootFiles  # noqa: PLC0415

    passphrase = passphrase_file.read_bytes().strip() if passphrase_file else b""
    return RootFiles(key_file, certificate_file, passphrase)
