"""The exchange that `helm test` makes, as the process that makes it, against a real platform."""

import asyncio
import sys
from pathlib import Path

import pytest

from services.cli.platform.configuration import toml
from services.proof.record import Kind
from tests.support.network import KNOWN, STRANGER, Network
from tests.support.network_rows import PURPOSE, SERVICE

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def tried(network: Network, folder: Path, subject: str) -> tuple[int, str]:
    """Exit code and output of the trial, with the secret in this folder."""
    leaf = network.pki.institution("capac", "payments")
    files = {"key.pem": leaf.key_pem, "chain.pem": leaf.chain_pem}
    files["platform.pem"] = network.pki.intermediates["service"].pem
    asked = {"service": SERVICE, "purpose": PURPOSE, "subject": subject}
    files["exchange.toml"] = toml({**asked}).encode()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    peers = [f"--{each}={network.peers[each]}" for each in ("routing", "logging")]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.institution.trial", "--folder", str(folder), *peers),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_a_platform_that_works_is_said_to(network: Network, tmp_path: Path) -> None:
    # Institutions ask the log for the keys that receipts are signed with.
    network.services["logging"].directory = network.replicas.directory
    await network.log.checkpoints.publish()
    code, said = await tried(network, tmp_path, KNOWN)
    assert code == 0, said
    first, second = said.splitlines()
    assert first.startswith("exchange ")
    assert "onss/dmfa: answered" in second
    assert KNOWN not in said
    exchange = bytes.fromhex(first.split()[1].rstrip(","))
    assert await network.entries(exchange) == [(Kind.REQUEST, 1), (Kind.RELEASE, 1)]


async def test_a_refusal_is_no_success_and_says_its_reason(
    network: Network, tmp_path: Path
) -> None:
    code, said = await tried(network, tmp_path, STRANGER)
    assert (code, said.startswith("NOT_INTEGRATED: ")) == (3, True), said
    assert STRANGER not in said
