"""How the final text of an utterance is found: how it is heard, and how hard is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from starling.core.audio import Samples, samples
from starling.core.config import Quality
from starling.engine.moonshine.beam import Bias, search
from starling.engine.moonshine.decoding import SILENT, Decoded, decode
from starling.engine.moonshine.graphs import FRAME, Graphs, as_floats, token_limit
from starling.engine.moonshine.rebuilt import RebuiltGraphs
from starling.engine.moonshine.views import JointReader

SHORTEST_SPEECH: Final = samples(0.2)
"""Shorter utterances have no text: of speech, noise and silence alike the model makes a filler such as "You" there."""

ALONE: Final = samples(1.0)
"""Finals shorter than this get silence around them: of a word cut out tightly the model says a part, or says it twice."""

MARGIN: Final = 13
"""How much silence before and after, in frames (0.31 s)."""

_BETWEEN_VIEWS: Final = 11
"""How much more silence each further view has before and after than the one before it, in frames (0.26 s)."""


@dataclass(frozen=True, slots=True)
class Effort:
    """``width``: texts that are followed side by side. ``views``: ways in which the utterance is heard."""

    width: int
    views: int = 1


EFFORTS: Final[Mapping[Quality, Effort]] = {
    Quality.FAST: Effort(width=1),
    Quality.BALANCED: Effort(width=4),
    Quality.BEST: Effort(width=4, views=2),
}
"""Wider beams than 4 were no better; see docs/decisions/0011."""


def decode_final(graphs: Graphs, audio: Samples, quality: Quality, *, attention: bool, bias: Bias | None = None) -> Decoded:
    """The best tokens of int16 ``[n]``, with ``attention`` over its frames if that is wanted and known.

    ``bias`` needs two texts side by side at least, because a single one cannot take back what it preferred. The shipped graphs
    can only be greedy, whatever the quality, and without bias.
    """
    if len(audio) < SHORTEST_SPEECH:
        return SILENT
    margin = MARGIN if len(audio) < ALONE else 0
    limit = token_limit(audio)
    if not isinstance(graphs, RebuiltGraphs):
        encoding = graphs.hear(as_floats(np.pad(audio, margin * FRAME)))
        (decoded,) = decode(graphs.begin([encoding], capacity=limit + 1), limits=[limit], drafts=[()])
        return decoded
    effort = EFFORTS[quality]
    encodings = [graphs.hear(as_floats(np.pad(audio, (margin + view * _BETWEEN_VIEWS) * FRAME))) for view in range(effort.views)]
    width = effort.width if bias is None else max(effort.width, 2)
    reader = graphs.begin_beam(encodings, width=width, capacity=limit + 1, attention=attention)
    joint = reader if effort.views == 1 else JointReader(reader, views=effort.views)
    decoded = search(joint, width=width, limit=limit, bias=bias)
    if decoded.attention is None:
        return decoded
    return replace(decoded, attention=decoded.attention[:, margin : encodings[0].frames - margin])
