"""Runs in a pod of a service: ask another with the certificate that its own Vault gives.

`python asking.py SERVICE HOST PORT`. Prints what became of it: `cut` (no connection), `refused`
(connected, and ended at the handshake: with another certificate it is `answered`), or `answered`.
The other side's certificate is not looked at: it must refuse by itself.
"""

import asyncio
import importlib
import socket
import ssl
import sys
import tempfile
from pathlib import Path

from services.runtime.config import load
from services.runtime.wiring import PKI_MOUNTS, Runtime

SECONDS = 10.0
SETTINGS = bytes.fromhex("000000040000000000")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS


async def certificate(service: str, folder: Path) -> tuple[Path, Path]:
    """The chain and the key that this service gets from its Vault."""

    def ended(error: BaseException) -> None:
        raise error

    config = load(
        importlib.import_module(f"services.{service}.config").Config,
        Path("/etc/crossroads/config/config.toml"),
    )
    runtime = Runtime(config=config.runtime, package=f"services.{service}", on_death=ended)
    try:
        await runtime.open_vault()
        issued = await runtime.vault.issue_certificate(
            PKI_MOUNTS["service"],
            service,
            uri=f"spiffe://crossroads/service/{service}",
            dns=f"{service}.crossroads.internal",
        )
    finally:
        await runtime.close()
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(issued.chain_pem)
    key.write_bytes(issued.key_pem)
    return chain, key


def asked(host: str, port: int, chain: Path, key: Path) -> str:
    """What became of a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(chain, key)
    context.set_alpn_protocols(["h2"])
    try:
        plain = socket.create_connection((host, port), timeout=SECONDS)
    except OSError:
        return "cut"
    # TLS 1.3: what a server says of a certificate comes when the client asks already.
    try:
        with plain, context.wrap_socket(plain, server_hostname=host) as tls:
            tls.sendall(PREFACE)
            return "answered" if tls.recv(1 << 14) else "refused"
    except (ssl.SSLError, ConnectionResetError):
        return "refused"


def main(service: str, host: str, port: int) -> None:
    """Ask, and say."""
    with tempfile.TemporaryDirectory() as folder:
        chain, key = asyncio.run(certificate(service, Path(folder)))
        print(asked(host, port, chain, key))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
