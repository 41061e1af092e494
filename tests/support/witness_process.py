"""A witness as a process of its own, as anybody would run it."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.cli.platform.configuration import toml
from services.runtime.webclient import WebClient, WebError
from services.witness.key import make_key, verifier_key


class WitnessProcess:
    """One witness, its files in `folder`, on a port that stays the same."""

    def __init__(
        self, folder: Path, *, name: str, port: int, logs: Mapping[str, Sequence[str]]
    ) -> None:
        folder.mkdir()
        self.folder = folder
        self.name = name
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.client = WebClient(url=self.url)
        self.configure(logs)
        make_key(folder / "key.pem")
        self.verifier_key = verifier_key(name, folder / "key.pem")
        self.process: asyncio.subprocess.Process | None = None

    def configure(self, logs: Mapping[str, Sequence[str]]) -> None:
        """Write the configuration."""
        own: dict[str, Any] = {
            "name": self.name,
            "listen": f"127.0.0.1:{self.port}",
            "key_file": str(self.folder / "key.pem"),
            "state_file": str(self.folder / "seen.json"),
            "logs": {origin: list(keys) for origin, keys in logs.items()},
        }
        (self.folder / "witness.toml").write_text(toml(own))

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.witness",
            "--config",
            str(self.folder / "witness.toml"),
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(20):
            while self.process.returncode is None:
                try:
                    await self.client.get("", seconds=1)
                except WebError:
                    await asyncio.sleep(0.02)
                else:
                    return
        raise AssertionError("the witness does not start")

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        await self.client.close()
        if self.process is not None and self.process.returncode is None:
            os.kill(self.process.pid, how)
            await self.process.wait()
