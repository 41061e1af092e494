"""The demo's sector in a cluster: enrolled from outside through its API, its sources in pods.

The operator logs in to Vault with the token of the service account `vault-operator`, as in
infra/vault; every person and institution has a certificate from there.
"""

import asyncio
import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from services.cli.demo import ASKER, PURPOSE, SERVICE, enrolling, sources
from services.cli.demo.starting import make_population, population_file
from services.cli.platform.enrolment import Enrolment
from services.cli.platform.home import Home, write
from services.institution.population import Store
from services.institution.sector import load
from services.institution.sources import sources as every_source
from tests.cluster.ground import COMMUNITY, Ground, crossroads
from tests.cluster.kubectl import apply, forwarded, rolled_out
from tests.cluster.objects import secret

INSTITUTIONS = "crossroads-institutions"
PERSONS, SEED = 60, 1
FIRST_PORT = 9000
ADDRESS = f"sources.{INSTITUTIONS}.svc"
PORTS = [FIRST_PORT + number for number in range(len(every_source()))]
PARTIES = (("capac", "18/1"), ("onss", "12/10"))


class Sector:
    """The sector of one trial; its keys and certificates are in a home of its own."""

    def __init__(self, ground: Ground, image: str) -> None:
        self._ground = ground
        self._image = image
        self.home = Home(ground.folder / "home")
        self.home.make()
        make_population(self.home, PERSONS, SEED)
        self._ports = {
            sources.port_name(each): port for each, port in zip(every_source(), PORTS, strict=True)
        }

    def start_sources(self) -> None:
        """Issue every certificate, and start the sources."""
        authorities = self._ground.folder / "authorities"
        shutil.copytree(authorities, self.home.authorities, dirs_exist_ok=True)
        with self._ground.operator() as session:
            enrolment = Enrolment(home=self.home, session=session)
            for application in load().applications:
                enrolment.enrol_application(application.institution, application.id)
            for actor in load().actors:
                enrolment.enrol_person(actor.id)
        apply(INSTITUTIONS, [self._files(), _service(self._ports), self._deployment()])
        rolled_out(INSTITUTIONS, "deployment/sources")

    async def enrol(self, patch: pytest.MonkeyPatch) -> None:
        """The genesis, then the demo's enrolment as on one machine."""
        patch.setattr(sources, "LOOPBACK", ADDRESS)
        with ExitStack() as ways:
            services = ("identity", "registry", "authorization", "routing", "logging")
            local = {
                each: ways.enter_context(forwarded(COMMUNITY, f"service/{each}", 8443))
                for each in services
            }
            write(self.home.ports, json.dumps(local | self._ports))
            await asyncio.to_thread(self._begin, local["registry"])
            patch.setattr(enrolling, "genesis", done)
            store = Store(path=population_file(self.home))
            try:
                await enrolling.Enrolling(home=self.home, store=store, tell=lambda _: None).run()
            finally:
                store.close()

    def question(self) -> dict[str, bytes]:
        """What a trial exchange needs (services/institution/trial.py), by file name."""
        store = Store(path=population_file(self.home))
        try:
            subject = store.all_integrated_in(*PARTIES)[0]
        finally:
            store.close()
        folder = self.home.institutions / ASKER.replace("/", ".")
        asked = {"service": SERVICE, "purpose": PURPOSE, "subject": subject}
        return {
            "key.pem": (folder / "key.pem").read_bytes(),
            "chain.pem": (folder / "cert.pem").read_bytes(),
            "platform.pem": (self.home.authorities / "services.pem").read_bytes(),
            "exchange.toml": "".join(f'{k} = "{v}"\n' for k, v in asked.items()).encode(),
        }

    def _begin(self, registry: int) -> None:
        """The first administrators, by the operator's commands (infra/runbooks/install.md)."""
        administrators = [each.id for each in load().with_role("administrator")]
        by_name = [option for each in administrators for option in ("--administrator", each)]
        with self._ground.vault() as address:
            way = self._ground.as_operator()
            for each in administrators:
                folder = str(self.home.persons / each)
                crossroads("vault", "certify", each, folder, "--address", address, *way)
            to = ["--registry", f"127.0.0.1:{registry}", "--vault", address, *way]
            said = crossroads("genesis", *by_name, "--threshold", "2", *to)
        assert said.strip() == "genesis: log entry 0"

    def _files(self) -> dict[str, Any]:
        """Everything that the sources read, as one secret; a path's "/" is "." in its key."""
        data = {
            "population": population_file(self.home).read_bytes(),
            "services.pem": (self.home.authorities / "services.pem").read_bytes(),
        }
        for folder in self.home.institutions.iterdir():
            for name in ("key.pem", "cert.pem"):
                data[f"{folder.name}.{name}"] = (folder / name).read_bytes()
        for spec in sources.processes():
            data[f"{spec.name}.toml"] = self._config(spec.config).encode()
        return secret("sources", data)

    def _config(self, text: str) -> str:
        """A process's configuration, for a pod."""
        ports = self._ports | {f"sources-{n}-health": 8080 + n for n in (1, 2, 3)} | {"otlp": 4317}
        for name, port in ports.items():
            text = text.replace(f"{{port:{name}}}", str(port))
        return text.replace("{home}", "/home").replace("127.0.0.1:", "0.0.0.0:")

    def _deployment(self) -> dict[str, Any]:
        items = [
            {"key": "population", "path": "population/population.sqlite"},
            {"key": "services.pem", "path": "authorities/services.pem"},
        ]
        for folder in self.home.institutions.iterdir():
            for name in ("key.pem", "cert.pem"):
                path = f"institutions/{folder.name}/{name}"
                items.append({"key": f"{folder.name}.{name}", "path": path})
        items += [{"key": f"{s.name}.toml", "path": f"{s.name}.toml"} for s in sources.processes()]
        containers = [_container(spec.name, self._image) for spec in sources.processes()]
        secret = {"secretName": "sources", "items": items}
        volumes = [{"name": "home", "secret": secret}, {"name": "run", "emptyDir": {}}]
        return _deployed(containers, volumes)


async def done(*_: object) -> None:
    """The genesis is here already: stands where the demo's enrolment begins with one."""


def _container(name: str, image: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/opt/crossroads/bin/python", "-m", "services.institution"],
        "args": ["--config", f"/home/{name}.toml"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "home", "mountPath": "/home"},
            {"name": "run", "mountPath": "/home/run"},
        ],
        "readinessProbe": {
            "grpc": {"port": 8080 + int(name[-1]), "service": "ready"},
            "periodSeconds": 2,
        },
    }


def _deployed(containers: list[dict[str, Any]], volumes: list[dict[str, Any]]) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "sources"}
    security = {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532}
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": security | {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": containers,
        "volumes": volumes,
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "sources"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def _service(ports: Mapping[str, int]) -> dict[str, Any]:
    listed = [{"name": f"p{port}", "port": port} for port in ports.values()]
    selector = {"app.kubernetes.io/name": "sources"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "sources"},
        "spec": {"clusterIP": "None", "selector": selector, "ports": listed},
    }
