"""Keeps the certificates of the demo's applications and persons fresh, as the operator.

Contract: whoever is wanted has key, certificate and authority in the home, renewed at two thirds of
their life. Only the demo's: an institution outside asks registry.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from pathlib import Path

from services.cli.platform.bootstrap import operator_session
from services.cli.platform.enrolment import Enrolment
from services.cli.platform.home import Home, PlatformError
from services.runtime.issuing import CERTIFICATE_LIFETIME
from services.runtime.vault import RENEW_AT
from services.runtime.vaultsession import VaultError

LOOK_SECONDS = 300.0
RETRY_SECONDS = 5.0

_logger = logging.getLogger(__name__)


class CertificateKeeper:
    """The certificates of one home."""

    def __init__(self, *, home: Home, address: str) -> None:
        """`address` is OpenBao's."""
        self._home = home
        self._address = address
        self._applications: tuple[tuple[str, str], ...] = ()
        self._persons: tuple[str, ...] = ()
        self._changed = asyncio.Event()

    def want(self, applications: Iterable[tuple[str, str]], persons: Iterable[str]) -> None:
        """Whose certificates are wanted from now on."""
        self._applications, self._persons = tuple(applications), tuple(persons)
        self._changed.set()

    async def keep(self, certified: asyncio.Event) -> None:
        """Renew in time, for ever; `certified` is set while everybody wanted has a certificate."""
        while True:
            wait = LOOK_SECONDS
            self._changed.clear()
            try:
                await asyncio.to_thread(self._renew)
            except (PlatformError, VaultError) as error:
                _logger.warning("certificates: %s", error)
                wait = RETRY_SECONDS
            else:
                if not self._changed.is_set():
                    certified.set()
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _renew(self) -> None:
        applications = [
            (institution, application)
            for institution, application in self._applications
            if _due(self._home.institutions / f"{institution}.{application}")
        ]
        persons = [person for person in self._persons if _due(self._home.persons / person)]
        if not applications and not persons:
            return
        session = operator_session(self._home, self._address)
        enrolment = Enrolment(home=self._home, session=session)
        try:
            for institution, application in applications:
                enrolment.enrol_application(institution, application)
            for person in persons:
                enrolment.enrol_person(person)
        finally:
            session.close()


def _due(folder: Path) -> bool:
    """Whether a certificate is missing or has lived two thirds of its life."""
    try:
        made = (folder / "cert.pem").stat().st_mtime
    except OSError:
        return True
    return time.time() - made > CERTIFICATE_LIFETIME.total_seconds() * RENEW_AT
