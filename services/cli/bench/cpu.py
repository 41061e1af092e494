"""Processor time of processes, from /proc (Linux: proc(5), fields utime and stime)."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def own_seconds(pid: int) -> float:
    """User and system time that process `pid` has used, all its threads. Seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def family_seconds(pid: int) -> float:
    """The same for `pid` and its living children: PostgreSQL has a process for each connection.

    Children that ended count through the parent's own accounting (cutime, cstime).
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    total = sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICKS
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            total += family_seconds(int(child))
        except FileNotFoundError:
            continue  # it ended between the two readings
    return total
