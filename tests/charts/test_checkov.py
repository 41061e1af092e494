"""Checkov finds nothing in what production renders, but what is meant.

It has a virtual environment of its own (`make checkov` installs it, then runs this); without it
these tests are skipped.
"""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.charts import CHARTS, production

CHECKOV = CHARTS.parent / ".venv-checkov" / "bin" / "checkov"
MEANT = {
    "CKV_K8S_11": "no limit on CPU: it would slow exchanges while the node has CPU to spare",
    "CKV_K8S_21": "no namespace in an object: helm is told it at the installation",
}
TEST_POD = {
    "CKV_K8S_8": "a pod that makes one exchange and ends has nobody who probes it",
    "CKV_K8S_9": "as before",
}

pytestmark = pytest.mark.skipif(not CHECKOV.exists(), reason="no checkov here: run make checkov")


@pytest.mark.parametrize("chart", ["community", "public"])
def test_checkov_finds_nothing_but_what_is_meant(chart: str, tmp_path: Path) -> None:
    objects = [dict(each) for each in production(chart).objects]
    (tmp_path / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    done = subprocess.run(
        [
            *(CHECKOV, "--directory", tmp_path, "--framework", "kubernetes", "--output", "json"),
            *("--skip-download", "--quiet", "--skip-check", ",".join(MEANT)),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    report = json.loads(done.stdout)
    failed = {
        (each["check_id"], each["resource"])
        for each in report["results"]["failed_checks"]
        if not (each["check_id"] in TEST_POD and each["resource"].endswith(".exchange-test"))
    }
    assert failed == set()
    assert report["summary"]["passed"] > 10 * len(objects)
