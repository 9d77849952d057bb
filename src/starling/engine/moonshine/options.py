"""How the embedded model is run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Precision(StrEnum):
    """In which numbers the model computes.

    ``INT8``: 8-bit products, as shipped. ``EXACT``: 32-bit floats, about three times the work of decoding; a text depends on the
    samples alone, to the bit, whoever shares the batch.
    """

    INT8 = "int8"
    EXACT = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoonshineOptions:
    """How the model is loaded. How hard a final is searched for is each session's own choice (``Quality``)."""

    precision: Precision = Precision.INT8
