"""The institution of the demo that asks, against a platform that runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.cli.asking import RECEIPTS
from services.cli.connections import Connections
from services.cli.demo import ASKER
from services.cli.platform.home import Home
from services.institution.client import CrossroadsClient
from services.institution.receipts import ReceiptFile


@asynccontextmanager
async def asker(home: Home) -> AsyncIterator[CrossroadsClient]:
    """Its client, which keeps the receipts."""
    async with Connections(home=home) as connections:
        folder = connections.folder(ASKER)
        certificates: Any = await connections.certificates(folder)
        async with CrossroadsClient(
            certificates=certificates,
            platform=connections.platform,
            routing=connections.address("routing"),
            logging=connections.address("logging"),
            receipts=ReceiptFile(path=folder / RECEIPTS),
        ) as client:
            yield client
