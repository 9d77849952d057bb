"""Whether what was recognised can have been said: a recognizer finds words in noise, music and the talk of a crowd too.

Measured with the default detectors on 392 segments of read, accented, telephone and noisy speech, and on 34 minutes of noise,
tones, music, recorded street and hall noise and mixed voices. Most noise never opens a segment. What does is told apart by the
detector, hardly by the model, which is sure of its "You": speech is voiced at .48 or more on average (one false start at .40),
instruments and clatter at .10 to .67. The texts of instruments are always the same few. Voices that talk over each other sound
like speech to the detector, and there the model falls into loops: of speech no text was more than 1.5 times as long as its
compressed form, of crowds most are more than 3.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

UNVOICED: Final = 0.35
"""The offset threshold by default: what is voiced less on average is mostly pauses that noise keeps interrupting."""

WEAK: Final = 0.5
FAINT: Final = 0.7
"""Voicing below which a stock phrase is nobody's; real speech is below it in one segment of ten."""

UNLIKELY: Final = math.log(0.2)
DOUBTFUL: Final = math.log(0.35)
"""Mean logarithms of token probabilities. Real speech at 5 dB of noise gets -0.9, a lone word of an accented speaker -1.14."""

COMPRESSION: Final = 2.4
"""A text so many times as long as its compressed form is a loop (Whisper, Radford et al. 2022, section 4.5)."""

LONG_TEXT: Final = 80
"""Bytes below which repetition is no sign: people do say "testing, testing, testing"."""

FILLERS: Final = frozenset({"", "you", "oh", "uh", "thankyouforwatching"})
COURTESIES: Final = frozenset({"thankyou", "thankyouverymuch"})
"""Letters and digits of what the model says of instruments and noise. People say the courtesies alone too, so more is asked."""


class Nonspeech(StrEnum):
    """Why a text is withheld."""

    UNVOICED = "unvoiced"
    UNLIKELY = "unlikely"
    STOCK_PHRASE = "stock_phrase"
    REPETITION = "repetition"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a segment. ``voicing``: its mean speech probability, 0 to 1. ``confidence``: of the text, or None."""

    text: str
    voicing: float
    confidence: float | None


def nonspeech(evidence: Evidence) -> Nonspeech | None:
    """Why nobody can have said ``evidence.text``; None if somebody may have.

    | voicing | and | then |
    |---|---|---|
    | below .35 | | unvoiced |
    | any | confidence below .2 | unlikely |
    | below .5 | confidence below .35 | unlikely |
    | below .7 | nothing but a filler that the model makes of noise | stock phrase |
    | below .5 | nothing but a courtesy | stock phrase |
    | any | a long text that compresses as loops do | repetition |

    A text is what is withheld, so an empty one never is. A detector that takes all for speech leaves only the last rule.
    """
    if not evidence.text:
        return None
    sure = 0.0 if evidence.confidence is None else math.log(max(evidence.confidence, 1e-9))
    letters = "".join(filter(str.isalnum, evidence.text)).casefold()
    if evidence.voicing < UNVOICED:
        return Nonspeech.UNVOICED
    if sure < (DOUBTFUL if evidence.voicing < WEAK else UNLIKELY):
        return Nonspeech.UNLIKELY
    if (letters in FILLERS and evidence.voicing < FAINT) or (letters in COURTESIES and evidence.voicing < WEAK):
        return Nonspeech.STOCK_PHRASE
    return Nonspeech.REPETITION if loops(evidence.text) else None


def loops(text: str) -> bool:
    """Whether a long ``text`` says the same again and again."""
    data = text.encode()
    return len(data) >= LONG_TEXT and len(data) > COMPRESSION * len(zlib.compress(data))
