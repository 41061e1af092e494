"""API servers that hold what a test puts there: a real one where there is one, and a small one.

Contract: both are started empty, take objects over HTTPS (`load`), and know three users by token:
`admin`, `reader` (may do what the cluster role `reader` says), and nobody else. `small` knows no
more of Kubernetes than lists in pages, status, access reviews, custom resources and the way to a
pod; that it answers as a real one does, the same tests show on `real`, which needs kube-apiserver
and etcd on the PATH, or with `--servers=containers` on K3s (k3s.py).
"""

import json
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.cli.cluster.api import REVIEWS, Resource
from services.cli.platform import listener
from tests.support.kubernetes_world import NAMESPACE, VAULT, World

Json = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
READY_SECONDS = 60.0
PROXY = re.compile(r"(/api/v1/namespaces/[^/]+/pods)/([^/:]+):(\d+)/proxy(/.*)")
CUSTOM = {"Cluster": "clusters", "ObjectStore": "objectstores"}
PLURALS = CUSTOM | {
    "Node": "nodes",
    "Pod": "pods",
    "ConfigMap": "configmaps",
    "DaemonSet": "daemonsets",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "NetworkPolicy": "networkpolicies",
    "Namespace": "namespaces",
    "CustomResourceDefinition": "customresourcedefinitions",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}


class Server:
    """An API server at an address, and how one logs in to it."""

    def __init__(self, folder: Path, port: int, ca: Path) -> None:
        self.address = f"https://127.0.0.1:{port}"
        self.ca = ca
        self._folder = folder
        self.tokens = {user: secrets.token_hex(16) for user in ("admin", "reader")}

    def kubeconfig(self, user: str) -> Path:
        """A kubeconfig of that user; of nobody when there is none."""
        token = self.tokens.get(user, "of nobody")
        cluster = {"server": self.address, "certificate-authority": str(self.ca)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        file = self._folder / f"{user}.kubeconfig"
        file.write_text(json.dumps(document))
        return file

    def load(self, world: World, *, custom: bool = True) -> None:
        """Put the world there; without `custom` no operator was ever installed."""
        for name in (NAMESPACE, VAULT):
            self._make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for kind in CUSTOM if custom else ():
            self._make(_definition(kind))
        for each in world.objects():
            if custom or each["kind"] not in CUSTOM:
                self._make(each)

    def let_read(self, resources: list[str]) -> None:
        """What `reader` may list from now on, everywhere."""
        rules = [{"apiGroups": ["*"], "resources": resources, "verbs": ["list"]}]
        subject = {"kind": "User", "name": "reader", "apiGroup": RBAC}
        reference = {"kind": "ClusterRole", "name": "reader", "apiGroup": RBAC}
        named: Json = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": "reader"}}
        self._make(named | {"kind": "ClusterRole", "rules": rules})
        binding = {"kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]}
        self._make(named | binding)

    def _make(self, thing: Json) -> None:
        """Create it, then say its status, as a controller would."""
        path = _resource(thing).path
        deadline = time.monotonic() + READY_SECONDS
        # A sort of objects that was just defined is served a moment later.
        while (answer := self._request("POST", path, thing)).status_code == 404:
            assert time.monotonic() < deadline, path
        assert answer.status_code == 201, answer.text
        if "status" in thing:
            status = {"status": thing["status"]}
            path = f"{path}/{thing['metadata']['name']}/status"
            answer = self._request("PATCH", path, status)
            assert answer.status_code == 200, answer.text

    def _request(self, method: str, path: str, body: Json) -> requests.Response:
        patch = method == "PATCH"
        kind = "application/merge-patch+json" if patch else "application/json"
        headers = {"Authorization": f"Bearer {self.tokens['admin']}", "Content-Type": kind}
        address, data = f"{self.address}{path}", json.dumps(body)
        ca = str(self.ca)
        return requests.request(method, address, data=data, headers=headers, verify=ca, timeout=20)


def _resource(thing: Json) -> Resource:
    group, _, version = str(thing["apiVersion"]).rpartition("/")
    namespace = thing["metadata"].get("namespace", "")
    return Resource(group, version, PLURALS[thing["kind"]], namespace)


def _definition(kind: str) -> Json:
    """A custom resource of any shape; its operator's own says more."""
    group = {"Cluster": "postgresql.cnpg.io", "ObjectStore": "barmancloud.cnpg.io"}[kind]
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    names = {"plural": CUSTOM[kind], "kind": kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{CUSTOM[kind]}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
    }


@contextmanager
def small(folder: Path) -> Iterator[Server]:
    """The small one."""
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    listener.make(ca=ca, cert=cert, key=key)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    server = Server(folder, int(http.server_address[1]), ca)
    http.held = _Held({token: user for user, token in server.tokens.items()})  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, args=(0.05,))
    thread.start()
    yield server
    http.shutdown()
    thread.join()
    http.server_close()


class _Held:
    """What the small one holds: by the path of the list, then by name."""

    def __init__(self, users: dict[str, str]) -> None:
        self.users = users
        self.lists: dict[str, dict[str, Json]] = {}

    def known(self, path: str) -> bool:
        """Whether there is such a sort of objects."""
        plural, group = path.rsplit("/", 1)[1], path.split("/")[2]
        defined = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        return plural not in CUSTOM.values() or f"{plural}.{group}" in self.lists.get(defined, {})

    def page(self, path: str, query: dict[str, list[str]]) -> Json:
        """A part of a list; of all namespaces when the path names none."""
        tail = path.rsplit("/", 1)[1]
        root = path[: -len(tail)]
        found = [
            thing
            for held, things in self.lists.items()
            if held == path or (held.startswith(f"{root}namespaces/") and held.endswith(f"/{tail}"))
            for thing in things.values()
        ]
        start, most = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
        more = {"continue": str(start + most)} if start + most < len(found) else {}
        return {"kind": "List", "metadata": more, "items": found[start : start + most]}

    def allows(self, user: str, asked: Json) -> bool:
        """Whether a user may do that."""
        roles = self.lists.get(f"/apis/{RBAC}/v1/clusterroles", {}).values()
        rules = [rule for role in roles for rule in role["rules"]]
        resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
        return user == "admin" or any(
            resource in rule["resources"] and asked["verb"] in rule["verbs"] for rule in rules
        )


class _Handler(BaseHTTPRequestHandler):
    """Requests of the small one."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if not self._user():
            return
        if path == "/version":
            self._answer(200, {"gitVersion": "v1.36.2"})
        elif found := PROXY.fullmatch(path):
            self._forward(found[1], found[2], found[3], found[4])
        else:
            known = self._held.known(path)
            self._answer(200, self._held.page(path, query)) if known else self._answer(404, {})

    def _forward(self, pods: str, pod: str, port: str, path: str) -> None:
        """What a pod answers there."""
        address = self._held.lists.get(pods, {}).get(pod, {}).get("status", {}).get("podIP")
        try:
            answer = requests.get(f"http://{address}:{port}{path}", timeout=5)
        except requests.RequestException:
            self._answer(503, {"kind": "Status", "reason": "ServiceUnavailable"})
            return
        self._send(answer.status_code, answer.headers["content-type"], answer.content)

    def do_POST(self) -> None:
        user, thing = self._user(), self._body()
        if user and self.path == REVIEWS:
            allowed = self._held.allows(user, thing["spec"]["resourceAttributes"])
            self._answer(201, thing | {"status": {"allowed": allowed}})
        elif user and not self._held.known(self.path):
            self._answer(404, {})
        elif user:
            # A list's items do not say what they are, and a status is not taken here.
            kept = {key: each for key, each in thing.items() if key not in ("kind", "status")}
            kept |= {} if thing["kind"] in ("ConfigMap", "ClusterRole") else {"status": {}}
            self._held.lists.setdefault(self.path, {})[thing["metadata"]["name"]] = kept
            self._answer(201, kept)

    def do_PATCH(self) -> None:
        user, body = self._user(), self._body()
        path, name, _ = self.path.rsplit("/", 2)
        if user:
            self._held.lists[path][name] |= body
            self._answer(200, body)

    @property
    def _held(self) -> _Held:
        held: _Held = self.server.held  # type: ignore[attr-defined]
        return held

    def _user(self) -> str:
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        user = self._held.users.get(token, "")
        if not user:
            self._answer(401, {})
        return user

    def _body(self) -> Json:
        body: Json = json.loads(self.rfile.read(int(self.headers["content-length"])))
        return body

    def _answer(self, status: int, document: Json) -> None:
        self._send(status, "application/json", json.dumps(document).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def real(folder: Path) -> Iterator[Server]:
    """A kube-apiserver on an etcd of its own."""
    binaries = shutil.which("kube-apiserver"), shutil.which("etcd")
    if binaries[0] is None or binaries[1] is None:
        pytest.skip("needs kube-apiserver and etcd on the PATH")
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    listener.make(ca=ca, cert=cert, key=key)
    store, peer, port = (free_port() for _ in range(3))
    server = Server(folder, port, ca)
    with ExitStack() as stack:
        stack.enter_context(_process(folder, _etcd(binaries[1], folder, store, peer)))
        command = _apiserver(binaries[0], folder, server, port, store)
        stack.enter_context(_process(folder, command))
        until_ready(server)
        yield server


def _etcd(binary: str, folder: Path, store: int, peer: int) -> list[str]:
    mine, others = f"http://127.0.0.1:{store}", f"http://127.0.0.1:{peer}"
    return [
        *(binary, f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync"),
        *(f"--listen-client-urls={mine}", f"--advertise-client-urls={mine}"),
        *(f"--listen-peer-urls={others}", f"--initial-advertise-peer-urls={others}"),
        f"--initial-cluster=default={others}",
    ]


def _apiserver(binary: str, folder: Path, server: Server, port: int, store: int) -> list[str]:
    signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = signing.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "accounts.pem").write_bytes(pem)
    users = write_users(server, folder)
    return [
        *(binary, f"--etcd-servers=http://127.0.0.1:{store}", f"--secure-port={port}"),
        *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"),
        *(f"--tls-cert-file={folder / 'cert.pem'}", f"--tls-private-key-file={folder / 'key.pem'}"),
        f"--service-account-key-file={folder / 'accounts.pem'}",
        f"--service-account-signing-key-file={folder / 'accounts.pem'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.97.0.0/24",
        *("--authorization-mode=RBAC", f"--token-auth-file={users}"),
        "--endpoint-reconciler-type=none",
        "--disable-admission-plugins=ServiceAccount",
    ]


def write_users(server: Server, folder: Path) -> Path:
    """The file that tells an API server whose tokens these are."""
    users = [
        f'{server.tokens["admin"]},admin,1,"system:masters"',
        f"{server.tokens['reader']},reader,2",
    ]
    file = folder / "tokens.csv"
    file.write_text("\n".join([*users, ""]))
    return file


@contextmanager
def _process(folder: Path, command: list[str]) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def until_ready(server: Server) -> None:
    """Until it serves, and has made the roles that every cluster has."""
    deadline = time.monotonic() + READY_SECONDS
    headers = {"Authorization": f"Bearer {server.tokens['admin']}"}
    while time.monotonic() < deadline:
        try:
            address = f"{server.address}/readyz"
            if requests.get(address, headers=headers, verify=str(server.ca), timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    pytest.fail("the API server does not start")


def free_port() -> int:
    """A port of the loopback interface that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
