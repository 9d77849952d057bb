"""Hot words as an automaton over tokens, which a search walks along with each of its hypotheses.

This is contextual biasing by shallow fusion (Zhao et al. 2019, "Shallow-Fusion End-to-End Contextual Biasing"), with the
automaton of Aho and Corasick (1975) as in the ContextGraph of icefall and sherpa-onnx: each token inside of a phrase adds a bonus
to a hypothesis, and what a phrase had added is taken back when the text goes on otherwise. Unlike there, a phrase is said only
when its last word ends with it, so that "cat" gains nothing in "catalogue".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from starling.core.hotwords import HotWord
from starling.engine.moonshine.tokens import END, Vocabulary

BONUS = 1.5
"""What each token of a phrase of weight 1 adds to the log-probability of a text."""

ROOT = 0
"""The state of a text that is inside of no phrase."""

_LAST = 32
_NODE = (1 << _LAST) - 1
"""A state holds the node where it is in the lower bits, and above them the phrase that was said just before, plus one, or 0."""

_Edge: TypeAlias = tuple[int, int, int]
"""The node before, the token, the node after."""


class HotWords:
    """The automaton of ``words``; its states are integers from ROOT on.

    A phrase that is said twice in a row counts once: else a text could gain by saying nothing else up to its limit, as this model
    is inclined to anyway.

    Words count as written, in lower case, with capitals at their beginnings and in capitals, each also with an s; what else may
    follow a word, such as an apostrophe, ends it anyway.
    """

    def __init__(self, words: Sequence[HotWord], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._edges: dict[tuple[int, int], int] = {}
        self._gain = [0.0]
        self._phrase = [-1]
        """Which phrase is complete in a state, or -1."""
        layers: list[list[_Edge]] = []
        for number, word in enumerate(words):
            for spelling in spellings(word.phrase):
                self._add(number, vocabulary.encode(spelling), BONUS * word.weight, layers)
        self._pending = [0.0] * len(self._gain)
        """What a state's path has added and is not yet certain: all but the phrases that are complete on it."""
        self._value = [0.0] * len(self._gain)
        """What a state's path has added in all."""
        self._fallback = [ROOT] * len(self._gain)
        """The state of the longest end of a state's path that begins a phrase itself, within what is pending."""
        self._link(layers)

    def __len__(self) -> int:
        return len(self._gain)

    def step(self, state: int, token: int) -> tuple[float, int]:
        """What ``token`` adds to a text in ``state``, and the state after it."""
        node, last = state & _NODE, state >> _LAST
        added, after = self._walk(node, token)
        if self._vocabulary.ends_word(token):
            complete = self._complete(node)
            if complete != ROOT:
                phrase = self._phrase[complete] + 1
                if phrase == last:
                    added -= self._value[complete]
                last = phrase
        if after == ROOT and self._vocabulary.is_within_words(token):
            last = 0
        return added, after | last << _LAST

    def finish(self, state: int) -> float:
        """What the end of the text adds to one in ``state``: zero or less."""
        return self.step(state, END)[0]

    def count(self, tokens: Iterable[int]) -> int:
        """How many of the phrases a text of ``tokens`` has."""
        said: set[int] = set()
        state = ROOT
        for token in (*tokens, END):
            complete = self._complete(state) if self._vocabulary.ends_word(token) else ROOT
            if complete != ROOT:
                said.add(self._phrase[complete])
            _, state = self._walk(state, token)
        return len(said)

    def _walk(self, state: int, token: int) -> tuple[float, int]:
        """``step``, wherever the text comes from."""
        after = self._edges.get((state, token))
        if after is not None:
            return self._gain[after], after
        if state == ROOT:
            return 0.0, ROOT
        return self._leave(state, token)

    def _complete(self, state: int) -> int:
        """The state of the longest phrase with which the path of ``state`` ends, or ROOT."""
        while state != ROOT and self._phrase[state] < 0:
            state = self._fallback[state]
        return state

    def _leave(self, state: int, token: int) -> tuple[float, int]:
        """What ``token`` adds where it does not go on in ``state``, and the state after it.

        The longest end of the path that goes on, or is complete, is kept; what came before it is taken back.
        """
        ends_word = self._vocabulary.ends_word(token)
        back, lost = state, 0.0
        while back != ROOT:
            if (after := self._edges.get((back, token))) is not None:
                return self._value[after] - lost, after
            if ends_word and self._phrase[back] >= 0:
                lost -= self._value[back] if back != state else 0.0
                break
            if back == state:
                lost = self._pending[state]
            back = self._fallback[back]
        after = self._edges.get((ROOT, token), ROOT)
        return self._gain[after] - lost, after

    def _add(self, phrase: int, tokens: Sequence[int], gain: float, layers: list[list[_Edge]]) -> None:
        """Add a phrase's way to the edges, and the new ones of them to ``layers``, by how far from the root they begin."""
        edges, gains = self._edges, self._gain
        state = ROOT
        for depth, token in enumerate(tokens):
            after = edges.get((state, token))
            if after is None:
                after = edges[state, token] = len(gains)
                gains.append(gain)
                self._phrase.append(-1)
                if depth == len(layers):
                    layers.append([])
                layers[depth].append((state, token, after))
            elif gains[after] < gain:
                gains[after] = gain
            state = after
        if self._phrase[state] < 0:
            self._phrase[state] = phrase

    def _link(self, layers: Sequence[Sequence[_Edge]]) -> None:
        """Fill in what depends on whole paths, the shorter ones first."""
        pending, value, ends_word = self._pending, self._value, self._vocabulary.ends_word
        depth, open_depth = [0] * len(self._gain), [0] * len(self._gain)
        for length, layer in enumerate(layers, 1):
            for state, token, after in layer:
                complete = self._complete(state) if ends_word(token) else ROOT
                depth[after] = length
                open_depth[after] = 1 if complete != ROOT else open_depth[state] + 1
                certain = pending[state] if complete == state else value[complete]
                pending[after] = self._gain[after] + pending[state] - certain
                value[after] = self._gain[after] + value[state]
                if state != ROOT:
                    self._fallback[after] = self._fall(state, token, open_depth[after], depth)

    def _fall(self, state: int, token: int, longest: int, depth: Sequence[int]) -> int:
        back = self._fallback[state]
        while back != ROOT and (back, token) not in self._edges:
            back = self._fallback[back]
        found = self._edges.get((back, token), ROOT)
        while depth[found] > longest:
            found = self._fallback[found]
        return found


class HotWordCache:
    """Automata of the lists of hot words that were used last, in up to ``room`` states (about 220 bytes each) together.

    Sessions keep their lists for many utterances, and a list of a thousand takes some tenth of a second.
    """

    def __init__(self, vocabulary: Vocabulary, *, room: int = 300_000) -> None:
        self._vocabulary = vocabulary
        self._room = room
        self._kept: OrderedDict[tuple[HotWord, ...], HotWords] = OrderedDict()

    def get(self, words: tuple[HotWord, ...]) -> HotWords:
        """The automaton of ``words``."""
        found = self._kept.pop(words, None) or HotWords(words, self._vocabulary)
        self._kept[words] = found
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._room:
            self._kept.popitem(last=False)
        return found


def spellings(phrase: str) -> set[str]:
    """How ``phrase`` may be written."""
    words = phrase.split()
    cases = {phrase, phrase.lower(), " ".join(word[:1].upper() + word[1:] for word in words), phrase.upper()}
    cases |= {" ".join(word[:1].upper() + word[1:].lower() for word in words)}
    plural = {f"{case}s" for case in cases if case[-1].isalpha() and case[-1] not in "sS"}
    return cases | plural
