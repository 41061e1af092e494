"""Which callers may call a method: the option (crossroads.options.v1.callers), and the directory.

Contract: `admission(method)` compiles the option of one method; a method without it is refused at
start-up. `Admission.check` is made on every call, and every second on open streams: the certificate
has not expired and is not revoked, the caller is of a class that may call, and is active. Whose
object it is, the operation checks. Until a directory is known only services may call.
"""

import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Protocol

from google.protobuf.descriptor import MethodDescriptor

from crossroads.options.v1 import options_pb2
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.peer import Kind, Peer, unauthenticated

BORDER = frozenset({"publisher", "publication"})
"""Services at the border to the public cloud: "*" does not mean them."""


class Directory(Protocol):
    """Who is active and who may do what; answers from memory."""

    def require(self) -> None:
        """Raise LEASE_EXPIRED when what is held may be out of date."""
        ...

    def application_active(self, institution: str, application: str) -> bool:
        """Whether both the application and its institution are active."""
        ...

    def roles(self, person: str) -> AbstractSet["options_pb2.Role.ValueType"]:
        """The roles that a person holds."""
        ...

    def revoked(self, serial: str) -> bool:
        """Whether a certificate is revoked, as far as is known here; serial in hexadecimal."""
        ...


class UndeclaredCallersError(Exception):
    """A method without its class of callers; the process must not start."""


class Admission:
    """The compiled rule of one method."""

    def __init__(self, *, method: str, callers: options_pb2.Callers) -> None:
        self._method = method
        self._any_service = "*" in callers.services
        self._services = frozenset(callers.services)
        self._institutions = callers.institutions
        self._roles = frozenset(callers.roles)

    def check(
        self,
        peer: Peer,
        directory: Directory | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Raise UNAUTHENTICATED, CALLER_NOT_ALLOWED or LEASE_EXPIRED unless `peer` may call.

        `now` gives seconds since the epoch.
        """
        if peer.expires <= now():
            raise unauthenticated("the certificate has expired")
        if directory is not None and directory.revoked(peer.serial):
            raise unauthenticated("the certificate is revoked")
        if not self._admits(peer, directory):
            raise CrossroadsError(
                Reason.CALLER_NOT_ALLOWED,
                f"{peer.kind}s such as this one may not call {self._method}; "
                "its .proto says who may, and registry who is active",
            )

    def _admits(self, peer: Peer, directory: Directory | None) -> bool:
        if peer.kind is Kind.SERVICE:
            inside = self._any_service and peer.service not in BORDER
            return inside or peer.service in self._services
        if not (self._institutions if peer.kind is Kind.INSTITUTION else self._roles):
            return False
        if directory is None:
            raise CrossroadsError(
                Reason.UNAVAILABLE, "it is not yet known here who may call; retry shortly"
            )
        directory.require()
        if peer.kind is Kind.INSTITUTION:
            return directory.application_active(peer.institution, peer.application)
        return not self._roles.isdisjoint(directory.roles(peer.person))


def admission(method: MethodDescriptor) -> Admission:
    """The rule of a method, from its option. Raises UndeclaredCallersError."""
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.callers):
        raise UndeclaredCallersError(
            f"{method.full_name} does not say who may call it: "
            "add option (crossroads.options.v1.callers)"
        )
    return Admission(method=method.full_name, callers=options.Extensions[options_pb2.callers])
