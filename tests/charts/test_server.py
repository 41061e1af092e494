"""A real API server takes what the charts render, and the next version over the last.

It needs kubectl, and kube-apiserver and etcd on the PATH, or with `--servers=containers` an engine
that has K3s; without them these tests are skipped. No scheduler and no kubelet run: what an API
server refuses or warns of is found here, and no more.
"""

import subprocess
from collections.abc import Iterable, Iterator

import pytest
import yaml

from tests.support.charts import NAMESPACES, Object, Pod, Rendered, production, rendered
from tests.support.kubernetes_api import Server
from tests.support.manifests import needs_kubectl
from tests.support.platform import StartsServer

pytestmark = [needs_kubectl, pytest.mark.xdist_group("kubernetes")]
CUSTOM = {"ServiceMonitor"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, api_server: StartsServer) -> Iterator[Server]:
    """An API server with the namespaces of both clouds, "restricted" enforced in each."""
    with api_server(tmp_path_factory.mktemp("kubernetes")) as started:
        for name in NAMESPACES.values():
            labels = {
                f"pod-security.kubernetes.io/{how}": "restricted" for how in ("enforce", "warn")
            }
            metadata = {"name": name, "labels": labels}
            kubectl(started, [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
        yield started


def kubectl(server: Server, objects: Iterable[Object], *options: str) -> str:
    """Apply objects; what it said of them on the side. Fails when one is refused."""
    done = subprocess.run(
        [
            *("kubectl", f"--kubeconfig={server.kubeconfig('admin')}", "apply", "--server-side"),
            *("-f", "-", *options),
        ],
        input=yaml.safe_dump_all([dict(each) for each in objects]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RefusedError(done.stderr)
    return done.stderr


class RefusedError(Exception):
    """The API server did not take an object."""


def known(render: Rendered) -> list[Object]:
    """What a server knows on which nobody has installed anything."""
    return [each for each in render.objects if each["kind"] not in CUSTOM]


@pytest.mark.parametrize("chart", ["community", "public"])
def test_every_object_is_taken_without_a_warning(server: Server, chart: str) -> None:
    render = production(chart)
    assert kubectl(server, known(render), f"--namespace={render.namespace}") == ""


def test_the_next_version_goes_over_the_last_and_back(server: Server) -> None:
    def version(number: int, replicas: int) -> Rendered:
        image = {"digest": f"sha256:{number:064}"}
        contact = {"autoscaling": {"enabled": False}, "replicas": replicas}
        return rendered(
            "community", "production-values.yaml", contact=contact, **{"global": {"image": image}}
        )

    for render in (version(1, 2), version(2, 3), version(1, 2)):
        # A finished job is replaced, as helm replaces a hook: it can't be changed.
        objects = [each for each in known(render) if each["kind"] not in ("Job", "Pod")]
        assert kubectl(server, objects, f"--namespace={render.namespace}") == ""


@pytest.mark.parametrize("chart", ["community", "public"])
def test_every_pod_is_admitted_where_restricted_is_enforced(server: Server, chart: str) -> None:
    render = production(chart)
    options = (f"--namespace={render.namespace}", "--dry-run=server")
    assert kubectl(server, map(_alone, render.pods()), *options) == ""
    for pod in render.pods()[:1]:
        open_to_all = _alone(pod)
        open_to_all["spec"] = {**pod.spec, "hostNetwork": True}
        with pytest.raises(RefusedError, match="violates PodSecurity"):
            kubectl(server, [open_to_all], *options)


def _alone(pod: Pod) -> dict[str, object]:
    """The pod as an object of its own; a volume that a stateful set would give it is left out."""
    (container,) = pod.spec["containers"]
    volumes = {each["name"] for each in pod.spec["volumes"]}
    mounts = [each for each in container["volumeMounts"] if each["name"] in volumes]
    spec = {**pod.spec, "containers": [{**container, "volumeMounts": mounts}]}
    metadata = {"name": f"{pod.name}-alone", "labels": dict(pod.labels)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
