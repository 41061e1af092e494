"""Who is active, answered from rows in memory."""

import pytest

from crossroads.options.v1.options_pb2 import ROLE_AUDITOR
from crossroads.trust.v1.trust_pb2 import Application, Entry, Institution, Person, Revocation
from services.runtime import callers
from services.runtime.directory import Directory, decode

ENTRIES = {
    "institution/onss": Entry(
        institution=Institution(id="onss", active=True, capacities=["012/001"])
    ),
    "institution/gone": Entry(institution=Institution(id="gone", active=False)),
    "application/onss/dmfa": Entry(
        application=Application(institution="onss", id="dmfa", active=True, endpoint="h:1")
    ),
    "application/onss/old": Entry(
        application=Application(institution="onss", id="old", active=False)
    ),
    "application/gone/app": Entry(
        application=Application(institution="gone", id="app", active=True)
    ),
    "person/p1": Entry(person=Person(id="p1", roles=[ROLE_AUDITOR], institution="onss")),
    "revocation/0a": Entry(revocation=Revocation(serial="0a")),
}


@pytest.fixture
def stored() -> dict[str, bytes]:
    return {key: entry.SerializeToString() for key, entry in ENTRIES.items()}


@pytest.mark.parametrize(
    ("institution", "application", "active"),
    [
        ("onss", "dmfa", True),
        ("onss", "old", False),
        ("gone", "app", False),
        ("onss", "unheard", False),
        ("unheard", "dmfa", False),
    ],
)
def test_an_application_is_active_only_if_it_and_its_institution_are(
    stored: dict[str, bytes], institution: str, application: str, active: bool
) -> None:
    assert Directory.of(stored).application_active(institution, application) is active


def test_the_directory_knows_persons_capacities_and_revocations(stored: dict[str, bytes]) -> None:
    directory = Directory.of(stored)
    assert directory.roles("p1") == {ROLE_AUDITOR}
    assert directory.institution_of("p1") == "onss"
    assert directory.capacities("onss") == {"012/001"}
    assert directory.revoked("0a")
    found = directory.application("onss", "dmfa")
    assert found is not None
    assert found.endpoint == "h:1"


def test_strangers_have_nothing(stored: dict[str, bytes]) -> None:
    directory = Directory.of(stored)
    assert directory.roles("p9") == frozenset()
    assert directory.institution_of("p9") is None
    assert directory.capacities("unheard") == frozenset()
    assert not directory.revoked("0b")


def test_the_owners_directory_follows_its_table(stored: dict[str, bytes]) -> None:
    directory = Directory.of(stored)
    assert directory.application_active("onss", "dmfa")
    stored["institution/onss"] = ENTRIES["institution/gone"].SerializeToString()
    with pytest.raises(ValueError, match="does not fit its key"):
        directory.institution("onss")
    del stored["institution/onss"]
    assert not directory.application_active("onss", "dmfa")
    # What the rule on callers needs of a directory, checked by type as well.
    needed: callers.Directory = directory
    needed.require()


def test_a_row_under_another_key_is_refused(stored: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="does not fit its key"):
        decode("institution/inami", stored["institution/onss"])
    with pytest.raises(ValueError, match="does not fit its key"):
        decode("institution/onss", b"")
