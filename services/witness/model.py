"""What a witness decides: whether a checkpoint continues what it saw of a log. Pure.

Contract: the checks and statuses of C2SP tlog-witness, add-checkpoint, in its order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.proof import checkpoint as c2sp
from services.proof import merkle
from services.proof.checkpoint import Checkpoint
from services.proof.note import VerifierKey
from services.proof.submission import Submission

Logs = Mapping[str, Sequence[VerifierKey]]
"""The logs that are witnessed, by origin, and the keys that may sign for each."""


class RefusalError(Exception):
    """Why a checkpoint is not cosigned: an HTTP status of the protocol, and words."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class ConflictError(RefusalError):
    """The submission starts from another size than the one that was cosigned last."""

    def __init__(self, size: int) -> None:
        super().__init__(409, str(size))
        self.size = size


class ForkError(RefusalError):
    """The log's key signed something that does not continue what was cosigned: 422."""

    def __init__(self, said: str) -> None:
        super().__init__(422, said)


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest tree of a log that was cosigned, and the note with the signatures."""

    size: int
    root: bytes
    note: str


NOTHING = Seen(0, merkle.EMPTY_ROOT, "")


def authenticate(submission: Submission, logs: Logs) -> Checkpoint:
    """The checkpoint that was submitted, if a known log signed it. Raises RefusalError."""
    text, gap, _ = submission.note.rpartition("\n\n")
    try:
        claimed = c2sp.parse_body(text + gap[:1])
    except ValueError as error:
        raise RefusalError(400, str(error)) from None
    keys = logs.get(claimed.origin)
    if keys is None:
        raise RefusalError(404, "this log is not witnessed here")
    try:
        return c2sp.verify_keys(submission.note, claimed.origin, keys)
    except ValueError as error:
        raise RefusalError(403, str(error)) from None


def check_growth(submission: Submission, checkpoint: Checkpoint, seen: Seen) -> None:
    """Raises RefusalError unless the checkpoint continues what was seen."""
    if submission.old > checkpoint.size:
        raise RefusalError(400, "the old size is above the checkpoint's")
    if submission.old != seen.size:
        raise ConflictError(seen.size)
    if checkpoint.size == 0 and checkpoint.root != merkle.EMPTY_ROOT:
        raise ForkError("the empty tree has another root")
    # Between equal sizes, and from nothing, the proof is empty and the roots are compared.
    known = seen.root if seen.size else merkle.EMPTY_ROOT
    try:
        merkle.verify_consistency(
            seen.size, checkpoint.size, submission.proof, known, checkpoint.root
        )
    except ValueError as error:
        raise ForkError(str(error)) from None
