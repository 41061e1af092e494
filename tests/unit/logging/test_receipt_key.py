"""The key of receipts becomes a leaf of a log, also of one that begins."""

import asyncio

from crossroads.logging.v1 import logging_service_pb2 as api
from services.logging.model import ReceiptKey
from services.logging.servicer import LoggingServicer
from services.runtime.errors import CrossroadsError, Reason
from tests.support.log_processes import new_entry
from tests.support.log_store import MemoryLogStore
from tests.support.logs import Log


class SlowTable:
    """Keeps a row when told, after `failures` attempts that fail."""

    def __init__(self, store: MemoryLogStore, failures: int = 0) -> None:
        self._store = store
        self._failures = failures
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def keep_receipt_key(self, key: ReceiptKey) -> None:
        """Remember which leaf holds a key."""
        self.asked.set()
        await self.go.wait()
        if self._failures:
            self._failures -= 1
            raise CrossroadsError(Reason.STORE_UNAVAILABLE, "the database does not answer")
        await self._store.keep_receipt_key(key)


async def test_between_its_first_entry_and_the_row_of_its_key_a_log_takes_no_entry() -> None:
    async with Log(MemoryLogStore()).running() as log:
        table = SlowTable(log.store)
        servicer = LoggingServicer(
            sequencer=log.sequencer, proofs=log.proofs, listed=log.receipts.listed
        )
        entering = asyncio.create_task(log.receipts.enter(log.sequencer, table))
        await servicer.Append(api.AppendRequest(entries=[new_entry()]), None)
        await table.asked.wait()
        later = asyncio.create_task(servicer.Append(api.AppendRequest(entries=[new_entry()]), None))
        for _ in range(20):
            await asyncio.sleep(0)
        assert log.sequencer.size == 2  # the first entry and the key
        table.go.set()
        (done,) = (await later).acknowledgements
        await entering
    assert done.index == 2
    assert [each.index for each in await log.store.receipt_keys()] == [1]


async def test_a_key_whose_row_could_not_be_kept_is_entered_again_as_the_same_leaf() -> None:
    async with Log(MemoryLogStore()).running() as log:
        await log.sequencer.append([log.entry()])
        table = SlowTable(log.store, failures=1)
        table.go.set()
        async with asyncio.timeout(10):
            await log.receipts.enter(log.sequencer, table)
        assert log.sequencer.size == 2
    assert [each.index for each in await log.store.receipt_keys()] == [1]
