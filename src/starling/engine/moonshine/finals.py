"""How the final text of an utterance is found: how it is heard, and how hard is searched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from starling.core.audio import Samples, samples
from starling.core.config import Quality
from starling.engine.moonshine.beam import Bias, Search, search, search_together
from starling.engine.moonshine.decoding import SILENT, Decoded, decode
from starling.engine.moonshine.graphs import FRAME, Encoding, Graphs, as_floats, token_limit
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


MOST_ROWS: Final = 32
"""Rows of one pass. A row of 16 costs a third of one alone, a row of 32 hardly less than of 16."""

MOST_FRAMES: Final = 4096
"""Frames of all utterances of a pass (98 s), with those that fill up the shorter ones: 56 MB of keys and values."""

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


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is to be written down: int16 ``[n]``, how hard to search, and whether ``attention`` over its frames is wanted.

    ``bias`` needs two texts side by side at least, because a single one cannot take back what it preferred.
    """

    audio: Samples
    quality: Quality
    attention: bool = False
    bias: Bias | None = None

    @property
    def effort(self) -> Effort:
        effort = EFFORTS[self.quality]
        return effort if self.bias is None else replace(effort, width=max(effort.width, 2))


def decode_finals(graphs: Graphs, utterances: Sequence[Utterance]) -> list[Decoded]:
    """The best tokens of each, with attention over its frames if that is wanted and known. Who else is there changes nothing.

    The shipped graphs can only be greedy, whatever the quality, and without bias.
    """
    if not isinstance(graphs, RebuiltGraphs):
        return [_greedy(graphs, utterance.audio) for utterance in utterances]
    looks = {
        place: _Look(utterance, as_floats(utterance.audio))
        for place, utterance in enumerate(utterances)
        if len(utterance.audio) >= SHORTEST_SPEECH
    }
    found = dict(zip(looks, _search(graphs, list(looks.values())), strict=True))
    unsure = {
        place: _Look(utterances[place], slowed(looks[place].audio))
        for place, decoded in found.items()
        if utterances[place].effort.again and decoded.tokens and np.mean(decoded.log_probabilities) < UNSURE
    }
    for place, other in zip(unsure, _search(graphs, list(unsure.values())), strict=True):
        if other.worth > found[place].worth:
            found[place] = replace(other, attention=_as_fast(other.attention, found[place].attention))
    return [found.get(place, SILENT) for place in range(len(utterances))]


def slowed(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Float32 ``[n]`` as SLOWER times as many samples: the same spectrum, zeros above it."""
    length = round(len(audio) * SLOWER)
    return np.fft.irfft(np.fft.rfft(audio), length).astype(np.float32) * np.float32(length / len(audio))


@dataclass(frozen=True, slots=True)
class _Look:
    """An utterance as it is heard: float32 ``[n]``."""

    utterance: Utterance
    audio: NDArray[np.float32]

    @property
    def margin(self) -> int:
        return _margin(self.utterance.audio)

    @property
    def frames(self) -> int:
        """About as many as are heard."""
        return len(self.audio) // FRAME + 2 * self.margin

    @property
    def search(self) -> Search:
        utterance = self.utterance
        return Search(width=utterance.effort.width, limit=token_limit(utterance.audio), bias=utterance.bias)

    def heard(self, graphs: RebuiltGraphs, view: int = 0) -> Encoding:
        """With margins of silence before and after; further views have more."""
        return graphs.hear(np.pad(self.audio, (self.margin + view * _BETWEEN_VIEWS) * FRAME))

    def within(self, decoded: Decoded, encoding: Encoding) -> Decoded:
        """``decoded`` with attention over the utterance's own frames."""
        if decoded.attention is None:
            return decoded
        return replace(decoded, attention=decoded.attention[:, self.margin : encoding.frames - self.margin])


def _search(graphs: RebuiltGraphs, looks: Sequence[_Look]) -> list[Decoded]:
    """The best tokens of each, in as few passes as groups of them allow."""
    found: dict[int, Decoded] = {}
    for group in _groups(looks, shared=graphs.shared):
        together = [looks[place] for place in group]
        answers = [_search_views(graphs, *together)] if _alone(together[0]) else _search_group(graphs, together)
        found |= zip(group, answers, strict=True)
    return [found[place] for place in range(len(looks))]


def _groups(looks: Sequence[_Look], *, shared: bool) -> Iterator[list[int]]:
    """Places of looks that are searched together: of about one length, as frames that shorter ones lack are paid for."""
    kinds: defaultdict[tuple[int, int, bool], list[int]] = defaultdict(list)
    for place, look in enumerate(looks):
        if _alone(look) or not shared:
            yield [place]
        else:
            kinds[look.utterance.effort.width, look.search.candidates, look.utterance.attention].append(place)
    for (width, *_), places in kinds.items():
        places.sort(key=lambda place: looks[place].frames)
        while places:
            longest = looks[places[-1]].frames
            count = max(1, min(MOST_ROWS // width, MOST_FRAMES // longest))
            yield places[-count:]
            del places[-count:]


def _alone(look: _Look) -> bool:
    return look.utterance.effort.views > 1


def _search_group(graphs: RebuiltGraphs, looks: Sequence[_Look]) -> list[Decoded]:
    encodings = [look.heard(graphs) for look in looks]
    searches = [look.search for look in looks]
    capacity = max(token_limit(look.utterance.audio) for look in looks) + 1
    first = looks[0].utterance
    reader = graphs.begin_beam(encodings, width=first.effort.width, capacity=capacity, attention=first.attention)
    found = search_together(reader, searches)
    return [look.within(one, encoding) for look, one, encoding in zip(looks, found, encodings, strict=True)]


def _search_views(graphs: RebuiltGraphs, look: _Look) -> Decoded:
    utterance, effort = look.utterance, look.utterance.effort
    encodings = [look.heard(graphs, view) for view in range(effort.views)]
    limit = token_limit(utterance.audio)
    reader = graphs.begin_beam(encodings, width=effort.width, capacity=limit + 1, attention=utterance.attention)
    found = search(JointReader(reader, views=effort.views), width=effort.width, limit=limit, bias=utterance.bias)
    return look.within(found, encodings[0])


def _greedy(graphs: Graphs, audio: Samples) -> Decoded:
    if len(audio) < SHORTEST_SPEECH:
        return SILENT
    limit = token_limit(audio)
    encoding = graphs.hear(as_floats(np.pad(audio, _margin(audio) * FRAME)))
    (decoded,) = decode(graphs.begin([encoding], capacity=limit + 1), limits=[limit], drafts=[()])
    return decoded


def _margin(audio: Samples) -> int:
    return MARGIN if len(audio) < ALONE else 0


def _as_fast(slow: NDArray[np.float32] | None, fast: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """``slow`` ``[n, t * SLOWER]`` over the frames of ``fast`` ``[m, t]``."""
    if slow is None or fast is None:
        return None
    frames = np.minimum(np.arange(fast.shape[1]) * SLOWER, slow.shape[1] - 1).astype(np.intp)
    return slow[:, frames]
