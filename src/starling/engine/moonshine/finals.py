"""How the final text of an utterance is found: how it is heard, and how hard is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

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


UNSURE: Final = -0.4
"""A mean log-probability of tokens below which a text gets a second look: about one in five of many kinds of recordings."""

SLOWER: Final = 1.1
"""How much longer the utterance is made for the second look."""


@dataclass(frozen=True, slots=True)
class Effort:
    """``width``: texts that are followed side by side. ``views``: ways in which the utterance is heard.

    ``again``: whether an unsure text is looked for again in slowed speech.
    """

    width: int
    views: int = 1
    again: bool = False


EFFORTS: Final[Mapping[Quality, Effort]] = {
    Quality.FAST: Effort(width=1),
    Quality.BALANCED: Effort(width=4, again=True),
    Quality.BEST: Effort(width=4, views=2, again=True),
}
"""See docs/decisions/0030 for what each buys. Wider beams than 4 were no better."""


def decode_final(graphs: Graphs, audio: Samples, quality: Quality, *, attention: bool, bias: Bias | None = None) -> Decoded:
    """The best tokens of int16 ``[n]``, with ``attention`` over its frames if that is wanted and known.

    ``bias`` needs two texts side by side at least, because a single one cannot take back what it preferred. The shipped graphs
    can only be greedy, whatever the quality, and without bias.
    """
    if len(audio) < SHORTEST_SPEECH:
        return SILENT
    if not isinstance(graphs, RebuiltGraphs):
        limit = token_limit(audio)
        encoding = graphs.hear(as_floats(np.pad(audio, _margin(audio) * FRAME)))
        (decoded,) = decode(graphs.begin([encoding], capacity=limit + 1), limits=[limit], drafts=[()])
        return decoded
    effort = EFFORTS[quality]
    if bias is not None:
        effort = replace(effort, width=max(effort.width, 2))
    searched = partial(_search, graphs, effort=effort, limit=token_limit(audio), attention=attention, bias=bias)
    decoded = searched(as_floats(audio), margin=_margin(audio))
    if effort.again and decoded.tokens and np.mean(decoded.log_probabilities) < UNSURE:
        other = searched(slowed(as_floats(audio)), margin=_margin(audio))
        if other.worth > decoded.worth:
            return replace(other, attention=_as_fast(other.attention, decoded.attention))
    return decoded


def slowed(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Float32 ``[n]`` as SLOWER times as many samples: the same spectrum, zeros above it."""
    length = round(len(audio) * SLOWER)
    return np.fft.irfft(np.fft.rfft(audio), length).astype(np.float32) * np.float32(length / len(audio))


def _search(
    graphs: RebuiltGraphs,
    audio: NDArray[np.float32],
    *,
    effort: Effort,
    margin: int,
    limit: int,
    attention: bool,
    bias: Bias | None,
) -> Decoded:
    """The best tokens of float32 ``[n]``, heard with ``margin`` frames of silence before and after, and in further views."""
    encodings = [graphs.hear(np.pad(audio, (margin + view * _BETWEEN_VIEWS) * FRAME)) for view in range(effort.views)]
    reader = graphs.begin_beam(encodings, width=effort.width, capacity=limit + 1, attention=attention)
    joint = reader if effort.views == 1 else JointReader(reader, views=effort.views)
    decoded = search(joint, width=effort.width, limit=limit, bias=bias)
    if decoded.attention is None:
        return decoded
    return replace(decoded, attention=decoded.attention[:, margin : encodings[0].frames - margin])


def _margin(audio: Samples) -> int:
    return MARGIN if len(audio) < ALONE else 0


def _as_fast(slow: NDArray[np.float32] | None, fast: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """``slow`` ``[n, t * SLOWER]`` over the frames of ``fast`` ``[m, t]``."""
    if slow is None or fast is None:
        return None
    frames = np.minimum(np.arange(fast.shape[1]) * SLOWER, slow.shape[1] - 1).astype(np.intp)
    return slow[:, frames]
