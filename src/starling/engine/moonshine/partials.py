"""Reading an utterance again as it grows, for no more than what is new: partials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from starling.core.audio import Samples
from starling.engine.moonshine.decoding import SILENT, Decoded, decode, without_loop
from starling.engine.moonshine.finals import SHORTEST_SPEECH
from starling.engine.moonshine.graphs import Graphs, as_floats, token_limit
from starling.engine.moonshine.hearing import Echoes


@dataclass(slots=True)
class Progress:
    """What is known of an utterance from its last partial: its tokens, and what its audio gave."""

    draft: tuple[int, ...] = ()
    echoes: Echoes = field(default_factory=Echoes)


def follow(graphs: Graphs, audios: Sequence[Samples], progress: Sequence[Progress]) -> list[Decoded]:
    """The most likely tokens of each int16 ``[n]``, decoded together; progress is brought up to date."""
    heard = [place for place, audio in enumerate(audios) if len(audio) >= SHORTEST_SPEECH]
    if not heard:
        return [SILENT] * len(audios)
    limits = [token_limit(audios[place]) for place in heard]
    encodings = [graphs.hear(as_floats(audios[place]), progress[place].echoes) for place in heard]
    reader = graphs.begin(encodings, capacity=max(limits) + 1)
    answers = decode(reader, limits=limits, drafts=[progress[place].draft for place in heard])
    outcomes = dict(zip(heard, map(without_loop, answers), strict=True))
    for place, outcome in outcomes.items():
        progress[place].draft = outcome.tokens
    return [outcomes.get(place, SILENT) for place in range(len(audios))]
