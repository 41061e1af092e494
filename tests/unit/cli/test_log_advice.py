"""What an auditor is told to do about a difference."""

import pytest

from services.cli.log_advice import advice


@pytest.mark.parametrize(
    ("difference", "advised"),
    [
        ("entry 7: attempt is not what was sealed", "never repaired"),
        ("log_head: says another time than the last entry", "never repaired"),
        ("the published checkpoint is of 9 entries, the log has 8", "Stop the log"),
        ("a checkpoint kept elsewhere: note: no signature", "crossroads log keys"),
        ("the database knows no log of the origin x", "--config"),
        ("term_entry: entry 7 is not found by its terms", "no proof is in doubt"),
        ("subject_root of 2001-03-10: the index has another root", "no proof is in doubt"),
        ("hold: entry 7 says that there is one; its row is missing", "audit log of Vault"),
        ("data_key 1: unknown retention class", "audit log of Vault"),
        ("tile 1 of level 0 is missing", "made again"),
        ("receipt_key: entry 1 holds no key", "receipts"),
    ],
)
def test_each_kind_of_difference_has_its_advice(difference: str, advised: str) -> None:
    told = advice(difference)
    assert advised in told
    assert "Change nothing" in told


def test_a_clean_log_needs_none() -> None:
    assert advice("") == ""
