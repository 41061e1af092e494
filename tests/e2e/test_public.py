"""What the public sees of the demo, and verifies with nothing but that and one file."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest

from services.cli.platform.home import Home
from services.cli.public import address
from services.proof import checkpoint as checkpoints
from services.proof import merkle
from services.proof.policy import parse_policy
from services.proof.tiles import Tile, TileReader, tile_of
from tests.support.running import Running, crossroads

pytestmark = pytest.mark.xdist_group("e2e")
VERIFIER = Path(__file__).parents[2] / "tools" / "verify_log.py"


@pytest.fixture(scope="module")
def site(platform: Running) -> str:
    """The public side, beside the platform that runs; its URL."""
    up = platform.crossroads("up", "--public", "--json")
    assert up.code == 0, up.out + up.err
    assert "publisher" in json.loads(platform.crossroads("status", "--json").out)["processes"]
    return address(platform.home)


def get(site: str, path: str) -> bytes:
    """What is shown, b"" for nothing."""
    try:
        with urllib.request.urlopen(site + path, timeout=10) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        error.close()
        return b""


def until(site: str, path: str, *parts: bytes) -> bytes:
    """What is shown once it holds all that."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        shown = get(site, path)
        if shown and all(part in shown for part in parts):
            return shown
        time.sleep(0.1)
    raise AssertionError(f"{path} does not show {parts}")


def trusted(platform: Running) -> list[str]:
    """Whom to believe, which does not come from the site."""
    policy = parse_policy(platform.home.witness_policy.read_text())
    keys = [f"--key={each.key.text()}" for each in policy.logs]
    return keys + [f"--witness={each.key.text()}" for each in policy.witnesses.values()]


def verify(*arguments: str) -> str:
    """What the verifier says, which is one file and knows nothing of ours."""
    done = subprocess.run(
        [sys.executable, str(VERIFIER), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_public_reads_authorizations_and_catalogue(site: str) -> None:
    table = json.loads(until(site, "authorizations/authorizations.json", b"D/2026/001"))
    edition = json.loads(until(site, "authorizations/edition.json", b"log_index"))
    assert edition["table_version"] == table["table"]["version"]
    assert b"D/2026/001" in get(site, "authorizations/fr/index.html")
    until(site, "catalogue/catalogue.json", b"employment_periods")
    assert b"source_timeout" not in get(site, "catalogue/catalogue.json")
    for language in ("fr", "nl", "de", "en"):
        assert f'<html lang="{language}">'.encode() in get(site, f"{language}/")


def test_a_receipt_is_proven_from_the_public_side_alone(
    platform: Running, site: str, tmp_path: Path
) -> None:
    exchanged = platform.crossroads("exchange", "employment_periods", "--json").document
    index, leaf = exchanged["log"]["index"], exchanged["receipt"]["leaf_hash"]
    note = tmp_path / "checkpoint"
    end = time.monotonic() + 30
    while time.monotonic() < end:
        note.write_bytes(until(site, "log/checkpoint", b"witness-two"))
        if checkpoints.parse(note.read_text()).size > index:
            break
        time.sleep(0.1)
    assert verify(*trusted(platform), "note", str(note)).startswith("signed: crossroads.internal")
    elsewhere = Home(tmp_path / "elsewhere")  # no platform: what follows has the site and the keys
    proof = crossroads(elsewhere, "log", "proof", str(index), "--url", f"{site}log")
    assert proof.code == 0, proof.err
    (tmp_path / "proof").write_text(proof.out)
    said = verify(*trusted(platform), f"--leaf-hash={leaf}", "inclusion", str(tmp_path / "proof"))
    assert said.startswith(f"included: entry {index} of crossroads.internal/log")


def test_the_public_log_only_grows(platform: Running, site: str, tmp_path: Path) -> None:
    old, new, proof = (tmp_path / name for name in ("old", "new", "proof"))
    old.write_bytes(until(site, "log/checkpoint", b"witness-two"))
    first = checkpoints.parse(old.read_text())
    assert platform.crossroads("exchange", "employment_periods").code == 0
    end = time.monotonic() + 30
    while (second := checkpoints.parse(get(site, "log/checkpoint").decode())).size == first.size:
        assert time.monotonic() < end
        time.sleep(0.1)
    new.write_bytes(get(site, "log/checkpoint"))
    second = checkpoints.parse(new.read_text())
    plan = merkle.consistency_plan(first.size, second.size)
    tiles: dict[Tile, bytes] = {}
    for node in merkle.nodes_of(plan):
        tile = tile_of(*node, second.size)
        tiles[tile] = get(site, f"log/{tile.path}")
    read = TileReader(size=second.size, read_tile=tiles.__getitem__)
    hashes = merkle.build(plan, read)
    proof.write_text("".join(f"{b64encode(each).decode()}\n" for each in hashes))
    said = verify(*trusted(platform), "consistency", str(old), str(new), str(proof))
    assert said.startswith(f"consistent: crossroads.internal/log grew from {first.size}")


def test_entries_and_evidence_are_nowhere_on_the_public_side(site: str) -> None:
    for path in ("log/tile/entries/000", "log/tile/entries/000.p/1", "evidence", "log/entries"):
        assert get(site, path) == b""
