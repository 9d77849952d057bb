"""Results as Vosk writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starling.core.audio import seconds
from starling.core.transcript import Transcript, Word


@dataclass(slots=True)
class Style:
    """How a client wants results. ``alternatives``: in the shape that has several; ``words``: with their times."""

    words: bool = True
    alternatives: bool = False


def partial(text: str) -> Mapping[str, Any]:
    """What is heard so far of what is being said."""
    return {"partial": text}


def result(finals: Iterable[Transcript], style: Style, offset: int) -> Mapping[str, Any]:
    """``finals`` as one result, empty without any. ``offset``: samples of the connection before their session."""
    finals = list(finals)
    text = " ".join(final.text for final in finals)
    words = [word for final in finals for word in final.words] if style.words else []
    if style.alternatives:
        sure = [final.confidence for final in finals if final.confidence is not None]
        alternative = {"confidence": round(100 * min(sure, default=1.0), 4), "text": text}
        if words:
            alternative["result"] = [_word(word, offset) for word in words]
        return {"alternatives": [alternative]}
    if words:
        return {"result": [_word(word, offset) | {"conf": _sure(word)} for word in words], "text": text}
    return {"text": text}


def _word(word: Word, offset: int) -> dict[str, Any]:
    return {
        "end": round(seconds(offset + word.end), 3),
        "start": round(seconds(offset + word.start), 3),
        "word": word.text,
    }


def _sure(word: Word) -> float:
    return 1.0 if word.confidence is None else round(word.confidence, 4)
