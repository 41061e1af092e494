"""`crossroads witness`: the witness that anybody can run, and its key."""

from services.witness.__main__ import run
from services.witness.key import verifier_key

__all__ = ["run", "verifier_key"]
