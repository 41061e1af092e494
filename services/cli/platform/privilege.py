"""Starting a server as an unprivileged user when we are root (PostgreSQL refuses to be root).

Contract: the modes of directories that exist are never changed. Where a parent directory keeps the
unprivileged user out (a clone below /root, say), the server gets one capability,
CAP_DAC_READ_SEARCH, which lets it pass; where that can't be had, the error names the directory.
"""

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from services.cli.platform.home import PlatformError

DAC_READ_SEARCH = 2  # capabilities(7)
NOBODY = 65534


@dataclass(frozen=True)
class Account:
    """Who runs a server: a user and group, and what to put before its command."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()


def unprivileged(*paths: Path) -> Account:
    """Who may run a server that uses `paths`: ourselves, or when we are root, nobody.

    Raises PlatformError when a directory is closed to that user and nothing can be done.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise PlatformError("PostgreSQL can't run as root, and there is no user nobody") from None
    account = Account(entry.pw_uid, entry.pw_gid)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PlatformError("setpriv is missing; install the package util-linux")
    prefix = [setpriv, f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    closed = next((path for each in paths if (path := barrier(each, account))), None)
    if closed is not None:
        if not _in_bounding_set(DAC_READ_SEARCH):
            raise PlatformError(
                f"{closed} is closed to the user nobody, as whom PostgreSQL runs; "
                f"allow others to pass (chmod o+x {closed}), move the clone and CROSSROADS_HOME "
                "elsewhere, or work as a user who is not root"
            )
        prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return Account(account.uid, account.gid, tuple(prefix))


def barrier(path: Path, account: Account) -> Path | None:
    """The outermost directory above `path` that `account` may not pass through."""
    for folder in reversed(path.absolute().parents):
        status = folder.stat()
        if status.st_uid == account.uid:
            allowed = status.st_mode & stat.S_IXUSR
        elif status.st_gid == account.gid:
            allowed = status.st_mode & stat.S_IXGRP
        else:
            allowed = status.st_mode & stat.S_IXOTH
        if not allowed:
            return folder
    return None


def _in_bounding_set(capability: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> capability & 1)
    return False
