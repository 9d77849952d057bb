"""How a metric is declared: once, as an attribute of a catalogue class, with all that its reader needs to know.

``Counted``, ``Level``, ``Spread`` and ``Facts`` become prometheus_client's Counter, Gauge, Histogram and Info in each instance of
the catalogue. Names follow https://prometheus.io/docs/practices/naming/: base units only, and the unit in the name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import product
from typing import ClassVar, Generic, Self, TypeVar, overload

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

Collector = TypeVar("Collector", Counter, Gauge, Histogram, Info)


class Declared(ABC, Generic[Collector]):
    """One metric's declaration.

    ``name`` is the exposed name, whole, so that a search for it finds this line. ``unit``: ``seconds``, ``bytes`` or ``ratio``,
    which the name must carry, or the noun that is counted. ``measures`` says what the number is, ``action`` what to do about it.
    ``labels`` maps a label to its values; all their series exist from the start, at zero.
    """

    kind: ClassVar[str]

    def __init__(
        self, name: str, unit: str, measures: str, *, action: str, labels: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.name = name
        self.unit = unit
        self.measures = measures
        self.action = action
        self.labels = dict(labels or {})
        self.attribute = ""

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Collector: ...
    def __get__(self, instance: object | None, owner: type) -> Self | Collector:
        if instance is None:
            return self
        # An instance's own collector shadows its declaration, so this is reached only when there is none.
        raise AttributeError(f"{owner.__name__}.{self.attribute} was read before it was registered")

    def register(self, registry: CollectorRegistry) -> Collector:
        """A new collector in ``registry``, with the series of all known label values."""
        collector = self._collector(registry)
        if self.labels:
            for values in product(*self.labels.values()):
                collector.labels(*values)
        return collector

    @abstractmethod
    def _collector(self, registry: CollectorRegistry) -> Collector: ...


class Counted(Declared[Counter]):
    """A number that only grows; its name ends in ``_total``."""

    kind = "counter"

    def _collector(self, registry: CollectorRegistry) -> Counter:
        return Counter(self.name, self.measures, tuple(self.labels), registry=registry)


class Level(Declared[Gauge]):
    """A number that goes up and down."""

    kind = "gauge"

    def _collector(self, registry: CollectorRegistry) -> Gauge:
        return Gauge(self.name, self.measures, tuple(self.labels), registry=registry)


class Spread(Declared[Histogram]):
    """How a measured value is distributed over ``buckets`` (upper bounds, in the metric's unit)."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        unit: str,
        measures: str,
        *,
        action: str,
        buckets: tuple[float, ...],
        labels: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(name, unit, measures, action=action, labels=labels)
        self.buckets = buckets

    def _collector(self, registry: CollectorRegistry) -> Histogram:
        return Histogram(self.name, self.measures, tuple(self.labels), registry=registry, buckets=self.buckets)


class Facts(Declared[Info]):
    """What does not change while the process runs: the value is 1, ``facts`` are the labels. Its name ends in ``_info``."""

    kind = "info"

    def __init__(self, name: str, measures: str, *, action: str, facts: tuple[str, ...]) -> None:
        super().__init__(name, "", measures, action=action)
        self.facts = facts

    def _collector(self, registry: CollectorRegistry) -> Info:
        return Info(self.name.removesuffix("_info"), self.measures, registry=registry)
