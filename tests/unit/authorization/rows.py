"""Grants and prohibitions over a small world, so that they meet often."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from services.policy.model import DataPeriod, Grant, Way

INSTANT = datetime(2026, 1, 1, tzinfo=UTC)
EARLY = INSTANT - timedelta(days=30)

_names = {
    "institution": ("capac", "onem", "both", "others"),
    "application": ("", "payments", "benefits"),
    "service": ("employment", "address"),
    "purpose": ("BENEFIT", "CONTROL"),
}
_elements = st.frozensets(st.sampled_from(["e.start", "e.end", "e.wage"]), min_size=1)
_ways = st.frozensets(st.sampled_from(list(Way)), min_size=1)
_capacities = st.frozensets(st.sampled_from(["18/1", "18/2"]), max_size=2)
_limits = st.sampled_from([None, 1, 30])


_RECIPIENTS: dict[str, dict[str, Any]] = {
    "": {},
    "capac": {"institution": "capac"},
    "onem": {"institution": "onem"},
    "both": {"institutions": frozenset({"capac", "onem"}), "group_name": "both"},
    "others": {"institutions": frozenset({"onem", "onss"}), "group_name": "others"},
}


def _row(place: int, prohibition: bool, terms: dict[str, Any]) -> Grant:
    institution = terms.pop("institution")
    return Grant(
        id=f"26/001#{place}",
        deliberation="26/001",
        prohibition=prohibition,
        **_RECIPIENTS[institution],
        valid_from=EARLY,
        recorded_from=EARLY,
        **terms,
    )


def grants(place: int = 1) -> st.SearchStrategy[Grant]:
    """Grants in force at INSTANT, the row `place` of a deliberation."""
    terms = {name: st.sampled_from(values) for name, values in _names.items()}
    return st.fixed_dictionaries(
        {
            **terms,
            "service_version": st.sampled_from([0, 1, 2]),
            "elements": _elements,
            "ways": _ways,
            "caller_capacities": _capacities,
            "source_capacities": _capacities,
            "data_period": st.builds(DataPeriod, _limits, _limits),
            "volume_per_day": st.sampled_from([None, 10, 100]),
            "blocking": st.booleans(),
        }
    ).map(lambda drawn: _row(place, False, drawn))


def prohibitions(place: int = 9) -> st.SearchStrategy[Grant]:
    """Prohibitions in force at INSTANT; what they leave out means any."""
    terms = {name: st.sampled_from((*values, "")) for name, values in _names.items()}
    return st.fixed_dictionaries(
        {
            **terms,
            "service_version": st.sampled_from([0, 1, 2]),
            "elements": _elements | st.just(frozenset()),
            "ways": _ways | st.just(frozenset()),
        }
    ).map(lambda drawn: _row(place, True, drawn))
