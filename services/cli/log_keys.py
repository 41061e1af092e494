"""The log's signing key: another version of it, and the end of the one before.

Contract: `rotate` makes a version; from then on the two newest sign, so that witnesses and
verifiers can learn the new one at their leisure. `retire` ends that: the newest alone signs.
Checkpoints that older versions signed stay verifiable.
"""

from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager

from services.cli.platform import instance, ports
from services.cli.platform.bootstrap import operator_session
from services.cli.platform.home import Home, PlatformError
from services.cli.platform.ports import LOOPBACK
from services.logging.config import Config
from services.proof.checkpoint import verifier_key
from services.runtime.config import load
from services.runtime.vaultsession import Session, VaultError


def known(home: Home) -> list[str]:
    """The log's verifier keys, newest first. Raises PlatformError."""
    with _vault(home) as (config, session):
        return _verifier_keys(session, config)


def rotate(home: Home) -> list[str]:
    """Make a version; the verifier keys, the new one first.

    Raises PlatformError while two sign: a third would end the signatures of the oldest, and who has
    not learned the second would believe no checkpoint any more.
    """
    with _vault(home) as (config, session):
        path = f"transit/keys/{config.checkpoint_key}"
        data = session.request("GET", path)["data"]
        if data["latest_version"] > max(1, data["min_encryption_version"]):
            raise PlatformError(
                "two keys sign already; when witnesses and verifiers have the newer one, end the "
                "older one with `crossroads log keys --retire`, then rotate"
            )
        session.request("POST", f"{path}/rotate")
        return _verifier_keys(session, config)


def retire(home: Home) -> list[str]:
    """Let the newest version alone sign; the verifier keys, newest first."""
    with _vault(home) as (config, session):
        path = f"transit/keys/{config.checkpoint_key}"
        latest = session.request("GET", path)["data"]["latest_version"]
        session.request("POST", f"{path}/config", {"min_encryption_version": latest})
        return _verifier_keys(session, config)


def _verifier_keys(session: Session, config: Config) -> list[str]:
    versions = session.request("GET", f"transit/keys/{config.checkpoint_key}")["data"]["keys"]
    newest_first = sorted(versions, key=int, reverse=True)
    halves = (b64decode(versions[version]["public_key"]) for version in newest_first)
    return [verifier_key(config.origin, half) for half in halves]


@contextmanager
def _vault(home: Home) -> Iterator[tuple[Config, Session]]:
    """The log's configuration, and Vault as the operator."""
    instance.require_running(home)
    session = operator_session(home, f"https://{LOOPBACK}:{ports.known(home)['openbao']}")
    try:
        yield load(Config, home.config / "logging.toml"), session
    except VaultError as error:
        raise PlatformError(f"OpenBao: {error}") from None
    finally:
        session.close()
