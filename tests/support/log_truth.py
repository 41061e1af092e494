"""What is stored of a log against what its callers were told."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import redirect_stdout
from hashlib import sha256
from io import StringIO
from pathlib import Path

from services.cli import log as command
from services.cli.platform.home import Home
from services.logging.model import EntryId
from services.proof.checkpoint import verifier_key
from services.runtime.postgres import Database
from services.runtime.vault import Vault
from tests.support.log_processes import Acknowledged
from tools.verify_log import read_checkpoint, verify_note

_ENTRIES = """
SELECT e.index, e.exchange_id, e.kind, e.attempt, e.leaf_hash FROM entry e
JOIN log_head h USING (log_id) WHERE h.origin = %s ORDER BY e.index
"""


async def assert_kept(
    database: Database, vault: Vault, origin: str, acknowledged: Iterable[Acknowledged]
) -> int:
    """Every acknowledged entry stands where its caller was told, none twice, without a gap, and
    the signed checkpoint is that of the stored leaves, by the auditors' verifier. The log's size.

    The log may grow meanwhile.
    """
    told = list(acknowledged)
    async with database.transaction() as conn:
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows = await (await conn.execute(_ENTRIES, (origin,))).fetchall()
        head = await conn.execute(
            "SELECT h.size, c.size, c.note FROM log_head h JOIN published_checkpoint c"
            " USING (log_id) WHERE h.origin = %s",
            (origin,),
        )
        ((size, published, note),) = await head.fetchall()
    assert [row[0] for row in rows] == list(range(size))
    stands = {row[0]: (EntryId(row[1].bytes, row[2], row[3]), bytes(row[4])) for row in rows}
    twice = {each: n for each, n in Counter(found[0] for found in stands.values()).items() if n > 1}
    assert not twice
    assert {each.index: (each.id, each.leaf_hash) for each in told}.items() <= stands.items()
    assert len({each.index for each in told}) == len(told)
    if published:
        halves = (await vault.key_versions("log-checkpoint")).public.values()
        verify_note(note, [verifier_key(origin, half) for half in halves])
        leaves = [leaf for _, leaf in stands.values()]
        assert read_checkpoint(note) == (origin, published, _root(leaves[:published]))
    return int(size)


def _root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word (the leaves are hashed already)."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + _root(leaves[:k]) + _root(leaves[k:])).digest()


async def assert_clean(config: Path) -> int:
    """`crossroads log fsck` finds nothing; how many entries a signed checkpoint covers."""
    said = StringIO()

    def fsck() -> int:
        with redirect_stdout(said):
            return command.fsck(Home(config.parent), config=config, as_json=True)

    code = await asyncio.to_thread(fsck)
    assert code == command.CLEAN, said.getvalue()
    return int(json.loads(said.getvalue())["published"])
