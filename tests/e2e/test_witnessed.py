"""What an auditor does with the demo's log: proves an entry offline, looks at what is stored."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.proof.policy import parse_policy
from tests.support.running import Command, Running

pytestmark = pytest.mark.xdist_group("e2e")
VERIFIER = Path(__file__).parents[2] / "tools" / "verify_log.py"


def proof_of(platform: Running, index: int) -> Command:
    """The proof that the command prints, once both witnesses have signed."""
    until = time.monotonic() + 20
    while True:
        done = platform.crossroads("log", "proof", str(index), "--json")
        if done.code == 0 or time.monotonic() > until:
            return done


def test_a_proof_verifies_with_one_file_and_the_keys_of_log_and_witnesses(
    platform: Running, tmp_path: Path
) -> None:
    exchanged = platform.crossroads("exchange", "employment_periods", "--json").document
    index, leaf = exchanged["log"]["index"], exchanged["receipt"]["leaf_hash"]
    done = proof_of(platform, index)
    assert done.code == 0, done.err
    assert done.document["leaf_hash"] == leaf
    (tmp_path / "proof").write_text(done.document["proof"])
    policy = parse_policy(platform.home.witness_policy.read_text())
    keys = [f"--key={each.key.text()}" for each in policy.logs]
    keys += [f"--witness={each.key.text()}" for each in policy.witnesses.values()]
    assert len(keys) == 3
    keys.append(f"--leaf-hash={leaf}")
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
