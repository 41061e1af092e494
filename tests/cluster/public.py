"""The public cloud of a trial: its gateway, its chart, and what each cloud knows of the other.

The gateway stands for that of infra/ingress in both clouds: it passes connections through.
"""

from base64 import b64decode
from pathlib import Path
from typing import Any

from services.proof.checkpoint import verifier_key
from services.witness.key import make_key
from services.witness.key import verifier_key as witness_key
from tests.cluster.ground import COMMUNITY, GATEWAY, PUBLIC, Ground
from tests.cluster.kubectl import apply, rolled_out
from tests.cluster.objects import config_map, secret
from tests.cluster.release import Release

SCRIPT = Path(__file__).parent / "gateway.py"
ORIGIN, WITNESS = "crossroads.internal/log", "witness.example/trial"
PUSH, SITE, COSIGN = 8443, 8080, 8081
DOORS = {
    PUSH: f"publication.{PUBLIC}.svc:8443",
    SITE: f"publication.{PUBLIC}.svc:8080",
    COSIGN: f"witness.{PUBLIC}.svc:8080",
}
ADDRESS = f"gateway.{GATEWAY}.svc"
ANYWHERE = ["0.0.0.0/0"]
OUTSIDE: dict[str, dict[str, Any]] = {
    "publisher": {
        "enabled": True,
        "outside": {
            "publication": {"address": f"{ADDRESS}:{PUSH}", "cidrs": ANYWHERE, "ports": [PUSH]}
        },
    },
    "logging": {"outside": {"witnesses": {"cidrs": ANYWHERE, "ports": [COSIGN]}}},
}
"""Values of the community chart where there is this public cloud."""


class PublicCloud:
    """What `ground` and the community's ground carry; `image` is "repository:tag"."""

    def __init__(self, ground: Ground, community: Ground, image: str) -> None:
        self._ground = ground
        self._community = community
        self._image = image
        self.log_keys: list[str] = []
        self.witness = ""
        self.release = Release("public", PUBLIC, {})

    @property
    def policy(self) -> str:
        """Whom to believe about the log (C2SP tlog-policy)."""
        lines = [f"log {each}" for each in self.log_keys]
        lines.append(f"witness trial {self.witness} http://{ADDRESS}:{COSIGN}/")
        return "\n".join([*lines, "quorum trial", ""])

    def bring(self, resources: dict[str, Any]) -> None:
        """Gateway and chart, ready, and to each cloud what it must know of the other."""
        self._ground.lay()
        self._acquaint()
        apply(GATEWAY, [config_map("gateway", {SCRIPT.name: SCRIPT.read_text()}), *self._gateway()])
        repository, _, tag = self._image.rpartition(":")
        vault = self._ground.cloud.vault
        self.release.values = {
            "global": {
                "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"},
                "vault": {
                    "address": f"https://openbao-active.{vault}.svc:8200",
                    "namespace": vault,
                },
            },
            "publication": {"resources": resources},
            "witness": {
                "resources": resources,
                "config": {"name": WITNESS, "logs": {ORIGIN: self.log_keys}},
            },
        }
        self.release.bring()
        rolled_out(GATEWAY, "deployment/gateway")
        rolled_out(PUBLIC, "deployment/publication", "statefulset/witness")

    def _acquaint(self) -> None:
        """Keys and authorities, which are public; as in infra/runbooks/install.md."""
        with self._community.operator() as session:
            found = session.request("GET", "transit/keys/log-checkpoint")["data"]["keys"]
        halves = [b64decode(each["public_key"]) for each in found.values()]
        self.log_keys = [verifier_key(ORIGIN, half) for half in halves]
        key = self._ground.folder / "witness.pem"
        make_key(key)
        self.witness = witness_key(WITNESS, key)
        ours, theirs = (
            (each.folder / "authorities" / "services.pem").read_text()
            for each in (self._community, self._ground)
        )
        apply(
            COMMUNITY,
            [
                config_map("publisher-publication-authority", {"publication_authority": theirs}),
                config_map("logging-witness-policy", {"witness_policy": self.policy}),
            ],
        )
        apply(
            PUBLIC,
            [
                config_map("publication-trust", {"services.pem": ours}),
                config_map("publication-log-policy", {"log_policy": self.policy}),
                secret("witness-key-file", {"key_file": key.read_bytes()}),
            ],
        )

    def _gateway(self) -> list[dict[str, Any]]:
        labels = {"app.kubernetes.io/name": "gateway"}
        ports = [{"name": f"p{port}", "port": port} for port in DOORS]
        container = {
            "name": "gateway",
            "image": self._image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/opt/crossroads/bin/python", f"/gateway/{SCRIPT.name}"],
            "args": [f"{port}={target}" for port, target in DOORS.items()],
            "readinessProbe": {"tcpSocket": {"port": SITE}, "periodSeconds": 2},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "gateway", "mountPath": "/gateway"}],
        }
        security = {"runAsNonRoot": True, "runAsUser": 65532}
        spec = {
            "automountServiceAccountToken": False,
            "securityContext": security | {"seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "gateway", "configMap": {"name": "gateway"}}],
        }
        template = {"metadata": {"labels": labels}, "spec": spec}
        return [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "gateway"},
                "spec": {"selector": {"matchLabels": labels}, "template": template},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "gateway"},
                "spec": {"clusterIP": "None", "selector": labels, "ports": ports},
            },
        ]
