"""The fuzz target over what readers get from others: a little here, a minute in the campaign."""

import itertools
import random

import pytest

from tools.fuzz import READERS, inputs, target


def test_every_reader_takes_its_own_example_or_refuses_it() -> None:
    for choice, (_, example) in enumerate(READERS):
        target(bytes([choice]) + example)


@pytest.mark.parametrize("count", [5000, pytest.param(2_000_000, marks=pytest.mark.long)])
def test_rubbish_is_read_or_refused(count: int) -> None:
    for data in itertools.islice(inputs(random.Random(1)), count):
        target(data)
