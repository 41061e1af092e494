"""What a process tells of itself under each name."""

import pytest

from services.runtime.health import Health


@pytest.mark.parametrize(
    ("serving", "standing_by", "told"),
    [
        (False, False, {"": False, "live": True, "ready": False}),
        (False, True, {"": False, "live": True, "ready": True}),
        (True, False, {"": True, "live": True, "ready": True}),
    ],
)
def test_who_stands_by_is_ready_and_takes_no_calls(
    *, serving: bool, standing_by: bool, told: dict[str, bool]
) -> None:
    health = Health()
    health.serving, health.standing_by = serving, standing_by
    assert {name: health.of(name) for name in told} == told


def test_a_part_that_fails_takes_nothing_out_of_service() -> None:
    health = Health()
    health.serving = True
    health.watch("vault", lambda: False)
    assert (health.of("vault"), health.of(""), health.of("ready")) == (False, True, True)
    assert health.of("unheard of") is None
