"""Who may call a method: the class in its option, and what the directory says of the caller."""

from datetime import UTC, datetime

import pytest

from crossroads.options.v1 import options_pb2
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.routing.v1 import routing_service_pb2 as routing
from services.runtime.callers import UndeclaredCallersError, admission
from services.runtime.errors import CrossroadsError, Reason
from services.runtime.peer import Kind, Peer
from tests.support.kinds import DESCRIPTOR
from tools.sensitivity import descriptors

NOW = 1_000.0
EXCHANGE = routing.DESCRIPTOR.services_by_name["RoutingService"].methods_by_name["Exchange"]
REGISTRY = registry.DESCRIPTOR.services_by_name["RegistryService"].methods_by_name
PROPOSE, WATCH = REGISTRY["ProposeAct"], REGISTRY["WatchDirectory"]


def peer(kind: Kind, *, expires: float = NOW + 1, **names: str) -> Peer:
    return Peer(
        kind=kind,
        serial="ab",
        not_after=datetime.fromtimestamp(expires, UTC),
        expires=expires,
        **names,
    )


SERVICE = peer(Kind.SERVICE, service="routing")
INSTITUTION = peer(Kind.INSTITUTION, institution="capac", application="payments")
PERSON = peer(Kind.PERSON, person="p1")


class Rows:
    """A directory in which capac/payments is active and p1 an administrator."""

    def __init__(self) -> None:
        self.current = True
        self.revocations: set[str] = set()

    def require(self) -> None:
        if not self.current:
            raise CrossroadsError(Reason.LEASE_EXPIRED, "old")

    def application_active(self, institution: str, application: str) -> bool:
        return (institution, application) == ("capac", "payments")

    def roles(self, person: str) -> "frozenset[options_pb2.Role.ValueType]":
        return frozenset({options_pb2.ROLE_ADMINISTRATOR} if person == "p1" else ())

    def revoked(self, serial: str) -> bool:
        return serial in self.revocations


@pytest.mark.parametrize(
    ("method", "may"),
    [(EXCHANGE, INSTITUTION), (PROPOSE, PERSON), (WATCH, SERVICE)],
    ids=["institutions", "role", "services"],
)
def test_only_the_class_of_a_method_may_call_it(method: object, may: Peer) -> None:
    rule = admission(method)  # type: ignore[arg-type]
    for each in (SERVICE, INSTITUTION, PERSON):
        if each is may:
            rule.check(each, Rows(), lambda: NOW)
            continue
        with pytest.raises(CrossroadsError) as refused:
            rule.check(each, Rows(), lambda: NOW)
        assert refused.value.reason is Reason.CALLER_NOT_ALLOWED


@pytest.mark.parametrize(
    ("method", "caller"),
    [
        (EXCHANGE, peer(Kind.INSTITUTION, institution="capac", application="other")),
        (PROPOSE, peer(Kind.PERSON, person="p2")),
    ],
    ids=["unknown application", "no role"],
)
def test_who_is_not_in_the_directory_may_not_call(method: object, caller: Peer) -> None:
    with pytest.raises(CrossroadsError) as refused:
        admission(method).check(caller, Rows(), lambda: NOW)  # type: ignore[arg-type]
    assert refused.value.reason is Reason.CALLER_NOT_ALLOWED


@pytest.mark.parametrize("caller", [SERVICE, INSTITUTION, PERSON], ids=str)
def test_revoked_and_expired_certificates_are_refused_whoever_bears_them(caller: Peer) -> None:
    methods = {SERVICE: WATCH, INSTITUTION: EXCHANGE, PERSON: PROPOSE}
    rule, rows = admission(methods[caller]), Rows()
    rows.revocations.add(caller.serial)
    with pytest.raises(CrossroadsError, match="is revoked; present a current certificate"):
        rule.check(caller, rows, lambda: NOW)
    with pytest.raises(CrossroadsError, match="has expired; present a current certificate"):
        rule.check(caller, Rows(), lambda: caller.expires)


def test_without_a_lease_only_services_may_call() -> None:
    rows = Rows()
    rows.current = False
    admission(WATCH).check(SERVICE, rows, lambda: NOW)
    for method, caller in ((EXCHANGE, INSTITUTION), (PROPOSE, PERSON)):
        with pytest.raises(CrossroadsError) as refused:
            admission(method).check(caller, rows, lambda: NOW)
        assert refused.value.reason is Reason.LEASE_EXPIRED


def test_before_there_is_a_directory_others_than_services_are_to_retry() -> None:
    admission(WATCH).check(SERVICE, None, lambda: NOW)
    with pytest.raises(CrossroadsError, match="retry shortly") as refused:
        admission(EXCHANGE).check(INSTITUTION, None, lambda: NOW)
    assert refused.value.reason is Reason.UNAVAILABLE


def test_publication_may_call_no_method_of_any_service() -> None:
    mine = peer(Kind.SERVICE, service="publication")
    methods = [
        method
        for file in descriptors()
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    assert len(methods) > 50
    for method in methods:
        with pytest.raises(CrossroadsError) as refused:
            admission(method).check(mine, Rows(), lambda: NOW)
        assert refused.value.reason is Reason.CALLER_NOT_ALLOWED, method.full_name


def test_publisher_may_call_only_what_names_it() -> None:
    mine = peer(Kind.SERVICE, service="publisher")
    may = set()
    for file in descriptors():
        for service in file.services_by_name.values():
            for method in service.methods:
                try:
                    admission(method).check(mine, Rows(), lambda: NOW)
                except CrossroadsError:
                    continue
                may.add(f"{service.name}/{method.name}")
    assert may == {
        "DeliberationService/ExportPublication",
        "EvidenceService/ListIndicators",
        "PublicationService/ListSnapshots",
        "PublicationService/Push",
        "RegistryService/ListCodes",
        "RegistryService/ListDataElements",
        "RegistryService/ListExchangeServices",
        "RegistryService/ListInstitutions",
    }


def test_method_without_its_class_of_callers_is_refused_at_start_up() -> None:
    from google.protobuf import descriptor_pb2, descriptor_pool  # noqa: PLC0415

    file = descriptor_pb2.FileDescriptorProto()
    DESCRIPTOR.file.CopyToProto(file)
    file.name, file.package = "demo/undeclared.proto", "demo.undeclared.v1"
    file.message_type[0].name = "Word"
    for each in file.service[0].method:
        each.ClearField("options")
        each.input_type = each.output_type = ".demo.undeclared.v1.Word"
    pool = descriptor_pool.Default()
    pool.Add(file)
    service = pool.FindServiceByName("demo.undeclared.v1.KindsService")
    with pytest.raises(UndeclaredCallersError, match="add option"):
        admission(service.methods[0])
