"""How much disk an exchange takes: real exchanges on a running platform, before and after.

Contract: sizes are those of PostgreSQL's own functions, in octets; WAL is what was written in all.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from services.cli.demo import PURPOSE, SERVICE
from services.cli.platform.home import Home
from services.cli.platform.postgres import PostgresServer
from tests.support.asker import asker

CALLERS = 6


@dataclass(frozen=True)
class Disk:
    """What the log takes at one moment."""

    entries: int
    stored: int
    written: int

    def per_entry(self, before: "Disk") -> tuple[float, float]:
        """Octets on disk and octets of WAL for each entry since then."""
        entries = self.entries - before.entries
        return (self.stored - before.stored) / entries, (self.written - before.written) / entries


def disk(home: Home) -> Disk:
    """Of the log of a running platform."""
    login = PostgresServer(home=home).superuser("logging")
    with psycopg.connect(**login) as conn:
        row = conn.execute(
            "SELECT (SELECT sum(size) FROM log_head), pg_database_size('logging'),"
            " pg_current_wal_insert_lsn() - '0/0'"
        ).fetchone()
    assert row is not None
    return Disk(*(int(each) for each in row))


async def exchanges(home: Home, subjects: Sequence[str], count: int) -> None:
    """So many exchanges, from a few callers at once."""
    numbers = iter(range(count))
    async with asker(home) as client:

        async def ask() -> None:
            for number in numbers:
                subject = subjects[number % len(subjects)]
                await client.exchange(SERVICE, 1, subject=subject, purpose=PURPOSE, timeout=30.0)

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(ask())
