"""`crossroads bench log`, small: every figure is there."""

import json
import subprocess
import sys


def test_figures_are_those_that_json_promises() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "bench", "log", "--quick", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    for name in (
        "entries_per_s",
        "ack_p99_ms",
        "floor_ratio",
        "proof_ms_1e7",
        "subject_search_ms_1e7",
        "fsck_seconds_1e6",
    ):
        assert figures[name] > 0, name
    assert figures["terms_behind"] >= 0
    assert figures["ack_p50_ms"] <= figures["ack_p99_ms"]
    assert all(used >= 0 for used in figures["cpu_us_per_entry"].values())
