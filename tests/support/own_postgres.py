"""A PostgreSQL of a test's own, to be killed, frozen and started again.

Contract: `killed` ends every process of the server at once, as a power cut does; `frozen` stops
them without closing anything, as a broken network or a hung disk does. Both put the server back.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from services.cli.platform.home import Home, PlatformError
from services.cli.platform.postgres import PostgresServer
from tests.support.platform import Postgres

START_SECONDS = 15.0


class OwnPostgres(Postgres):
    """The server; nobody else uses it."""

    def processes(self) -> list[int]:
        """The server's process and its children."""
        process = self.server.process
        assert process is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        return [process.pid, *(int(each) for each in children.split())]

    def kill(self, *, postmaster: bool = False, reap: bool = True) -> None:
        """End all of it, at once; or the postmaster alone, whose sessions end as they notice.

        Without `reap` it stays a zombie until somebody waits for it.
        """
        assert self.server.process is not None
        if postmaster:
            self.server.process.kill()
        else:
            self._send(signal.SIGKILL)
        if reap:
            self.server.process.wait()

    def start(self) -> None:
        """Start it again, on what is on its disk, as soon as the last old session is gone."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.server.start()
            except PlatformError:
                # A session that began while the others were killed ends by itself, but later.
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return

    def revive(self) -> None:
        """Start it if it ended by itself, as its supervisor does."""
        assert self.server.process is not None
        if self.server.process.poll() is not None:
            self.start()

    @contextmanager
    def killed(self, *, postmaster: bool = False) -> Iterator[None]:
        """Down meanwhile (see `kill`)."""
        self.kill(postmaster=postmaster)
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """There, but silent meanwhile."""
        self._send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        for each in self.processes():
            with suppress(ProcessLookupError):
                os.kill(each, number)


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A running server, gone afterwards. Its folder's path is short, for its socket."""
    folder = Path(tempfile.mkdtemp(prefix="xr-"))
    home = Home(folder / "home")
    home.make()
    server = PostgresServer(home=home)  # durable: what was committed outlives the kill
    server.start()
    try:
        yield OwnPostgres(server, home)
    finally:
        server.stop()
        shutil.rmtree(home.socket_dir, ignore_errors=True)
        shutil.rmtree(folder)
