"""The wiring of a witness: key, memory, logs, HTTP.

`python -m services.witness --config FILE` runs it; `--new-key` makes its key first; `--show-key`
prints its verifier key and ends.
"""

import argparse
import asyncio
import logging
import signal
import sys
import time
from pathlib import Path

from services.proof.submission import MAX_SIZE
from services.runtime.config import ConfigError, load
from services.runtime.web import WebServer
from services.witness.config import Config
from services.witness.key import load_key, make_key, verifier_key
from services.witness.operations import Witness
from services.witness.servicer import WitnessServicer
from services.witness.store import MemoryFile

EXIT_FAILED, EXIT_CONFIG = 70, 78

_logger = logging.getLogger("services.witness")


async def serve(config: Config, file: Path) -> None:
    """Be the witness until SIGTERM. SIGHUP reads the logs' keys in `file` again."""
    key = load_key(Path(config.key_file))
    witness = Witness(
        name=config.name,
        public_key=key.public_key().public_bytes_raw(),
        sign=key.sign,
        logs=config.parsed_logs(),
        memory=MemoryFile(path=Path(config.state_file)),
        clock=lambda: int(time.time()),
    )

    def reload() -> None:
        try:
            witness.logs = load(Config, file).parsed_logs()
        except ConfigError as error:
            _logger.error("the logs' keys stay as they were: %s", error)  # noqa: TRY400

    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    handler = WitnessServicer(witness=witness)
    server = WebServer(handler=handler, listen=config.listen, max_body=MAX_SIZE)
    address = await server.start()
    _logger.info("%s at http://%s", witness.key.text(), address)
    await stopped.wait()
    await server.stop()


def run(file: Path, *, new_key: bool = False, show_key: bool = False) -> int:
    """Run the witness that `file` configures; its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        config = load(Config, file)
        if new_key and not Path(config.key_file).exists():
            make_key(Path(config.key_file))
        if show_key:
            print(verifier_key(config.name, Path(config.key_file)))  # noqa: T201 - asked for
        else:
            asyncio.run(serve(config, file))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for who wrote the file
        return EXIT_CONFIG
    except (OSError, ValueError) as error:
        _logger.error("%s", error)  # noqa: TRY400 - says what to do
        return EXIT_FAILED
    return 0


def check(file: Path) -> int:
    """Say whether a configuration is good; the exit code."""
    try:
        load(Config, file)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for who wrote the file
        return EXIT_CONFIG
    print(f"{file}: good")  # noqa: T201 - asked for
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m services.witness")
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="TOML")
    parser.add_argument("--new-key", action="store_true", help="make the key if there is none")
    parser.add_argument("--check-config", action="store_true", help="say what is wrong, and end")
    parser.add_argument("--show-key", action="store_true", help="print the verifier key, and end")
    arguments = parser.parse_args()
    if arguments.check_config:
        return check(arguments.config)
    return run(arguments.config, new_key=arguments.new_key, show_key=arguments.show_key)


if __name__ == "__main__":
    sys.exit(main())
