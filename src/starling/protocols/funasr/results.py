"""Results as FunASR's 2pass server writes them. Times are milliseconds from the utterance's start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from starling.core.audio import seconds
from starling.core.transcript import Transcript, Word

PUNCTUATION: Final = ",.?!;:…"


def times(finals: Sequence[Transcript]) -> Mapping[str, Any]:
    """When the words of ``finals`` were said; nothing where their times are not known."""
    words = [word for final in finals for word in final.words]
    if not words:
        return {}
    return {
        "timestamp": msgspec.json.encode([_span([word]) for word in words]).decode(),
        "stamp_sents": [_clause(clause) for clause in _clauses(words)],
    }


def ms(position: int) -> int:
    """``position`` in milliseconds."""
    return round(seconds(position) * 1000)


def _clauses(words: Iterable[Word]) -> Iterable[Sequence[Word]]:
    clause: list[Word] = []
    for word in words:
        clause.append(word)
        if word.text[-1:] in PUNCTUATION:
            yield clause
            clause = []
    if clause:
        yield clause


def _clause(words: Sequence[Word]) -> Mapping[str, Any]:
    last = words[-1].text
    bare = last.rstrip(PUNCTUATION)
    start, end = _span(words)
    return {
        "text_seg": " ".join([*(word.text for word in words[:-1]), bare]),
        "punc": last[len(bare) :],
        "start": start,
        "end": end,
        "ts_list": [_span([word]) for word in words],
    }


def _span(words: Sequence[Word]) -> list[int]:
    return [ms(words[0].start), ms(words[-1].end)]
