"""What of a message is public, by its proto."""

import pytest

from crossroads.authorization.v1 import authorization_service_pb2 as authorization
from crossroads.contact.v1 import contact_service_pb2 as contact
from crossroads.publication.v1 import publication_service_pb2 as publication
from crossroads.registry.v1 import registry_service_pb2 as registry
from crossroads.trust.v1 import trust_pb2 as trust
from services.runtime.sensitivity import offences, public_part

SERVICE = registry.ExchangeService(
    id="periods", title=registry.Labels(fr="périodes"), sources=["onss/dmfa"], source_timeout_ms=9
)


def test_message_of_a_service_that_is_not_public_is_an_offence_as_a_whole() -> None:
    assert list(offences(contact.Contact())) == ["crossroads.contact.v1.Contact"]
    with pytest.raises(ValueError, match="not public"):
        public_part(contact.Contact())


def test_message_of_a_file_without_services_is_personal_unless_it_says_otherwise() -> None:
    assert list(offences(trust.Entry())) == ["crossroads.trust.v1.Entry"]
    assert list(offences(trust.Institution(id="onss"))) == []
    assert list(offences(trust.Person(id="p"))) == ["crossroads.trust.v1.Person"]


def test_field_that_says_more_of_itself_is_an_offence_and_is_left_out() -> None:
    assert list(offences(SERVICE)) == ["source_timeout_ms"]
    part = public_part(SERVICE)
    assert (part.id, part.title.fr, part.source_timeout_ms) == ("periods", "périodes", 0)
    assert SERVICE.source_timeout_ms == 9
    assert list(offences(part)) == []


def test_who_proposed_a_grant_does_not_leave_with_its_deliberation() -> None:
    grant = authorization.Grant(id="26/001#1", proposed_by="p-1", approved_by="p-2")
    whole = authorization.Deliberation(number="26/001", grants=[grant], submitted_by="p-1")
    assert list(offences(whole)) == ["grants.proposed_by", "grants.approved_by", "submitted_by"]
    assert not public_part(whole).grants[0].proposed_by


def test_unknown_fields_are_an_offence_wherever_they_are() -> None:
    label = registry.Labels()
    label.MergeFromString(b"\xfa\x01\x03abc")
    service = registry.ExchangeService(title=label)
    assert list(offences(service)) == ["title (unknown fields)"]
    assert list(offences(public_part(service))) == []


def test_what_is_packed_in_a_message_can_not_be_seen_and_is_an_offence() -> None:
    packed = publication.PushRequest()
    packed.item.Pack(trust.Person(id="p"))
    assert list(offences(packed)) == ["item"]
