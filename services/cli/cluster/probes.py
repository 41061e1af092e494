"""What is tried beside the API: ports of pods, the log's checkpoint, certificates that are shown.

Contract: each connects to what it is told, waits for seconds at most, and changes nothing.
"""

import socket
import ssl
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

from services.cli.cluster.model import Json, name_of, ours, running
from services.cli.platform.home import PlatformError

NOTE_SECONDS, NOTE_BYTES = 10.0, 1 << 16
CONNECT_SECONDS = 3.0


def reached(pods: Iterable[Json]) -> list[tuple[str, int]]:
    """The ports of our pods that take a connection; one that a policy forbids says nothing."""
    targets = [
        (name_of(pod), str(pod["status"]["podIP"]), int(port["containerPort"]))
        for pod in running(ours(pods))
        if pod["status"].get("podIP")
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    ]

    def takes(target: tuple[str, str, int]) -> bool:
        _, address, port = target
        try:
            with socket.create_connection((address, port), timeout=CONNECT_SECONDS):
                return True
        except OSError:
            return False

    with ThreadPoolExecutor(max_workers=32) as pool:
        answers = pool.map(takes, targets)
        found = zip(targets, answers, strict=True)
        return [(name, port) for (name, _, port), taken in found if taken]


def newest_note(url: str) -> str:
    """The newest checkpoint, from where everybody gets it. Raises PlatformError."""
    address = f"{url.rstrip('/')}/checkpoint"
    if not address.startswith(("https://", "http://")):
        raise PlatformError(f"{url}: give the address of the log, https://…/log")
    context: Any = ssl.create_default_context() if address.startswith("https") else None
    try:
        with urllib.request.urlopen(  # noqa: S310 - checked above
            address, timeout=NOTE_SECONDS, context=context
        ) as response:
            return str(response.read(NOTE_BYTES).decode())
    except (URLError, OSError, UnicodeDecodeError) as error:
        raise PlatformError(f"{address}: {error}") from None


def shown(address: str) -> str:
    """The certificate (PEM) that is shown at host:port, believed or not; "" when none is.

    Raises PlatformError when it is no address.
    """
    parts = urlsplit(f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise PlatformError(f"{address}: give host:port")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is read, not trusted
    try:
        with (
            socket.create_connection((host, port), timeout=CONNECT_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")
    except OSError:
        return ""


def address_of(url: str) -> str:
    """host:port of an https address, "" of another."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 443}" if parts.scheme == "https" else ""
