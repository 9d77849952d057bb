"""Every number Starling counts, as one set. The declarations are in ``families``.

The class is the catalogue; an instance has a registry of its own, so that several servers can live in one process::

    metrics = Metrics()
    metrics.sessions_opened.inc()
    metrics.decode_time.labels(kind="final").observe(0.08)
    page = render(metrics)
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client import Metric as Family

from starling.telemetry.catalogue import Declared
from starling.telemetry.families.captions import OfCaptions
from starling.telemetry.families.decoding import OfDecoding
from starling.telemetry.families.processes import OfProcesses
from starling.telemetry.families.recordings import OfRecordings
from starling.telemetry.families.sessions import OfSessions
from starling.telemetry.families.sound import OfSound
from starling.version import __version__

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""The ``Content-Type`` of what ``render`` returns."""


class Metrics(OfSessions, OfSound, OfDecoding, OfCaptions, OfProcesses, OfRecordings):
    """The catalogue (as a class) and one set of live metrics (as an instance)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for attribute, declared in catalogue().items():
            self.__dict__[attribute] = declared.register(self.registry)
        ProcessCollector(registry=self.registry)
        self.build_info.info({"version": __version__, "python": platform.python_version()})


def catalogue() -> dict[str, Declared[Any]]:
    """Every declaration by its attribute's name, in the order of the families and of what stands in each."""
    declared = (item for family in Metrics.__bases__ for item in vars(family).items())
    return {attribute: value for attribute, value in declared if isinstance(value, Declared)}


def render(metrics: Metrics) -> bytes:
    """The page that Prometheus scrapes: text format 0.0.4, UTF-8, served as ``CONTENT_TYPE``."""
    return generate_latest(_WithoutCreated(metrics.registry))


class _WithoutCreated:
    """The client adds a ``_created`` series to each counter and histogram; Prometheus has no use for them in this format."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Family]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family
