"""What the charts write into config maps is what the services take: they say so themselves."""

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

from tests.support.charts import Rendered, production, rendered, small
from tools.placed import placed
from tools.placement import FILE, text

RENDERS = [(chart, size) for chart in ("community", "public") for size in (small, production)]
Size = Callable[[str], Rendered]


def configurations(render: Rendered) -> dict[str, str]:
    """The configuration of each workload, by the workload's name."""
    return {
        each["metadata"]["name"]: each["data"]["config.toml"] for each in render.of("ConfigMap")
    }


def check(folder: Path, service: str, configuration: str) -> tuple[int, str]:
    """What `--check-config` of the service says: exit code and text."""
    file = folder / f"{service}.toml"
    file.write_text(configuration)
    done = subprocess.run(
        [sys.executable, "-m", "services", service, "--config", str(file), "--check-config"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_the_charts_know_of_the_services_is_current() -> None:
    assert FILE.read_text() == text()


@pytest.mark.parametrize(("chart", "size"), RENDERS)
def test_each_service_finds_its_configuration_good(chart: str, size: Size, tmp_path: Path) -> None:
    found = configurations(size(chart))
    servers = {pod.name for pod in size(chart).pods() if pod.component == "server"}
    assert servers <= placed().keys()
    for name in servers:
        assert check(tmp_path, name, found[name])[0] == 0, (name, found[name])


def test_a_migration_differs_from_its_service_in_its_login_to_vault_alone() -> None:
    for chart, size in (("community", small("community")), ("public", small("public"))):
        found = configurations(size)
        names = {name.removesuffix("-migrate") for name in found if name.endswith("-migrate")}
        assert names, chart
        for name in names:
            job = tomllib.loads(found[f"{name}-migrate"])
            assert job["runtime"]["vault"].pop("kubernetes_role") == f"{name}-migrate"
            server = tomllib.loads(found[name])
            assert server["runtime"]["vault"].pop("kubernetes_role") == name
            assert job == server


def test_a_service_that_is_not_told_where_to_call_finds_it_wrong(tmp_path: Path) -> None:
    configuration = configurations(small("community"))["contact"]
    assert 'registry = "registry:8443"\n' in configuration
    without = configuration.replace('registry = "registry:8443"\n', "")
    code, said = check(tmp_path, "contact", without)
    assert (code, "runtime.peers.registry: missing" in said) == (78, True)


@pytest.mark.parametrize(("chart", "size"), RENDERS)
def test_every_file_that_a_configuration_names_is_mounted(chart: str, size: Size) -> None:
    render = size(chart)
    found = configurations(render)
    for pod in render.pods():
        if pod.component not in ("server", "migrate"):
            continue
        (container,) = pod.spec["containers"]
        mounts = tuple(f"{each['mountPath']}/" for each in container["volumeMounts"])
        named = [each for each in _texts(tomllib.loads(found[pod.name])) if each.startswith("/")]
        if pod.component == "migrate":  # it opens Vault and the database, and no more
            named = [each for each in named if "vault" in each or "database" in each]
        for each in (*named, container["args"][2]):
            assert each.startswith(mounts), (pod.name, each)
        volumes = {each["name"] for each in pod.spec["volumes"]}
        volumes |= {"state"} if pod.name in ("logging", "witness") else set()
        assert {each["name"] for each in container["volumeMounts"]} == volumes


def test_a_changed_setting_starts_new_pods_and_only_of_that_service() -> None:
    before = _checksums(small("community"))
    changed = rendered(
        "community", "small-values.yaml", routing={"config": {"kept_seconds": 60, "kept_octets": 1}}
    )
    after = _checksums(changed)
    assert {name for name in before if before[name] != after[name]} == {"routing"}
    settings = tomllib.loads(configurations(changed)["routing"])
    assert (settings["kept_seconds"], settings["kept_octets"]) == (60, 1)


def test_settings_are_written_as_they_were_given(tmp_path: Path) -> None:
    config = {"origin": 'say "hello" \\ <&>', "commit_seconds": 0.5, "batch_entries": 128}
    config |= {"retention": {"exchange_months": 12}}
    render = rendered("service", name="logging", config=config)
    settings = tomllib.loads(configurations(render)["logging"])
    assert {key: settings[key] for key in config} == config
    whole = config | {"origin": "example.test/log"}
    good = configurations(rendered("service", name="logging", config=whole))["logging"]
    assert check(tmp_path, "logging", good)[0] == 0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "identity", "config": {"kept_seconds": 1}}, "identity has no such setting"),
        ({"name": "routing", "config": {"runtime": {"name": "x"}}}, "routing has no such setting"),
        ({"name": "logging", "config": {"tiles_listen": "x"}}, "logging has no such setting"),
        ({"name": "publisher", "replicas": 1}, "outside.publication.address: missing"),
        ({"name": "identity", "outside": {"witnesses": {}}}, "connects to no such thing"),
        ({"name": "nobody"}, 'no service is called "nobody"'),
        ({"name": "routing", "replica": 2}, "additional properties 'replica' not allowed"),
        ({"name": "routing", "replicas": 0}, "replicas"),
        ({"name": "routing", "global": {"vault": {"address": "http://plain"}}}, "vault/address"),
        ({"name": "routing", "global": {"vault": {"token": "x"}}}, "'token' not allowed"),
        ({"name": "routing", "env": {"PASSWORD": "x"}}, "'env' not allowed"),
    ],
)
def test_what_no_service_knows_does_not_render(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm.HelmError, match=said):
        rendered("service", **values)


@pytest.mark.parametrize("chart", ["community", "public"])
def test_the_umbrella_charts_know_no_other_values(chart: str) -> None:
    wrong: list[dict[str, Any]] = [{"nobody": {}}, {"global": {"x": 1}}]
    for values in wrong:
        with pytest.raises(helm.HelmError, match="not allowed"):
            rendered(chart, **values)


def test_nothing_secret_is_in_any_object() -> None:
    for chart, size in RENDERS:
        assert size(chart).of("Secret") == []


def _checksums(render: Rendered) -> dict[str, str]:
    return {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["annotations"][
            "checksum/config"
        ]
        for each in render.of("Deployment", "StatefulSet")
    }


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []
