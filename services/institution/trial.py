"""One exchange as an institution makes it, to see that a platform works: what `helm test` runs.

`python -m services.institution.trial --folder FOLDER --routing HOST:PORT --logging HOST:PORT`.
The folder holds `key.pem` and `chain.pem` of the institution's application, `platform.pem` (the
authority that issues to the platform's services) and `exchange.toml` (service, purpose, subject,
and version when it is not 1). The receipt must verify. Nothing of the person is printed.

Exit codes: 0 answered, 3 refused by the platform (the reason is printed), 70 anything else.
"""

import argparse
import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import Message

from services.institution.client import CrossroadsClient, ExchangeResult, ReceiptError
from services.runtime.certificates import Certificates, FileIssuer
from services.runtime.clock import SystemClock
from services.runtime.config import ConfigError, load
from services.runtime.errors import CrossroadsError

EXIT_REFUSED, EXIT_FAILED = 3, 70
SECONDS = 60.0


@dataclass(frozen=True)
class Trial:
    """What is asked: `exchange.toml`. The question is the service's own with nothing in it."""

    service: str
    purpose: str
    subject: str
    version: int = 1


async def ask(folder: Path, trial: Trial, *, routing: str, logging: str) -> ExchangeResult[Message]:
    """Make the exchange. Raises CrossroadsError, ReceiptError, OSError, ValueError."""
    issuer = FileIssuer(key_file=folder / "key.pem", chain_file=folder / "chain.pem")
    certificates = Certificates(issuer=issuer, clock=SystemClock())
    platform = await asyncio.to_thread((folder / "platform.pem").read_bytes)
    async with CrossroadsClient(
        certificates=certificates, platform=platform, routing=routing, logging=logging
    ) as client:
        return await client.exchange(
            trial.service,
            trial.version,
            subject=trial.subject,
            purpose=trial.purpose,
            timeout=SECONDS,
        )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m services.institution.trial")
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--routing", required=True, metavar="HOST:PORT")
    parser.add_argument("--logging", required=True, metavar="HOST:PORT")
    given = parser.parse_args()
    try:
        trial = load(Trial, given.folder / "exchange.toml")
        made = ask(given.folder, trial, routing=given.routing, logging=given.logging)
        result = asyncio.run(made)
    except CrossroadsError as error:
        print(f"{error.reason.name}: {error.message}", file=sys.stderr)  # noqa: T201 - the outcome
        return EXIT_REFUSED
    except (ConfigError, ReceiptError, OSError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    index = result.receipt.index if result.receipt else None
    print(f"exchange {result.exchange_id}, attempt {result.attempt}: log entry {index}")  # noqa: T201
    for answer in result.answers:
        print(f"{answer.source}: {answer.outcome}, {len(answer.payload)} octets")  # noqa: T201
    return 0 if result.receipt else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
