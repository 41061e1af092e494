"""What an auditor does with the demo's log: proves an entry offline, looks at what is stored."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.platform import ports
from services.proof.policy import parse_policy
from services.runtime.webclient import WebClient
from tests.support.running import Running

pytestmark = pytest.mark.xdist_group("e2e")
VERIFIER = Path(__file__).parents[2] / "tools" / "verify_log.py"


def test_a_proof_verifies_with_one_file_and_the_keys_of_log_and_witnesses(
    platform: Running, tmp_path: Path
) -> None:
    exchanged = platform.crossroads("exchange", "employment_periods", "--json").document
    index, leaf = exchanged["log"]["index"], exchanged["receipt"]["leaf_hash"]
    done = platform.crossroads("log", "proof", str(index), "--json")
    assert done.code == 0, done.err
    assert done.document["leaf_hash"] == leaf
    (tmp_path / "proof").write_text(done.document["proof"])
    policy = parse_policy(platform.home.witness_policy.read_text())
    keys = [f"--key={each.key.text()}" for each in policy.logs]
    keys += [f"--witness={each.key.text()}" for each in policy.witnesses.values()]
    assert len(keys) == 3
    verified = subprocess.run(
        [
            sys.executable,
            str(VERIFIER),
            *keys,
            f"--leaf-hash={leaf}",
            "inclusion",
            str(tmp_path / "proof"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.stdout.startswith(f"included: entry {index} of crossroads.internal/log")


def test_the_stored_log_is_clean(platform: Running) -> None:
    done = platform.crossroads("log", "fsck", "--json")
    assert (done.code, done.document["difference"]) == (0, "")
    assert done.document["entries"] > 0


async def test_the_checkpoint_that_everybody_sees_is_cosigned_by_both_witnesses(
    platform: Running,
) -> None:
    policy = parse_policy(platform.home.witness_policy.read_text())
    known = ports.known(platform.home)
    client = WebClient(url=f"http://127.0.0.1:{known['logging-tiles']}")
    shown = await client.get("checkpoint", seconds=5)
    await client.close()
    assert policy.verify(shown.body.decode(), "crossroads.internal/log").size > 0
