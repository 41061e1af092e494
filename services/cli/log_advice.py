"""What an auditor does about a difference that fsck found: by what differs, which its text begins
with."""

_STOPPED = (
    "fsck stopped here and did not look at what follows. Change nothing: keep a copy of this"
    " database as it is, and look at the newest backup in the same way. If that is clean, the"
    " change is younger."
)
_ADVICE = (
    (
        ("the database knows no log",),
        "Nothing was looked at. Name the configuration of this log (--config), and its database.",
    ),
    (
        (
            "the published checkpoint",
            "a checkpoint kept",
            "there is no published",
            "the row of the",
        ),
        "This is not the log that was signed: it was put back, cut short or rewritten, or a note"
        " is damaged, or --key names a key that is not the log's (`crossroads log keys`). Stop"
        " the log, so that it signs no more; ask each witness for its newest checkpoint and give"
        ' it as --note. Is something missing: infra/runbooks/restore.md, "Something is missing".',
    ),
    (
        ("data_key", "hold", "held_entry", "deferral", "a hold", "erasure"),
        "Proofs are not in doubt; who may still read what is. Look in the log for the acts that"
        " placed, ended or erased it, and in the audit log of Vault for who used or deleted its"
        " key. What was not done by an act is reported to the Committee.",
    ),
    (
        ("recent_entry", "subject_entry", "subject_root", "term_entry", "term_index", "sweep"),
        "The entries before it are whole and no proof is in doubt, but a search, or the sweeper,"
        " sees less or more than the log holds. Find out who wrote to that table; take it from a"
        " backup.",
    ),
    (
        ("receipt_key",),
        "The entry says which key signed receipts; only the list beside it is wrong, and"
        " receipts may be refused that are good. Find out who wrote to that table; take it from"
        " a backup.",
    ),
    (
        ("tile",),
        "The entries before it are whole, but proofs that are made from this tile fail. A tile"
        " can be made again from its entries; find out who wrote to that table, and take it from"
        " a backup.",
    ),
)
_RECORD = (
    "The record itself is not as it was written. It is never repaired: a backup holds the right"
    " one if tools/verify_log.py proves its leaf under a checkpoint that a witness has. Report"
    " to the Committee which entries can't be proven; receipts that institutions keep may"
    " (`crossroads log reconcile`)."
)


def advice(difference: str) -> str:
    """What to do, in a few sentences; "" when there is no difference."""
    if not difference:
        return ""
    for beginnings, text in _ADVICE:
        if difference.startswith(beginnings):
            return f"{text} {_STOPPED}"
    return f"{_RECORD} {_STOPPED}"
