"""Messages of identity.v1 to the model and back, and the rows of the watched table."""

from crossroads.identity.v1 import identity_service_pb2 as api
from services.identity.model import PersonKey, Register, Resolved
from services.runtime.watch.rows import Change

_PREFIX = "REGISTER_"


def person_from(message: api.PersonKey) -> PersonKey:
    """A key and where it is kept; the field rules have checked the register."""
    name = api.Register.Name(message.register).removeprefix(_PREFIX)
    return PersonKey(message.niss, Register(name))


def resolved_to(resolved: Resolved) -> api.ResolvedKey:
    """What a key stands for."""
    if resolved.register is None:
        return api.ResolvedKey()
    register = api.Register.Value(f"{_PREFIX}{resolved.register}")
    return api.ResolvedKey(known=True, current_niss=resolved.current, register=register)


def replacement_row(old: str, current: str) -> Change:
    """The row of WatchReplacements that says what replaced a key."""
    message = api.Replacement(old_niss=old, current_niss=current)
    return Change(old, message.SerializeToString(deterministic=True))
