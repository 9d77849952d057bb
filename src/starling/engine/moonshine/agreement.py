"""Whether two sets of graphs read the same text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from starling.core.audio import Samples
from starling.core.config import Quality
from starling.engine.moonshine.decoding import decode
from starling.engine.moonshine.finals import Utterance, decode_finals
from starling.engine.moonshine.graphs import Graphs, as_floats, token_limit
from starling.engine.moonshine.tokens import Vocabulary

TOLERANCE = 0.1
"""The share of words that may differ: int8 products round differently here and there, a wrong graph reads nothing right."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of ``words`` words, ``different`` ones differed."""

    words: int
    different: int

    @property
    def holds(self) -> bool:
        return self.words > 0 and self.different <= TOLERANCE * self.words

    def __str__(self) -> str:
        return f"{self.different} of {self.words} words of the wheel's recordings differ from those of the shipped graphs"


def compare(ours: Graphs, theirs: Graphs, vocabulary: Vocabulary, pieces: Iterable[Samples]) -> Agreement:
    """Let both read ``pieces`` (int16 ``[n]`` each), word for word but for case and punctuation: ours as partial and as final."""
    words = different = 0
    for audio in pieces:
        other = _words(vocabulary, _read(theirs, audio))
        (final,) = decode_finals(ours, [Utterance(audio, Quality.FAST)])
        for tokens in (_read(ours, audio), final.tokens):
            mine = _words(vocabulary, tokens)
            same = sum(block.size for block in difflib.SequenceMatcher(None, mine, other, autojunk=False).get_matching_blocks())
            words += len(other)
            different += max(len(mine), len(other)) - same
    return Agreement(words, different)


def _words(vocabulary: Vocabulary, tokens: tuple[int, ...]) -> list[str]:
    return re.findall(r"\w+", vocabulary.text(tokens).lower())


def _read(graphs: Graphs, audio: Samples) -> tuple[int, ...]:
    limit = token_limit(audio)
    reader = graphs.begin([graphs.hear(as_floats(audio))], capacity=limit + 1)
    (decoded,) = decode(reader, limits=[limit], drafts=[()])
    return decoded.tokens
