"""Words as servers write them that have no case and punctuation of their own."""

from __future__ import annotations

from typing import Final

EDGES: Final = '.,!?;:"()[]{}\u2026\u2014\u2013-'
"""What is written around a word and not said."""


def plain(word: str) -> str:
    """``word`` in lower case, without what is written around it. Empty for what is no word."""
    return word.strip(EDGES).lower()


def plain_text(text: str) -> str:
    """All words of ``text`` so."""
    return " ".join(filter(None, map(plain, text.split())))
