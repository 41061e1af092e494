"""Metrics: counters, gauges and histograms that a call can afford.

Contract: attributes are bound once (`bind`), recording is arithmetic on plain lists on the event
loop: about half a microsecond. Sums are cumulative since the start of the process. `otlp` sends
them; nothing is kept by person, key or exchange.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from types import MappingProxyType

SECONDS_BOUNDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
"""Bucket bounds of durations: those of the semantic conventions, with two below 5 ms."""

NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class HistogramSeries:
    """One histogram with its attributes."""

    __slots__ = ("_bounds", "attributes", "counts", "sum")

    def __init__(self, attributes: Mapping[str, str], bounds: tuple[float, ...]) -> None:
        self.attributes = attributes
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self._bounds = bounds

    def record(self, value: float) -> None:
        """Count one measurement."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class CounterSeries:
    """One counter with its attributes."""

    __slots__ = ("attributes", "value")

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.attributes = attributes
        self.value = 0

    def add(self, count: int = 1) -> None:
        """Count `count` more."""
        self.value += count


class Histogram:
    """A named histogram; `unit` as in UCUM ("s", "By", "{entry}")."""

    def __init__(self, *, name: str, unit: str, bounds: tuple[float, ...]) -> None:
        self.name = name
        self.unit = unit
        self.bounds = bounds
        self.series: dict[tuple[tuple[str, str], ...], HistogramSeries] = {}

    def bind(self, attributes: Mapping[str, str] = NO_ATTRIBUTES) -> HistogramSeries:
        """The series with these attributes: bind once, record often."""
        key = tuple(sorted(attributes.items()))
        if key not in self.series:
            self.series[key] = HistogramSeries(dict(attributes), self.bounds)
        return self.series[key]


class Counter:
    """A named counter, which only rises."""

    def __init__(self, *, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit
        self.series: dict[tuple[tuple[str, str], ...], CounterSeries] = {}

    def bind(self, attributes: Mapping[str, str] = NO_ATTRIBUTES) -> CounterSeries:
        """The series with these attributes: bind once, add often."""
        key = tuple(sorted(attributes.items()))
        if key not in self.series:
            self.series[key] = CounterSeries(dict(attributes))
        return self.series[key]


class Gauge:
    """Values that are read when they are sent: one for each value of the attribute `label`."""

    def __init__(
        self, *, name: str, unit: str, label: str, read: Callable[[], Mapping[str, float]]
    ) -> None:
        self.name = name
        self.unit = unit
        self._label = label
        self._read = read

    def values(self) -> list[tuple[Mapping[str, str], float]]:
        """Attributes and value of each."""
        label = self._label
        return [
            ({label: key} if label else NO_ATTRIBUTES, value) for key, value in self._read().items()
        ]


class Metrics:
    """The instruments of a process. `started` is in ns since the epoch."""

    def __init__(self) -> None:
        self.started = time.time_ns()
        self.histograms: dict[str, Histogram] = {}
        self.counters: dict[str, Counter] = {}
        self.gauges: dict[str, Gauge] = {}

    def histogram(
        self, name: str, unit: str = "s", bounds: tuple[float, ...] = SECONDS_BOUNDS
    ) -> Histogram:
        """The histogram of that name."""
        return self.histograms.setdefault(name, Histogram(name=name, unit=unit, bounds=bounds))

    def counter(self, name: str, unit: str = "1") -> Counter:
        """The counter of that name."""
        return self.counters.setdefault(name, Counter(name=name, unit=unit))

    def gauge(self, name: str, read: Callable[[], float], unit: str = "1") -> None:
        """Have `read` called each time metrics are sent; a second one of that name replaces it."""
        self.gauges[name] = Gauge(name=name, unit=unit, label="", read=lambda: {"": read()})

    def gauge_by(self, name: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """As `gauge`, with a value for each value of an attribute."""
        self.gauges[name] = Gauge(name=name, unit="1", label=label, read=read)
