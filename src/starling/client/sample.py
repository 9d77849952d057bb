"""The recording of ``starling demo``: the opening of *A Tale of Two Cities*, out of the moonshine-voice wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from starling.core.errors import ModelUnavailable

REFERENCE: Final = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was the "
    "epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness, it was the "
    "spring of hope, it was the winter of despair, we had everything before us, we had nothing before us, we were all going "
    "direct to Heaven, we were all going direct the other way \u2014 in short, the period was so far like the present period, "
    "that some of its noisiest authorities insisted on its being received, for good or for evil, in the superlative degree of "
    "comparison only."
)
"""What is read, as the novel has it (Charles Dickens, 1859; public domain)."""


WORD_ERROR_LIMIT: Final = 0.10
"""The word error rate up to which a transcript of it counts as right.

Measured: 2.5 % to 5.0 %, depending on options; small words, mostly. Each sentence is at least 8 % of the
words, so a transcript that lost one is wrong.
"""


def sample_recording() -> Path:
    """Where the recording (44 s) lies. The wheel is located, never imported. Raises ModelUnavailable when it is not there."""
    spec = importlib.util.find_spec("moonshine_voice")
    path = Path(spec.origin).parent / "assets" / "two_cities.wav" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ModelUnavailable("two_cities.wav of the moonshine-voice wheel is missing: install Starling's requirements again")
    return path
