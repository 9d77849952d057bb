"""Hot words in all the shapes in which FunASR's clients send them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from starling.core.errors import InvalidOption

PLAIN: Final = 20
"""The weight that FunASR's documents give most words; ours is 1."""

MOST: Final = 1000
"""More than any of our weights stands for."""

COMMAS: Final = re.compile("[,;\uff0c\uff1b]")
"""Commas and semicolons, those of Chinese texts too."""

WEIGHTED: Final = re.compile(r"(?P<phrase>.*\S)\s+(?P<weight>\d{1,4})")

"""Of a line in a file of hot words, as its readers send it."""

Weighted: TypeAlias = tuple[str, float]


def read_hot_words(given: object) -> list[Weighted]:
    """The phrases in ``given`` and their weights on our scale. Raises InvalidOption for what has none of the known shapes."""
    match given:
        case None:
            return []
        case Mapping():
            return list(_object(given))
        case list() if all(isinstance(entry, str) for entry in given):
            return [(entry, 1.0) for entry in given]
        case str():
            return list(_text(given.strip()))
        case _:
            raise InvalidOption("hotwords must be a text, an object or a list of texts, got something else")


def _text(text: str) -> Iterator[Weighted]:
    if text.startswith("{"):
        try:
            yield from _object(msgspec.json.decode(text, type=dict[str, object]))
        except (ValueError, RecursionError):
            raise InvalidOption("hotwords must be an object of phrases and weights, got malformed JSON") from None
    elif "\n" in text:
        for line in text.splitlines():
            weighted = WEIGHTED.fullmatch(line.strip())
            yield from _weighted(weighted["phrase"], int(weighted["weight"])) if weighted else [(line, 1.0)]
    else:
        for phrase in COMMAS.split(text) if COMMAS.search(text) else text.split():
            yield phrase, 1.0


def _object(phrases: Mapping[str, object]) -> Iterator[Weighted]:
    for phrase, weight in phrases.items():
        yield from _weighted(phrase, weight)


def _weighted(phrase: str, weight: object) -> Iterator[Weighted]:
    """Nothing for a weight that says that the phrase is not expected."""
    if isinstance(weight, str):
        weight = float(weight) if re.fullmatch(r"\d{1,6}(\.\d{0,6})?", weight) else PLAIN
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        weight = PLAIN
    if weight > 0:
        yield phrase, min(weight, MOST) / PLAIN
