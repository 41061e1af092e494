"""The demo's two witnesses: keys, configuration, and the file that tells the log of them.

On one machine they only show how it goes: a witness is worth as much as it is independent of the
log's operator.
"""

import asyncio
from pathlib import Path

from services.cli import log_keys
from services.cli.platform import ports
from services.cli.platform.configuration import toml
from services.cli.platform.home import Home, PlatformError, private, write
from services.cli.platform.instance import Platform
from services.cli.platform.plan import ProcessSpec
from services.cli.platform.ports import LOOPBACK
from services.runtime.webclient import WebClient, WebError
from services.witness.key import make_key, verifier_key

NAMES = ("witness-one", "witness-two")
DOMAIN = "crossroads.example"
START_SECONDS, POLL_SECONDS = 20.0, 0.05


async def start(home: Home) -> None:
    """Have them run beside the platform, which runs, and the log ask them. Raises PlatformError."""
    keys = await asyncio.to_thread(log_keys.known, home)
    origin = keys[0].partition("+")[0]
    await Platform.up(home, processes=[_process(home, name, origin, keys) for name in NAMES])
    known = ports.known(home)
    for name in NAMES:
        await _answers(f"http://{LOOPBACK}:{known[name]}/")
    lines = ["# The demo's log and witnesses, in the form of C2SP tlog-policy."]
    lines += [f"log {key}" for key in keys]
    for name in NAMES:
        key = verifier_key(f"{DOMAIN}/{name}", _folder(home, name) / "key.pem")
        lines.append(f"witness {name} {key} http://{LOOPBACK}:{known[name]}/")
    lines += [f"group both all {' '.join(NAMES)}", "quorum both", ""]
    write(home.witness_policy, "\n".join(lines))


async def _answers(url: str) -> None:
    """Wait until a witness does: the log would leave it alone for a while otherwise."""
    client = WebClient(url=url)
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    await client.get("", seconds=1)
                except WebError:
                    await asyncio.sleep(POLL_SECONDS)
                else:
                    return
    except TimeoutError:
        raise PlatformError(f"the witness at {url} does not answer; see its log") from None
    finally:
        await client.close()


def _process(home: Home, name: str, origin: str, keys: list[str]) -> ProcessSpec:
    folder = private(_folder(home, name))
    if not (folder / "key.pem").exists():
        make_key(folder / "key.pem")
    config = toml(
        {
            "name": f"{DOMAIN}/{name}",
            "listen": f"{LOOPBACK}:{{port:{name}}}",
            "key_file": f"{{home}}/{folder.relative_to(home.path)}/key.pem",
            "state_file": f"{{home}}/{folder.relative_to(home.path)}/seen.json",
            "logs": {origin: keys},
        }
    )
    argv = ("{python}", "-m", "services.witness", "--config", f"{{home}}/config/{name}.toml")
    return ProcessSpec(name=name, argv=argv, config=config)


def _folder(home: Home, name: str) -> Path:
    return home.path / "witnesses" / name
