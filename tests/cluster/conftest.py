"""One installation for all tests of this folder: both clouds, with the demo's sector enrolled."""

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.ground import CLOUDS, COMMUNITY, SERVICES, Ground
from tests.cluster.kubectl import apply, got, rolled_out
from tests.cluster.objects import secret
from tests.cluster.public import OUTSIDE, PublicCloud
from tests.cluster.release import Release
from tests.cluster.sector import PORTS, Sector

IMAGE = os.environ.get("CROSSROADS_IMAGE", "localhost/crossroads:0.1.0")
LITTLE = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}
PART = "app.kubernetes.io/part-of=crossroads"


@dataclass(frozen=True)
class Trial:
    """The community cloud's release, and the public cloud beside it."""

    release: Release
    public: PublicCloud
    image: str = IMAGE


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Both charts, ready; removed at the end, and looked whether all of it is gone."""
    folder = tmp_path_factory.mktemp("cluster")
    ground, other = (Ground(folder / each.name, each) for each in CLOUDS.values())
    trial = Trial(Release("community", COMMUNITY, values()), PublicCloud(other, ground, IMAGE))
    try:
        ground.lay()
        trial.public.bring(LITTLE)
        trial.release.bring()
        ready()
        sector = Sector(ground, IMAGE)
        sector.start_sources()
        with pytest.MonkeyPatch.context() as patch:
            asyncio.run(sector.enrol(patch))
        apply(COMMUNITY, [secret("exchange-test", sector.question())])
        yield trial
        for release in (trial.release, trial.public.release):
            release.remove()
            gone(release.namespace)
    finally:
        other.remove()
        ground.remove()


def values() -> dict[str, Any]:
    """Two of what exchanges pass through, small enough for one machine."""
    repository, _, tag = IMAGE.rpartition(":")
    found: dict[str, Any] = {each: {"resources": LITTLE} for each in (*SERVICES, "publisher")}
    found["routing"] |= {"replicas": 2, "test": {"enabled": True}}
    found["routing"] |= {"outside": {"institutions": {"cidrs": ["0.0.0.0/0"], "ports": PORTS}}}
    found["logging"] |= {"replicas": 2} | OUTSIDE["logging"]
    found["publisher"] |= OUTSIDE["publisher"]
    image = {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}
    return found | {"global": {"image": image}}


def ready() -> None:
    """Wait until every service of the community cloud serves."""
    kinds = {"logging": "statefulset"}
    named = (f"{kinds.get(each, 'deployment')}/{each}" for each in (*SERVICES, "publisher"))
    rolled_out(COMMUNITY, *named)


def gone(namespace: str) -> None:
    """Wait until nothing of the release is left but what it stored."""
    kinds = "deployments,statefulsets,services,configmaps,serviceaccounts,networkpolicies,jobs,pods"
    until = time.monotonic() + 90
    while left := got(namespace, kinds, "-l", PART):
        names = [f"{each['kind']} {each['metadata']['name']}" for each in left]
        assert time.monotonic() < until, names
        time.sleep(1)
