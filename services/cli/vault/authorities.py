"""The intermediates in Vault: asked for, signed by the offline root, put in place.

Contract: keys are made in Vault and stay there. `folder` carries what goes to the root and comes
back: NAME.csr, NAME.pem, and root.pem. With the root's key at hand all of it happens at once;
without, what waits for the root is said. An intermediate that is there is never made again.
"""

from dataclasses import dataclass
from pathlib import Path

from services.cli.platform.home import PlatformError, write
from services.cli.vault.application import Outcome
from services.cli.vault.declaration import Declaration, Kind
from services.cli.vault.difference import Change, Difference, Field
from services.runtime.vaultsession import Session, VaultError

MOST = 2
"""Certificates of an intermediate: its own, and while it is replaced the next one's."""


@dataclass(frozen=True)
class RootFiles:
    """The offline root's key and certificate, where the operator has them at hand."""

    key: Path
    certificate: Path
    passphrase: bytes = b""


def authority_differences(
    session: Session, declaration: Declaration, folder: Path
) -> list[Difference]:
    """Intermediates that are missing or not as declared, by root.pem in `folder` if it is there."""
    from services.cli.vault.offline import faults  # noqa: PLC0415 - 0.1 s of X.509

    root = folder / "root.pem"
    roots = root.read_bytes() if root.exists() else None
    wrong = []
    for name, authority in declaration.authorities.items():
        found = certificates(session, name)
        if not found:
            wrong.append(Difference(Kind.AUTHORITY, name, Change.MISSING))
            continue
        fields = tuple(
            Field(each, getattr(authority, each, "as the root signs it"), "something else")
            for pem in found
            for each in faults(pem.encode(), authority, roots)
        )
        if len(found) > MOST:
            fields = (*fields, Field("issuers", f"{MOST} at most", len(found)))
        if fields:
            wrong.append(Difference(Kind.AUTHORITY, name, Change.CHANGED, fields))
    return wrong


def certificates(session: Session, name: str) -> list[str]:
    """The certificates (PEM) of an intermediate: all of them are trusted, one issues."""
    try:
        issuers = session.request("LIST", f"pki-{name}/issuers")["data"]["keys"] or ()
    except VaultError as error:
        # 404: an engine without an issuer, or none; 403 where nobody may ask: no engine.
        if error.status not in (403, 404):
            raise
        return []
    answers = [session.request("GET", f"pki-{name}/issuer/{each}/json") for each in issuers]
    return [answer["data"]["certificate"] for answer in answers]


def found_authorities(
    session: Session,
    declaration: Declaration,
    *,
    folder: Path,
    root: RootFiles | None,
    outcome: Outcome,
) -> None:
    """Make the intermediates that are missing, as far as one can without the root."""
    for difference in authority_differences(session, declaration, folder):
        if difference.change is Change.CHANGED:
            why = "it issues already: replace it as root, by infra/vault/README.md"
            outcome.left.append((difference, why))
            continue
        name = difference.name
        try:
            ready = _found(session, name, declaration, folder, root)
        except VaultError as error:
            if error.status != 403:
                raise
            outcome.left.append((difference, "only root may: apply with a root token"))
            continue
        if ready:
            outcome.done.append(difference)
        else:
            why = (
                f"carry {folder / name}.csr to the root (crossroads vault sign), bring {name}.pem "
                f"back to {folder}, and apply again"
            )
            outcome.left.append((difference, why))


def sign_waiting(root: RootFiles, declaration: Declaration, folder: Path) -> list[str]:
    """Sign each NAME.csr in `folder` that has no NAME.pem yet; which. Raises PlatformError."""
    from services.cli.vault.offline import RootKey  # noqa: PLC0415

    key = RootKey.load(
        key_file=root.key, certificate_file=root.certificate, passphrase=root.passphrase
    )
    signed = []
    for name, authority in declaration.authorities.items():
        request, answer = folder / f"{name}.csr", folder / f"{name}.pem"
        if request.exists() and not answer.exists():
            write(answer, key.sign(request.read_bytes(), authority))
            signed.append(name)
    return signed


def _found(
    session: Session, name: str, declaration: Declaration, folder: Path, root: RootFiles | None
) -> bool:
    """Whether the intermediate now has its certificate."""
    authority = declaration.authorities[name]
    request, signed = folder / f"{name}.csr", folder / f"{name}.pem"
    if not request.exists():
        signed.unlink(missing_ok=True)  # of a key that this Vault never had
        body = {"common_name": authority.common_name, "key_type": "ec", "key_bits": 256}
        answer = session.request("POST", f"pki-{name}/intermediate/generate/internal", body)
        folder.mkdir(parents=True, exist_ok=True)
        write(request, f"{answer['data']['csr'].strip()}\n")
    if root is not None:
        sign_waiting(root, declaration, folder)
    if not signed.exists():
        return False
    answer = session.request(
        "POST", f"pki-{name}/intermediate/set-signed", {"certificate": signed.read_text()}
    )
    keys = answer["data"]["mapping"]  # of each issuer that came in: its key, "" when there is none
    if not any(keys.values()):
        for issuer in keys:
            session.request("DELETE", f"pki-{name}/issuer/{issuer}")
        raise PlatformError(
            f"{signed} is not for a key of this Vault; remove it and {request}, and apply again"
        )
    request.unlink()
    return True
