"""What is not public does not render for the public cloud: each service, each of its secrets."""

import re
from typing import Any

import helm_python as helm
import pytest

from tests.support.charts import CHARTS, Rendered, production, rendered, small
from tools.placed import placed
from tools.sensitivity import table

STATED = table()["services"]
PUBLIC = sorted(name for name in placed() if STATED.get(name) == "public")
PRIVATE = sorted(name for name in placed() if STATED.get(name) != "public")
CLOUD = {"cloud": "public"}
KEY = {"name": "witness.example/one", "logs": {}}


def test_there_are_both_kinds() -> None:
    assert PUBLIC == ["publication", "witness"]
    assert {"identity", "logging", "publisher", "routing"} <= set(PRIVATE)


@pytest.mark.parametrize("name", PRIVATE)
def test_a_sensitive_service_does_not_render(name: str) -> None:
    stated = STATED.get(name, "not stated")
    rendered("service", name=name, **_needed(name))
    said = f"{name} is not for the public cloud: its sensitivity is {stated}"
    with pytest.raises(helm.HelmRenderError, match=said):
        rendered("service", name=name, **_needed(name), **{"global": CLOUD})
    with pytest.raises(helm.HelmRenderError, match=said):
        rendered("public", publication={"name": name})
    with pytest.raises(helm.HelmRenderError, match=said):
        rendered("public", witness={"name": name, "enabled": True, "config": KEY})
    with pytest.raises(helm.HelmValuesError, match="not allowed"):
        rendered("public", **{name: {"enabled": True}})


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_service_renders(name: str) -> None:
    assert rendered("service", name=name, **_needed(name), **{"global": CLOUD}).objects


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize(
    "values",
    [
        {"trust": {"configMap": "{}-trust"}},
        {"database": {"host": "{}-database-rw"}},
        {"database": {"host": "{}-database-rw.crossroads.svc.cluster.local"}},
        {"global": {"vault": {"caConfigMap": "{}-vault-ca"}}},
        {"global": {"vault": {"pods": {"app": "{}"}}}},
        {"global": {"image": {"pullSecrets": ["{}-backups"]}}},
        {"global": {"telemetry": {"endpoint": "{}.elsewhere.svc:8443"}}},
        {"global": {"telemetry": {"pods": {"app.kubernetes.io/name": "{}"}, "port": 8443}}},
        {"global": {"gateway": {"pods": {"app.kubernetes.io/name": "{}"}}}},
        {"global": {"dns": {"pods": {"app.kubernetes.io/name": "{}"}}}},
        {"global": {"monitoring": {"namespace": "{}"}}},
        {"config": {"origin": "{}.crossroads.svc:8443"}},
        {"outside": {"publication": {"address": "{}:8443"}}},
    ],
)
def test_what_belongs_to_a_sensitive_service_does_not_render(
    name: str, values: dict[str, Any]
) -> None:
    filled = _filled(values, name)
    with pytest.raises(helm.HelmRenderError, match=f"name something of {name}"):
        rendered("public", publication=filled | {"config": filled.get("config", {})})


@pytest.mark.parametrize("part", ["vault", "gateway", "dns", "telemetry", "monitoring"])
def test_no_door_leads_to_or_from_the_communitys_namespace(part: str) -> None:
    with pytest.raises(helm.HelmRenderError, match=f"global.{part}.namespace: crossroads is the"):
        rendered("public", **{"global": {part: {"namespace": "crossroads"}}})
    assert rendered("public", **{"global": {part: {"namespace": "crossroads-shared"}}}).objects


@pytest.mark.parametrize(
    "values",
    [
        {"global": {"telemetry": {"endpoint": "spans.crossroads.svc:4317"}}},
        {"global": {"vault": {"address": "https://vault.crossroads:8200"}}},
        {"publication": {"database": {"host": "shared.crossroads.svc.cluster.local"}}},
    ],
)
def test_no_address_is_in_the_communitys_namespace(values: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmRenderError, match="an address in the namespace crossroads"):
        rendered("public", **values)


def test_the_public_chart_goes_into_a_namespace_of_its_own() -> None:
    with (
        helm.Chart.load(CHARTS / "public") as chart,
        pytest.raises(helm.HelmRenderError, match="install it in one of its own"),
    ):
        chart.render({}, name="crossroads", namespace="crossroads")


def test_no_value_turns_the_public_chart_into_another() -> None:
    with pytest.raises(helm.HelmValuesError, match="must be 'public'"):
        rendered("public", **{"global": {"cloud": "community"}})


def test_no_vault_role_and_no_secret_but_the_services_own_are_named() -> None:
    for size in (small, production):
        for pod in size("public").pods():
            service = pod.name.removesuffix("-migrate")
            for volume in pod.spec["volumes"]:
                if "secret" in volume:
                    assert volume["secret"]["secretName"].startswith(f"{service}-")


def test_nothing_in_a_public_render_names_a_sensitive_service() -> None:
    word = re.compile(rf"\b({'|'.join(PRIVATE)})\b")
    for size in (small, production):
        render: Rendered = size("public")
        for each in render.objects:
            assert not word.search(str(each)), (each["kind"], each["metadata"]["name"])


def _filled(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, name) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, name) for each in value]
    return value.format(name) if isinstance(value, str) else value


def _needed(name: str) -> dict[str, Any]:
    """What a service does not render without."""
    found: dict[str, Any] = {"replicas": 1}
    return found | ({"outside": {"publication": {"address": "a:1"}}} if name == "publisher" else {})
