"""Configuration: what is accepted, and how what is not is told."""

from dataclasses import dataclass

import pytest

from services.runtime.config import ConfigError, RuntimeConfig, load


@dataclass(frozen=True)
class Config:
    runtime: RuntimeConfig
    shards: int
    origins: tuple[str, ...] = ()
    wait: float = 1.0


GOOD = """
shards = 4
origins = ["a", "b"]
wait = 2
[runtime]
name = "identity"
[runtime.peers]
logging = "127.0.0.1:4000"
[runtime.database]
name = "identity"
role = "identity"
owner = "identity_owner"
host = "/tmp/socket"
"""


def test_nested_tables_become_frozen_dataclasses() -> None:
    config = load(Config, GOOD)
    assert config.shards == 4
    assert config.origins == ("a", "b")
    assert config.wait == 2.0
    assert config.runtime.peers == {"logging": "127.0.0.1:4000"}
    assert config.runtime.database is not None
    assert config.runtime.database.port == 5432
    assert config.runtime.vault is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.replace("shards = 4", "shard = 4"), "shard: unknown key; did you mean shards?"),
        (GOOD.replace("shards = 4", ""), "shards: missing; add it (a whole number)"),
        (GOOD.replace("shards = 4", 'shards = "4"'), "shards: is text; give a whole number"),
        (GOOD.replace("shards = 4", "shards = true"), "shards: is true or false; give a whole"),
        (GOOD.replace('host = "/tmp/socket"', ""), "runtime.database.host: missing; add it (text)"),
        (GOOD.replace('["a", "b"]', '["a", 1]'), "origins[1]: is a whole number; give text"),
        (GOOD.replace('"127.0.0.1:4000"', "4000"), "runtime.peers.logging: is a whole number"),
        (GOOD + "hots = 1\n", "runtime.database.hots: unknown key; did you mean host?"),
        ("runtime = 3\nshards = 1", "runtime: is a whole number; give a table"),
        ("shards =", "not TOML"),
    ],
)
def test_what_does_not_fit_is_refused_with_path_and_remedy(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(Config, text)
    assert problem in str(refusal.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refusal:
        load(Config, 'shards = "x"\nnew = 1\n[runtime]\n')
    assert len(refusal.value.problems) == 3
