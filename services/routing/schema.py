"""The messages of one exchange service, compiled once from its schema in the catalogue.

Contract: `ExchangeSchema` refuses a question that is not the declared message (INVALID_PAYLOAD) and
keeps of an answer only the data elements that are granted (SOURCE_INVALID when it is not the
declared message). Nothing here depends on generated code of an exchange service.

How the filter works: for each set of granted elements a second message type is built, in which
what is not granted does not exist. Reading the answer as that type makes the rest unknown fields,
which are discarded; all of it happens in the protobuf library, whatever the size of the answer.
What a type can't say is done by `_sweep`: a container in which nothing was released is not
released.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import cast

import protovalidate
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from crossroads.options.v1 import options_pb2
from services.runtime.errors import CrossroadsError, FieldViolation, Reason

MAX_FILTERS = 256
"""Compiled filters kept for one service: one for each set of elements that was granted lately."""

Context = tuple[str, bool]
"""A message type by its full name, and whether it stands inside a field that is granted."""


class SchemaError(ValueError):
    """A schema of the catalogue that can't be used, and why."""


class ExchangeSchema:
    """Question and answer of one version of one exchange service."""

    def __init__(self, *, question_message: str, answer_message: str, schema: bytes) -> None:
        """`schema` is a self-contained google.protobuf.FileDescriptorSet. Raises SchemaError."""
        pool = _pool(schema)
        self._question = _message_class(pool, question_message)
        self._answer = _message_class(pool, answer_message)
        # A validator remembers rules by the type's name: schemas that share names can't share one.
        self._validator = protovalidate.Validator()
        self._filters: OrderedDict[frozenset[str], _Filter] = OrderedDict()
        self._root = cast("Descriptor", self._answer.DESCRIPTOR)
        self.elements = _elements(self._root)
        try:
            self._validator.collect_violations(self._question())
        except (protovalidate.CompilationError, protovalidate.EvaluationError) as error:
            raise SchemaError(f"{question_message}: a rule does not compile: {error}") from error

    def check_question(self, payload: bytes) -> None:
        """Refuse what is not the question message: unknown fields and broken rules included.

        Raises INVALID_PAYLOAD.
        """
        try:
            question = self._question.FromString(payload)
        except DecodeError:
            raise _invalid_question("it can't be read as that message") from None
        size = question.ByteSize()
        question.DiscardUnknownFields()
        if question.ByteSize() != size:
            raise _invalid_question("it has fields that the message does not declare")
        broken = self._validator.collect_violations(question)
        if broken:
            raise _invalid_question(
                "it breaks a rule of the message",
                [FieldViolation(_path(each), each.proto.message) for each in broken],
            )

    def filter(self, payload: bytes, elements: frozenset[str]) -> bytes:
        """Of the answer in `payload`, only what `elements` names; containers kept around it.

        Raises SOURCE_INVALID.
        """
        try:
            answer = self._answer.FromString(payload)
        except DecodeError:
            raise _invalid_answer() from None
        size = answer.ByteSize()
        answer.DiscardUnknownFields()
        known = answer.ByteSize()
        if known < size and not known:
            # Random octets often read as a message of unknown fields only.
            raise _invalid_answer()
        return self._filter_for(elements).apply(answer)

    def _filter_for(self, elements: frozenset[str]) -> "_Filter":
        found = self._filters.get(elements)
        if found is None:
            found = self._filters[elements] = _compile(self._root, elements)
            if len(self._filters) > MAX_FILTERS:
                self._filters.popitem(last=False)
        else:
            self._filters.move_to_end(elements)
        return found


@dataclass(frozen=True)
class _Filter:
    """The answer's type without what is not granted, and the containers to look at afterwards."""

    cls: type[Message]
    plan: "_Plan"

    def apply(self, answer: Message) -> bytes:
        # Serialized anew: what the declared type did not take (an earlier member of a oneof, say)
        # must not come back through the narrower type.
        kept = self.cls.FromString(answer.SerializeToString())
        kept.DiscardUnknownFields()
        if self.plan:
            _sweep(kept, self.plan)
        return kept.SerializeToString()


@dataclass(frozen=True)
class _Kept:
    """A field that may be released. `child` is its message type; a container has no element."""

    descriptor: FieldDescriptor
    child: Context | None
    container: bool


@dataclass(frozen=True)
class _Step:
    """A container field: drop it when empty (or not), after its own containers were looked at."""

    name: str
    repeated: bool
    droppable: bool
    inner: "_Plan" = field(repr=False)


_Plan = list[_Step]


def _pool(schema: bytes) -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in descriptor_pb2.FileDescriptorSet.FromString(schema).file:
            pool.AddSerializedFile(file.SerializeToString())
    except (DecodeError, TypeError, ValueError) as error:
        raise SchemaError(f"not a self-contained FileDescriptorSet: {error}") from error
    return pool


def _message_class(pool: descriptor_pool.DescriptorPool, name: str) -> type[Message]:
    try:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    except KeyError:
        raise SchemaError(f"{name}: not in the schema") from None


def _element(descriptor: FieldDescriptor) -> str:
    """The data element that a field holds; "" for a container."""
    if not descriptor.has_options:
        return ""
    return str(descriptor.GetOptions().Extensions[options_pb2.element])


def _elements(message: Descriptor) -> frozenset[str]:
    """Every data element that a message of this type may hold. Raises SchemaError."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting: list[Descriptor] = [message]
    while waiting:
        each = waiting.pop()
        if each.full_name in seen:
            continue
        seen.add(each.full_name)
        for descriptor in each.fields:
            if descriptor.type == FieldDescriptor.TYPE_GROUP:
                raise SchemaError(f"{descriptor.full_name}: a group can't be filtered")
            found.add(_element(descriptor))
            if descriptor.message_type is not None:
                waiting.append(descriptor.message_type)
    return frozenset(found - {""})


def _compile(answer: Descriptor, elements: frozenset[str]) -> _Filter:
    """The filter that lets `elements` pass."""
    root = (answer.full_name, False)
    kept = _contexts(answer, elements)
    live = _live(kept)
    fields = {
        context: [each for each in found if not each.container or each.child in live]
        for context, found in kept.items()
    }
    names = {context: f"m{number}" for number, context in enumerate(fields)}
    file = descriptor_pb2.FileDescriptorProto(name="filter.proto", syntax="proto2")
    for context, found in fields.items():
        message = file.message_type.add(name=names[context])
        for each in found:
            message.field.append(_narrowed(each, names))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    cls = message_factory.GetMessageClass(pool.FindMessageTypeByName(names[root]))
    return _Filter(cls, _plan(root, fields, {}))


def _contexts(answer: Descriptor, elements: frozenset[str]) -> dict[Context, list[_Kept]]:
    """For each message type in reach of the answer, the fields that may be released."""
    contexts: dict[Context, list[_Kept]] = {}
    waiting: list[tuple[Descriptor, bool]] = [(answer, False)]
    while waiting:
        message, inside = waiting.pop()
        context = (message.full_name, inside)
        if context in contexts:
            continue
        contexts[context] = []
        for descriptor in message.fields:
            element, child = _element(descriptor), descriptor.message_type
            if element and element not in elements:
                continue
            granted = inside or bool(element)
            if not granted and (child is None or child.GetOptions().map_entry):
                # A value outside every element is nobody's to release; a map's keys are values.
                continue
            reference = None if child is None else (child.full_name, granted)
            contexts[context].append(_Kept(descriptor, reference, not granted))
            if child is not None:
                waiting.append((child, granted))
    return contexts


def _live(contexts: dict[Context, list[_Kept]]) -> set[Context]:
    """The types in which something can be released: the least fixed point, for types may recur."""
    live: set[Context] = set()
    grew = True
    while grew:
        grew = False
        for context, fields in contexts.items():
            if context not in live and any(not f.container or f.child in live for f in fields):
                live.add(context)
                grew = True
    return live


def _narrowed(kept: _Kept, names: dict[Context, str]) -> descriptor_pb2.FieldDescriptorProto:
    """The field on the wire: same number and encoding; names and oneofs don't show there."""
    descriptor = kept.descriptor
    kinds = descriptor_pb2.FieldDescriptorProto
    result = kinds(
        name=f"f{descriptor.number}",
        number=descriptor.number,
        label=kinds.LABEL_REPEATED if descriptor.is_repeated else kinds.LABEL_OPTIONAL,
        type=cast("descriptor_pb2.FieldDescriptorProto.Type.ValueType", descriptor.type),
    )
    if kept.child is not None:
        result.type_name = names[kept.child]
    elif descriptor.type == FieldDescriptor.TYPE_ENUM:
        result.type = kinds.TYPE_INT32
    elif descriptor.type == FieldDescriptor.TYPE_STRING:
        result.type = kinds.TYPE_BYTES
    if descriptor.is_packed:
        result.options.packed = True
    return result


def _plan(
    context: Context,
    fields: dict[Context, list[_Kept]],
    made: dict[Context, _Plan],
) -> _Plan:
    """The containers below a type that may turn out empty."""
    plan = made[context] = []
    for each in fields[context]:
        if not each.container or each.child is None:
            continue
        # A granted field without presence says something even when it is not on the wire.
        droppable = all(
            f.container or f.descriptor.has_presence or f.descriptor.is_repeated
            for f in fields[each.child]
        )
        # A type that is being planned already recurs: its plan is not known to stay empty.
        recurs = each.child in made
        inner = made[each.child] if recurs else _plan(each.child, fields, made)
        if droppable or inner or recurs:
            name = f"f{each.descriptor.number}"
            plan.append(_Step(name, each.descriptor.is_repeated, droppable, inner))
    return plan


def _sweep(message: Message, plan: _Plan) -> None:
    """Take away the containers in which nothing was released."""
    for step in plan:
        if step.repeated:
            items = getattr(message, step.name)
            for index in range(len(items) - 1, -1, -1):
                _sweep(items[index], step.inner)
                if step.droppable and not items[index].ByteSize():
                    del items[index]
        elif message.HasField(step.name):
            child = getattr(message, step.name)
            _sweep(child, step.inner)
            if step.droppable and not child.ByteSize():
                message.ClearField(step.name)


def _path(violation: protovalidate.Violation) -> str:
    path = violation.proto.field
    names = [each.field_name for each in path.elements] if path is not None else []
    return ".".join(["question", *(name for name in names if name)])


def _invalid_question(what: str, fields: list[FieldViolation] | None = None) -> CrossroadsError:
    return CrossroadsError(
        Reason.INVALID_PAYLOAD,
        f"the question is not the message that the catalogue declares: {what}; "
        "build it from the schema of this service and version",
        fields=fields or [FieldViolation("question", what)],
    )


def _invalid_answer() -> CrossroadsError:
    return CrossroadsError(
        Reason.SOURCE_INVALID,
        "the source answered something that is not the declared message; nothing was released; "
        "retry later with the same request_id",
        retry_after=1.0,
    )
