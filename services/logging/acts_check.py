"""The tables beside the log (erasures, holds, deferrals, terms), compared with what the log says.

Contract: takes the entries in their order (`entry`), then `end`. Rows must name the act that made
them, by the id that the act bears also when its evidence is gone; what is kept under a hold's key
must be what was sealed with the leaf; the index of terms must be that of the evidence. A hold or
deferral that an act says must have its row, which was written before the act; of older acts, each
erasure says which rows there were. An erasure whose row is not there is let pass: its process may
have ended between the two.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.logging.evidence_model import UNLOGGED, Deferral, beside, terms
from services.logging.model import DifferenceError, microseconds
from services.logging.retention import act_id
from services.logging.rows import Keys, MonthKeys
from services.logging.sealing import MonthKey, Opened, month_key, open_evidence, term_key
from services.logging.snapshot import ActTables, EntryRow, HeldRow, TermRow
from services.logging.term_index import term_mac
from services.proof.note import decode_base64
from services.proof.record import Kind

_ACT = b'"act":"logging.'
_WITH_ROW = {"logging.hold": "hold", "logging.defer": "deferral"}


class ActsCheck:
    """One run over the entries."""

    def __init__(self, *, tables: ActTables, month_keys: MonthKeys, size: int) -> None:
        """Make it with `load`, which knows the keys of holds."""
        self._tables = tables
        self._month_keys = month_keys
        self._hold_keys: dict[UUID, MonthKey | None] = {}
        self._term_keys: dict[int, bytes] = {}
        self._named: dict[int, set[bytes]] = defaultdict(set)
        self._ended: dict[str, int] = {}
        self._released: set[str] = set()
        self._acts: dict[bytes, int] = {}
        # Without Vault, or with every month erased, acts can't be read.
        self._opens = all(each.key for each in month_keys.values())
        self._until = {each.deferral_id.bytes: each for each in tables.deferrals}
        self._rows = {*self._until, *(each.hold_id.bytes for each in tables.holds)}
        if not 0 <= tables.indexed <= size:
            raise DifferenceError("term_index: says that more entries are indexed than there are")
        for hold in tables.holds:
            self._named[hold.index].add(hold.hold_id.bytes)
        for deferral in tables.deferrals:
            self._named[deferral.index].add(deferral.deferral_id.bytes)
        for erasure in tables.erasures if tables.alone else ():
            self._named[erasure.index].add(act_id("erase", erasure.data_key_id))
            if erasure.final_index is not None:
                self._named[erasure.final_index].add(act_id("erased", erasure.data_key_id))
        self._named.pop(UNLOGGED, None)

    async def load(self, keys: Keys | None) -> None:
        """Have the keys of holds. Raises UNAVAILABLE."""
        for hold in self._tables.holds:
            where = f"hold {hold.hold_id}"
            if hold.transit_key != f"log-hold-{hold.hold_id}":
                raise DifferenceError(f"{where}: its row names the Transit key of another")
            try:
                decode_base64(hold.wrapped.rpartition(":")[2], "wrapped")
                secret = await keys.secret(hold.transit_key, hold.wrapped) if keys else None
            except ValueError:
                raise DifferenceError(
                    f"{where}: its wrapped key is not what Vault wrapped"
                ) from None
            self._hold_keys[hold.hold_id] = month_key(0, secret) if secret else None

    def entry(
        self,
        row: EntryRow,
        opened: Opened | None,
        held: Sequence[HeldRow],
        indexed: Sequence[TermRow],
    ) -> None:
        """Take the next entry, with what is held of it and the terms that find it."""
        for named in self._named.pop(row.index, ()):
            if named != row.id.exchange_id:
                raise DifferenceError(
                    f"a hold, deferral or erasure says that its act is entry {row.index}: it is not"
                )
        for each in held:
            self._check_held(row, opened, each)
        if row.id.kind == Kind.ADMINISTRATIVE and row.id.exchange_id in self._rows:
            self._acts.setdefault(row.id.exchange_id, row.index)
        if opened is None:
            return
        if row.id.kind == Kind.ADMINISTRATIVE and _ACT in opened.party:
            self._take_act(row, orjson.loads(opened.party), orjson.loads(opened.audit))
        self._check_terms(row, opened, indexed)

    def end(self) -> None:
        """After the last entry."""
        for index in self._named:
            raise DifferenceError(
                f"a hold, deferral or erasure says that its act is entry {index}: there is none"
            )
        for deferral in self._tables.deferrals:
            self._check_ended(deferral)
        for hold in self._tables.holds if self._opens else ():
            if hold.released_at is not None and str(hold.hold_id) not in self._released:
                raise DifferenceError(
                    f"hold {hold.hold_id}: its row says released, and no act does"
                )

    def _check_held(self, row: EntryRow, opened: Opened | None, held: HeldRow) -> None:
        where = f"held_entry: entry {row.index}"
        if held.hold_id not in self._hold_keys:
            raise DifferenceError(f"{where} is kept for a hold that is not there")
        key = self._hold_keys[held.hold_id]
        if key is None:
            return
        try:
            kept = open_evidence(key, row.leaf_hash, held.evidence)
        except ValueError as error:
            raise DifferenceError(f"{where}: {error}") from None
        if opened is not None and kept != opened:
            raise DifferenceError(f"{where} is not what the entry says")

    def _take_act(self, row: EntryRow, party: dict[str, Any], audit: dict[str, Any]) -> None:
        what = party.get("act")
        if what in _WITH_ROW and row.id.exchange_id not in self._rows:
            raise DifferenceError(
                f"{_WITH_ROW[what]}: entry {row.index} says that there is one; its row is missing"
            )
        if what == "logging.erase" and "beside" in audit:
            self._check_beside(row, audit["beside"])
        elif what == "logging.hold_release":
            self._released.add(audit["hold"])
        elif what == "logging.defer_end":
            self._ended[audit["deferral"]] = row.recorded_at
        elif what == "logging.defer" and row.id.exchange_id in self._until:
            deferral = self._until.pop(row.id.exchange_id)
            if deferral.until != datetime.fromisoformat(audit["until"]):
                self._until[row.id.exchange_id] = deferral  # unless it was ended: see `end`

    def _check_beside(self, row: EntryRow, said: dict[str, Any]) -> None:
        """The holds and deferrals that there were: of acts that are erased, nothing else tells."""
        there = [
            (index, UUID(bytes=each))
            for each, index in self._acts.items()
            if index < said["before"]
        ]
        if beside(there) != said:
            raise DifferenceError(
                f"hold, deferral: entry {row.index} says that {said['rows']} stood before entry"
                f" {said['before']}, of which {len(there)} are there: rows were removed"
            )

    def _check_ended(self, deferral: Deferral) -> None:
        """A deferral that ends at another time than its act says was ended by another act."""
        said = deferral.index != UNLOGGED or deferral.deferral_id.bytes in self._acts
        if deferral.deferral_id.bytes not in self._until or not said:
            return
        ended = self._ended.get(str(deferral.deferral_id))
        if self._opens and (ended is None or microseconds(deferral.until) > ended):
            raise DifferenceError(
                f"deferral {deferral.deferral_id}: ends at a time that no act says"
            )

    def _check_terms(self, row: EntryRow, opened: Opened, indexed: Sequence[TermRow]) -> None:
        due: set[bytes] = set()
        if row.index < self._tables.indexed:
            key = self._term_key(row.data_key_id)
            sections = map(orjson.loads, (opened.party, opened.subject, opened.audit))
            due = {term_mac(key, each) for each in terms(*sections)}
        if {each.term_mac for each in indexed} != due:
            raise DifferenceError(f"term_entry: entry {row.index} is not found by its terms")

    def _term_key(self, data_key_id: int) -> bytes:
        if data_key_id not in self._term_keys:
            key = self._month_keys[data_key_id].key
            assert key is not None
            self._term_keys[data_key_id] = term_key(key)
        return self._term_keys[data_key_id]
