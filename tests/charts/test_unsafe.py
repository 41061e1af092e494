"""Values that are unsafe, or that nobody can have meant, do not render: they name the remedy."""

from typing import Any

import helm_python as helm
import pytest

from tests.support.charts import rendered, small

DIGEST = "sha256:" + "1" * 64
EVERYWHERE = ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1"]


def in_production(image: dict[str, str], **values: Any) -> dict[str, Any]:
    """Values of a service in production."""
    return values | {"global": {"production": True, "image": image}}


def everywhere(cidr: str, **more: Any) -> dict[str, Any]:
    """Routing in production, which may connect to all of that."""
    outside = {"institutions": {"cidrs": [cidr], **more}}
    return in_production({"digest": DIGEST}, name="routing", outside=outside)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"name": "routing", "autoscaling": {"enabled": True, "min": 9, "max": 2}},
            "autoscaling of routing: min 9 is more than max 2: raise max, or lower min",
        ),
        (
            {"name": "logging", "autoscaling": {"enabled": True}},
            "more pods of logging do no more work: give replicas, at most 3",
        ),
        ({"name": "logging", "replicas": 7}, "replicas: 7 of logging; .*: give at most 3"),
        ({"name": "witness"}, "replicas: 2 of witness; there is only one of it: give at most 1"),
        ({"name": "publisher"}, "replicas: 2 of publisher; .*: give at most 1"),
        (in_production({}, name="routing"), "global.image.digest: missing"),
        (in_production({"tag": "1.0.0"}, name="routing"), "global.image.digest: missing"),
    ],
)
def test_what_is_unsafe_does_not_render(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm.HelmRenderError, match=said):
        rendered("service", **values)


@pytest.mark.parametrize("cidr", EVERYWHERE)
def test_production_connects_everywhere_only_where_that_is_said_to_be_meant(cidr: str) -> None:
    with pytest.raises(helm.HelmRenderError, match=r"institutions\.anywhere: true"):
        rendered("service", **everywhere(cidr))
    assert rendered("service", **everywhere(cidr, anywhere=True)).objects
    assert rendered("service", **everywhere("198.51.100.0/24")).objects


@pytest.mark.parametrize("service", ["logging", "routing"])
def test_the_defaults_of_the_community_cloud_are_too_wide_for_production(service: str) -> None:
    others = {"logging": "witnesses", "routing": "institutions"}
    narrow = {
        each: {"outside": {other: {"cidrs": ["198.51.100.0/24"]}}}
        for each, other in others.items()
        if each != service
    }
    with pytest.raises(helm.HelmRenderError, match=f"outside.{others[service]}.cidrs: 0.0.0.0/0"):
        rendered("community", **in_production({"digest": DIGEST}, **narrow))


def test_a_machine_to_try_things_on_may_have_all_of_it() -> None:
    assert {pod.spec["containers"][0]["image"] for pod in small("community").pods()} == {
        "localhost/crossroads:0.1.0"
    }
    tagged = {"global": {"image": {"tag": "1.0.0"}}}
    assert rendered("community", "small-values.yaml", **tagged).objects


@pytest.mark.parametrize(("name", "most"), [("logging", 3), ("routing", 50)])
def test_as_many_pods_as_are_of_use_do_render(name: str, most: int) -> None:
    kind = "StatefulSet" if name == "logging" else "Deployment"
    workload = rendered("service", name=name, replicas=most).one(kind, name)
    assert workload["spec"]["replicas"] == most
