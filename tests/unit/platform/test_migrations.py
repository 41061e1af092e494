"""Which migrations are applied, decided without a database."""

import pytest

from services.runtime.errors import CrossroadsError
from services.runtime.migrations import Migration, pending

FIRST, SECOND, THIRD = (Migration(number, "m", f"SELECT {number}") for number in (1, 2, 3))


def test_what_was_applied_is_not_pending() -> None:
    assert pending((FIRST, SECOND), {1: FIRST.checksum}) == (SECOND,)


def test_a_database_ahead_of_the_code_is_fine() -> None:
    assert pending((FIRST,), {1: FIRST.checksum, 2: SECOND.checksum}) == ()


def test_a_migration_numbered_below_an_applied_one_is_refused() -> None:
    with pytest.raises(CrossroadsError, match="0003 was applied before"):
        pending((FIRST, SECOND, THIRD), {1: FIRST.checksum, 3: THIRD.checksum})


def test_an_edited_migration_is_refused() -> None:
    with pytest.raises(CrossroadsError, match=r"0001_m\.sql: edited"):
        pending((FIRST,), {1: b"other"})
