"""The public cloud beside the community's: what it shows, and that nothing can be asked back."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.proof import checkpoint as checkpoints
from services.proof.tiles import tiles_between
from tests.cluster.conftest import Trial
from tests.cluster.ground import COMMUNITY, GATEWAY, PUBLIC, ROOT, crossroads
from tests.cluster.inside import asks, enforced
from tests.cluster.kubectl import forwarded, missing
from tests.cluster.public import ORIGIN, SITE

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.xdist_group("cluster"),
]


@pytest.fixture(scope="module")
def site(trial: Trial) -> Iterator[str]:
    """The URL of the public pages, through the gateway of the cluster."""
    with forwarded(GATEWAY, "service/gateway", SITE) as port:
        yield f"http://127.0.0.1:{port}/"


def get(site: str, path: str) -> bytes:
    """What is shown, b"" for nothing."""
    try:
        with urllib.request.urlopen(site + path, timeout=30) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        error.close()
        return b""


def until(site: str, path: str, *parts: bytes) -> bytes:
    """What is shown once it holds all that."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        shown = get(site, path)
        if shown and all(part in shown for part in parts):
            return shown
        time.sleep(0.5)
    raise AssertionError(f"{path} does not show {parts}")


def verify(trial: Trial, *arguments: str) -> str:
    """What tools/verify_log.py says, given the keys of the log and of the witness."""
    keys = [f"--key={each}" for each in trial.public.log_keys]
    command = [sys.executable, str(ROOT / "tools" / "verify_log.py"), *keys]
    command += [f"--witness={trial.public.witness}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_public_reads_what_the_community_cloud_pushed(site: str) -> None:
    table = json.loads(until(site, "authorizations/authorizations.json", b"D/2026/001"))
    edition = json.loads(until(site, "authorizations/edition.json", b"log_index"))
    assert edition["table_version"] == table["table"]["version"]
    assert b"D/2026/001" in get(site, "authorizations/fr/index.html")
    until(site, "catalogue/catalogue.json", b"employment_periods")
    assert b"source_timeout" not in get(site, "catalogue/catalogue.json")
    json.loads(until(site, "indicators/indicators.json"))
    assert b"<html" in get(site, "fr/")


def test_the_public_verifies_the_log_with_nothing_else(
    trial: Trial, site: str, tmp_path: Path
) -> None:
    note = tmp_path / "checkpoint"
    note.write_bytes(until(site, "log/checkpoint", b"witness.example/trial"))
    assert verify(trial, "note", str(note)).startswith(f"signed: {ORIGIN}")
    size = checkpoints.parse(note.read_text()).size
    tile = next(iter(tiles_between(0, size)))
    assert len(get(site, f"log/{tile.path}")) == 32 * tile.width
    (tmp_path / "policy").write_text(trial.public.policy)
    options = ("--url", f"{site}log", "--policy", str(tmp_path / "policy"))
    found = json.loads(crossroads("log", "proof", "0", *options, "--json"))
    (tmp_path / "proof").write_text(found["proof"])
    leaf = f"--leaf-hash={found['leaf_hash']}"
    said = verify(trial, leaf, "inclusion", str(tmp_path / "proof"))
    assert said.startswith(f"included: entry 0 of {ORIGIN}")


def test_entries_and_evidence_are_nowhere_on_the_public_side(site: str) -> None:
    for path in ("log/tile/entries/000", "log/tile/entries/000.p/1", "evidence", "log/entries"):
        assert get(site, path) == b""


@pytest.mark.parametrize("service", ["registry", "logging", "authorization"])
def test_the_public_cloud_can_ask_nothing_back(trial: Trial, service: str) -> None:
    asker = "identity" if service != "authorization" else "routing"
    assert asks(asker, f"{service}.{COMMUNITY}.svc", COMMUNITY) == "answered"
    said = asks("publication", f"{service}.{COMMUNITY}.svc", PUBLIC)
    # Where policies are in force it does not get so far as to show a certificate.
    assert said == ("cut" if enforced() else "refused")
