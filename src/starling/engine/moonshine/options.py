"""How the embedded model is run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from starling.core.errors import InvalidOption

WIDEST_BEAM = 8


class Precision(StrEnum):
    """In which numbers the model computes.

    ``INT8``: 8-bit products, as shipped. ``EXACT``: 32-bit floats, about three times the work of decoding; a text depends on the
    samples alone, to the bit, whoever shares the batch.
    """

    INT8 = "int8"
    EXACT = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoonshineOptions:
    """``beam``: hypotheses that a final follows side by side (1 to 8); 1 is greedy decoding, as partials always are.

    Raises InvalidOption when ``beam`` is out of range.
    """

    precision: Precision = Precision.INT8
    beam: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.beam <= WIDEST_BEAM:
            raise InvalidOption(f"beam must be between 1 and {WIDEST_BEAM}, got {self.beam}")
