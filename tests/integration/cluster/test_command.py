"""`crossroads cluster check` over HTTPS: the same on a small API server and on a real one."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.cli import cluster_commands
from services.cli.cluster import api
from services.cli.cluster import check as cluster_check
from services.cli.cluster.model import ZONE
from tests.support.kubernetes_api import Server, small
from tests.support.kubernetes_world import World, certificate, instance, metrics


@pytest.fixture(params=["small", "real"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """An empty API server."""
    start = small if request.param == "small" else request.getfixturevalue("api_server")
    with start(tmp_path) as started:
        yield started


@pytest.fixture
def now() -> datetime:
    """The command looks at the clock itself."""
    return datetime.now(UTC)


def check(server: Server, *arguments: str, user: str = "admin") -> Result:
    """Run the command as that user."""
    command = [f"--kubeconfig={server.kubeconfig(user)}", *arguments]
    return CliRunner().invoke(cluster_commands.app, ["check", *command])


def found(result: Result) -> set[tuple[str, str]]:
    """What was found, of what."""
    document = json.loads(result.stdout)
    assert result.exit_code == (4 if document["findings"] else 0)
    assert all(each["todo"] for each in document["findings"])
    return {(each["area"], each["subject"]) for each in document["findings"]}


def test_a_cluster_that_is_well_is_called_so(
    server: Server, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PAGE", 2)  # lists come in pages
    server.load(World.healthy(now))
    result = check(server)
    assert result.exit_code == 0, result.output
    assert "nothing is wrong" in result.output


def test_what_is_wrong_is_found_and_listed(server: Server, now: datetime) -> None:
    world = World.healthy(now)
    del world.nodes[1]["metadata"]["labels"][ZONE]
    world.workloads[0]["status"]["readyReplicas"] = 1
    world.policies.pop()
    world.budgets.pop(0)
    world.config_maps[0]["data"]["ca.crt"] = certificate(now + timedelta(days=3))
    world.databases[1]["status"]["readyInstances"] = 2
    world.vault_config_maps[1]["data"]["logging.crt"] = certificate(now + timedelta(days=80))
    world.stores.pop()
    world.daemon_sets.clear()
    server.load(world)
    assert found(check(server, "--json")) == {
        ("placement", "node node-b"),
        ("placement", "deployment registry"),
        ("certificates", "config map vault-ca, ca.crt"),
        ("certificates", "config map database-authorities, logging.crt"),
        ("network policies", "cluster"),
        *(("network policies", f"pod logging-{zone}") for zone in "abc"),
        ("databases", "logging-database"),
    }


def test_what_the_login_may_not_list_is_said_and_nothing_else_about_it(
    server: Server, now: datetime
) -> None:
    world = World.healthy(now)
    world.policies.clear()
    server.load(world)
    everything = (
        *("nodes", "deployments", "statefulsets", "pods", "poddisruptionbudgets"),
        *("configmaps", "daemonsets", "clusters", "objectstores"),
    )
    server.let_read(list(everything))
    result = check(server, "--json", user="reader")
    assert found(result) == {("rights", "networkpolicies.networking.k8s.io in crossroads")}
    (finding,) = json.loads(result.stdout)["findings"]
    assert "kubectl create role crossroads-check --verb=list" in finding["todo"]


def test_operators_that_are_missing_are_named(server: Server, now: datetime) -> None:
    server.load(World.healthy(now), custom=False)
    assert found(check(server, "--json")) == {
        ("versions", "clusters.postgresql.cnpg.io in crossroads"),
        ("versions", "objectstores.barmancloud.cnpg.io in crossroads"),
    }


def test_a_namespace_without_crossroads_is_called_so(server: Server, now: datetime) -> None:
    server.load(World.healthy(now))
    assert ("placement", "namespace default") in found(
        check(server, "--json", "--namespace=default")
    )


def test_a_login_that_nobody_knows_is_the_reason(server: Server) -> None:
    result = check(server, user="nobody")
    assert result.exit_code == 1
    assert "log in again" in result.output.replace("\n", " ")


def test_a_checkpoint_is_read_from_where_everybody_gets_it(
    server: Server, now: datetime, publish: Callable[[str], str]
) -> None:
    world = World.healthy(now)
    server.load(world)
    assert check(server, f"--log-url={publish(world.note)}").exit_code == 0
    old = World.healthy(now - timedelta(hours=1)).note
    assert found(check(server, "--json", f"--log-url={publish(old)}")) == {
        ("log witnesses", "newest checkpoint")
    }


def test_a_port_that_takes_a_connection_from_here_shows_that_no_policy_is_in_force(
    server: Server, now: datetime
) -> None:
    world = World.healthy(now)
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # taken, and nobody listens there
        taken, refused = listening.getsockname()[1], bound.getsockname()[1]
        for pod in world.pods:
            pod["status"] |= {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
            pod["spec"]["containers"][0]["ports"] = [{"containerPort": refused}]
        world.pods[4]["spec"]["containers"][0]["ports"].append({"containerPort": taken})
        server.load(world)
        assert check(server).exit_code == 0
        subject = f"pod {world.pods[4]['metadata']['name']}, port {taken}"
        assert found(check(server, "--json", "--connect")) == {("network policies", subject)}


def test_how_far_standbys_are_behind_is_read_through_the_api_server(
    server: Server, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "metrics").write_text(metrics(lag=30))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; an API server leads to no loopback address
        here = probe.getsockname()[0]
    with files_at(here, tmp_path) as port:
        monkeypatch.setattr(cluster_check, "PORT", port)
        world = World.healthy(now)
        world.pods += [instance(f"registry-database-{number}", here) for number in (2, 3)]
        server.load(world)
        result = check(server, "--json")
    assert found(result) == {("databases", "registry-database")}
    document = json.loads(result.stdout)
    assert {each["text"] for each in document["findings"]} == {
        f"registry-database-{number} is 30 s behind its primary" for number in (2, 3)
    }
    (unseen,) = [each for each in document["not_looked_at"] if "standbys" in each]
    named = [*(f"logging-database-{number}" for number in (1, 2, 3)), "registry-database-1"]
    assert f"({', '.join(named)}:" in unseen


def test_a_certificate_that_is_shown_is_looked_at(server: Server, now: datetime) -> None:
    server.load(World.healthy(now))
    shown = server.address.removeprefix("https://")
    result = check(server, f"--tls={shown}")
    assert result.exit_code == 0, result.output
    assert "OpenBao" not in result.output
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert found(check(server, "--json", f"--tls={address}")) == {("certificates", address)}
    assert "give host:port" in check(server, "--tls=nothing").output


@contextmanager
def files_at(address: str, folder: Path) -> Iterator[int]:
    """A server of files there; its port."""
    from functools import partial  # noqa: PLC0415
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415
    from threading import Thread  # noqa: PLC0415

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer((address, 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=http.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield int(http.server_address[1])
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture
def publish(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A function: where this checkpoint is shown, as publication does."""
    folder = tmp_path / "log"
    folder.mkdir()

    with files_at("127.0.0.1", folder) as port:

        def show(note: str) -> str:
            (folder / "checkpoint").write_text(note)
            return f"http://127.0.0.1:{port}/"

        yield show


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    silent = Server(tmp_path, 1, tmp_path / "ca.pem")
    result = check(silent)
    assert result.exit_code == 1
    result = CliRunner().invoke(
        cluster_commands.app, ["check", f"--kubeconfig={tmp_path / 'none'}"]
    )
    assert result.exit_code == 1
    assert "no cluster" in result.output
