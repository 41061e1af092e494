"""The log's newest checkpoint, as everybody sees it: fresh, and cosigned as the policy wants?"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from services.cli.cluster.model import Area, Finding, State, name_of
from services.proof.bundle import cosigners
from services.proof.note import COSIGNATURE, TIME_SIZE, Signature, parse
from services.proof.policy import NONE, Policy, parse_policy

CONFIG_MAP, KEY = "logging-witness-policy", "witness_policy"
STALE = timedelta(minutes=5)
"""Checkpoints come each second while entries arrive, and witnesses answer within seconds."""


def witnesses(state: State) -> Iterator[Finding]:
    """The policy that logging has, and the checkpoint held against it."""
    if state.config_maps is None:
        return
    text = next(
        (each["data"].get(KEY) for each in state.config_maps if name_of(each) == CONFIG_MAP), None
    )
    if text is None:
        yield Finding(
            Area.WITNESSES,
            f"config map {CONFIG_MAP}",
            "is missing: nobody outside watches the log",
            f"put the policy there (key {KEY}, C2SP tlog-policy) and name witnesses run by others",
        )
        return
    try:
        policy = parse_policy(text)
    except ValueError as error:
        yield Finding(Area.WITNESSES, f"config map {CONFIG_MAP}", str(error), "mend that line")
        return
    if policy.quorum == NONE or not policy.witnesses:
        yield Finding(
            Area.WITNESSES,
            f"config map {CONFIG_MAP}",
            "asks for no witness: the operator alone could show two logs",
            "name witnesses that others run, and a quorum of them",
        )
    if state.note:
        yield from _checkpoint(state.note, policy, state.now)


def _checkpoint(note: str, policy: Policy, now: datetime) -> Iterator[Finding]:
    try:
        signed = cosigners(note, [each.key for each in policy.witnesses.values()])
        policy.verify(note, parse(note).text.split("\n", 1)[0])
    except ValueError as error:
        yield Finding(
            Area.WITNESSES,
            "newest checkpoint",
            str(error),
            "believe nothing of this log until you know why: crossroads log fsck, and ask the "
            "witnesses for theirs",
        )
        signed = {each.name for each in _signatures(note)}
    for name, witness in policy.witnesses.items():
        if witness.key.name not in signed:
            yield Finding(
                Area.WITNESSES,
                f"witness {name}",
                "has not cosigned the newest checkpoint",
                f"ask who runs it ({witness.url or 'no address is known'}); without a quorum the "
                "log takes no entries",
            )
    youngest = _youngest(note, policy)
    if youngest is not None and now - youngest > STALE:
        minutes = int((now - youngest).total_seconds() // 60)
        yield Finding(
            Area.WITNESSES,
            "newest checkpoint",
            f"was cosigned {minutes} minutes ago",
            "if exchanges took place since, see the log of logging and of publisher",
        )


def _signatures(note: str) -> tuple[Signature, ...]:
    """Those of a note, () of what is none."""
    try:
        return parse(note).signatures
    except ValueError:
        return ()


def _youngest(note: str, policy: Policy) -> datetime | None:
    """When a witness cosigned last: the time is the signature's first eight octets (C2SP)."""
    known = {each.key.key_id for each in policy.witnesses.values() if each.key.kind == COSIGNATURE}
    times = [
        int.from_bytes(each.signature[:TIME_SIZE], "big")
        for each in _signatures(note)
        if each.key_id in known
    ]
    return datetime.fromtimestamp(max(times), UTC) if times else None
