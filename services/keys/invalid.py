"""The one error of this package."""

from __future__ import annotations


class InvalidKey(ValueError):  # noqa: N818 - the reason INVALID_KEY bears this name
    """A text that is not a key. No part of the error ever holds the text itself.

    `field` says which part is wrong ("length", "date", "serial", "check_digits", …), `description`
    what it should be.
    """

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}")
        self.field = field
        self.description = description
