"""contact.v1: messages to the model, one operation each, and back."""

from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from crossroads.contact.v1 import contact_service_pb2 as api
from crossroads.contact.v1.contact_service_pb2_grpc import ContactServiceServicer
from services.contact.model import Channel, Contact, Content
from services.contact.operations import Contacts
from services.runtime.peer import current_peer

_PREFIX = "CHANNEL_"


class ContactServicer(ContactServiceServicer):
    """The API of contact."""

    def __init__(self, *, contacts: Contacts) -> None:
        self._contacts = contacts

    async def RecordContact(
        self, request: api.RecordContactRequest, context: Any
    ) -> api.RecordContactResponse:
        """Record a contact, by the agent who calls."""
        recorded = await self._contacts.record(
            current_peer().person, request.request_id, content_from(request.contact)
        )
        return api.RecordContactResponse(contact=contact_to(recorded))

    async def GetContact(
        self, request: api.GetContactRequest, context: Any
    ) -> api.GetContactResponse:
        """One contact."""
        return api.GetContactResponse(
            contact=contact_to(await self._contacts.get(UUID(request.id)))
        )

    async def ListContacts(
        self, request: api.ListContactsRequest, context: Any
    ) -> api.ListContactsResponse:
        """The contacts that refer to one exchange."""
        found, token = await self._contacts.about(
            request.exchange_id, request.page_size, request.page_token
        )
        return api.ListContactsResponse(contacts=map(contact_to, found), next_page_token=token)


def content_from(message: api.Contact) -> Content:
    """What an agent says of a contact; the field rules have checked channel and language."""
    channel = Channel(api.Channel.Name(message.channel).removeprefix(_PREFIX))
    return Content(channel, message.language, message.topic, message.exchange_id)


def contact_to(contact: Contact) -> api.Contact:
    """A contact as it travels."""
    recorded_at = Timestamp()
    recorded_at.FromDatetime(contact.recorded_at)
    return api.Contact(
        id=str(contact.id),
        channel=api.Channel.Value(f"{_PREFIX}{contact.content.channel}"),
        language=contact.content.language,
        topic=contact.content.topic,
        exchange_id=contact.content.exchange_id,
        agent=contact.agent,
        recorded_at=recorded_at,
    )
