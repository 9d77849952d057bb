"""Reading an utterance again as it grows, for no more than what is new: partials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from starling.core.audio import Samples
from starling.engine.moonshine.decoding import SILENT, Decoded, Reader, decode, without_loop
from starling.engine.moonshine.finals import SHORTEST_SPEECH
from starling.engine.moonshine.graphs import Graphs, token_limit
from starling.engine.moonshine.hearing import Echoes
from starling.engine.moonshine.rebuilt import RebuiltGraphs

ALTERNATIVES: Final = 8
"""How many tokens are looked at in each place for the same word in another guise; see ``words``."""


@dataclass(slots=True)
class Progress:
    """What is known of an utterance from its last partial: its tokens, and what its audio gave."""

    draft: tuple[int, ...] = ()
    echoes: Echoes = field(default_factory=Echoes)


def follow(graphs: Graphs, audios: Sequence[Samples], progress: Sequence[Progress]) -> list[Decoded]:
    """The most likely tokens of each int16 ``[n]``, decoded together; progress is brought up to date.

    With attention over the frames of each and with alternatives, which the shipped graphs do not tell.
    """
    heard = [place for place, audio in enumerate(audios) if len(audio) >= SHORTEST_SPEECH]
    if not heard:
        return [SILENT] * len(audios)
    limits = [token_limit(audios[place]) for place in heard]
    encodings = [graphs.hear(audios[place], progress[place].echoes) for place in heard]
    capacity = max(limits) + 1
    drafts = [progress[place].draft for place in heard]
    reader: Reader
    if isinstance(graphs, RebuiltGraphs):
        reader = graphs.begin(encodings, capacity=capacity, attention=True)
    else:
        reader = graphs.begin(encodings, capacity=capacity)
    outcomes: dict[int, Decoded] = {}
    for place, encoding, answer in zip(
        heard, encodings, decode(reader, limits=limits, drafts=drafts, choices=ALTERNATIVES), strict=True
    ):
        outcomes[place] = _within(without_loop(answer), encoding.frames)
        progress[place].draft = outcomes[place].tokens
    return [outcomes.get(place, SILENT) for place in range(len(audios))]


def _within(decoded: Decoded, frames: int) -> Decoded:
    """``decoded`` with attention over its own frames, without those that fill up a batch."""
    return decoded if decoded.attention is None else replace(decoded, attention=decoded.attention[:, :frames])
