"""What Vault asks of a cluster when a pod logs in: the TokenReview API, over real HTTPS.

Contract: `Cluster` issues tokens of service accounts as the kubelet projects them (a signed JWT),
and answers TokenReviews about them as an API server does. It is that one API and no more: no
cluster decides here who may run what, and whoever asks is answered: that OpenBao itself may ask is
the cluster's business (infra/openbao/access.yaml).
"""

import base64
import json
import ssl
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.cli.platform import listener

AUDIENCE = "vault"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


class Cluster:
    """An API server that knows one thing. Use it as a context manager; files go to `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        cert, key = folder / "cert.pem", folder / "key.pem"
        listener.make(ca=self.ca, cert=cert, key=key)
        self._signs = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._revoked: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.reviewed: list[str] = []

    def __enter__(self) -> "Cluster":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self) -> str:
        """Where the API is."""
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def token(self, account: str, *, namespace: str, audience: str = AUDIENCE) -> str:
        """A token of that service account, good for ten minutes."""
        now = int(time.time())
        who = {"name": account, "uid": f"uid-{account}"}
        bound = {"namespace": namespace, "serviceaccount": who}
        claims = {
            "iss": "https://kubernetes.default.svc",
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "aud": [audience],
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": bound,
        }
        signed = f"{_part({'alg': 'RS256', 'kid': '1'})}.{_part(claims)}"
        signature = self._signs.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"

    def revoke(self, token: str) -> None:
        """As when the pod was deleted: the token is no longer good."""
        self._revoked.add(token)

    def review(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The TokenReview that answers one."""
        token = asked["spec"]["token"]
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        self.reviewed.append(claims["sub"])
        wanted = asked["spec"].get("audiences") or [AUDIENCE]
        audiences = [each for each in claims["aud"] if each in wanted]
        if token in self._revoked or not audiences:
            return {"authenticated": False, "error": "the token is not good for this"}
        account = claims["kubernetes.io"]["serviceaccount"]
        namespace = claims["kubernetes.io"]["namespace"]
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
        user = {"username": claims["sub"], "uid": account["uid"], "groups": groups}
        return {"authenticated": True, "user": user, "audiences": audiences}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path != REVIEWS:
                    self.send_error(404)
                    return
                body = json.dumps(asked | {"status": cluster.review(asked)}).encode()
                self.send_response(201)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Handler


def _part(content: dict[str, Any]) -> str:
    return _encoded(json.dumps(content).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
