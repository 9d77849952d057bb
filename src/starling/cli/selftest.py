"""Does recognition work on this machine? The sample recording, from file to words."""

from __future__ import annotations

import time

from starling.audio import read_recording
from starling.client.sample import REFERENCE, WORD_ERROR_LIMIT, sample_recording
from starling.client.word_errors import word_error_rate
from starling.config.doctor import Check, Status
from starling.core.audio import seconds
from starling.core.errors import EngineFailed, StarlingError
from starling.recognizer import Recognizer


def check_recognition() -> Check:
    """Detector and model load, are as fast as speech, and hear what is said; the model serves as it should."""
    try:
        with Recognizer() as recognizer:
            found, shortfall = _recognise(recognizer), recognizer.capabilities.shortfall
    except StarlingError as error:
        remedy = "install Starling's requirements again: they pin the versions that were measured"
        return Check("recognition", Status.FAIL, error.message, remedy)
    if shortfall:
        return Check("recognition", Status.WARN, f"{found}; {shortfall}", "mend what is named, then start again")
    return Check("recognition", Status.OK, found)


def _recognise(recognizer: Recognizer) -> str:
    blocks = list(read_recording(sample_recording()))
    began = time.perf_counter()
    text = " ".join(final.text for final in recognizer.transcribe(blocks))
    took = time.perf_counter() - began
    errors = word_error_rate(REFERENCE, text)
    if errors > WORD_ERROR_LIMIT:
        raise EngineFailed(f"expected at most {WORD_ERROR_LIMIT:.0%} of the sample's words to be wrong, got {errors:.0%}")
    spoken = seconds(sum(len(block) for block in blocks))
    return f"{spoken:.0f} s of speech in {took:.1f} s, word error rate {errors:.1%}"
