"""Moonshine tiny-en behind the Engine port."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from starling.core.audio import SAMPLE_RATE, samples
from starling.core.config import Quality
from starling.core.errors import EngineFailed, ShuttingDown
from starling.core.languages import match_language
from starling.core.ports import Capabilities, DecodeOutcome, EngineStream, StreamOptions
from starling.core.transcript import Hypothesis, Word
from starling.engine.moonshine.decoding import Decoded
from starling.engine.moonshine.finals import SHORTEST_SPEECH, Utterance, decode_finals
from starling.engine.moonshine.hotwords import HotWordCache, HotWords
from starling.engine.moonshine.model import Model, Provenance, Source, load_model
from starling.engine.moonshine.options import MoonshineOptions
from starling.engine.moonshine.partials import Progress, follow
from starling.engine.moonshine.rebuilt import RebuiltGraphs
from starling.engine.moonshine.weights import DECODER, SHA256
from starling.engine.moonshine.words import words_of
from starling.engine.stream import Snapshot, UtteranceStream

LANGUAGES = ("en",)
MAX_UTTERANCE = 30 * SAMPLE_RATE

DEFAULTS = MoonshineOptions()

_WARM_UP_LENGTHS: tuple[int, ...] = (SHORTEST_SPEECH, samples(1.5))
"""Samples. Every utterance begins short, so nobody meets a first decode of a long one: 15 s cost 1.3 s of CPU at each start, and
took a tenth off the first answer to 14 s, as pages for it are there then."""


class MoonshineStream(UtteranceStream):
    """One utterance, and what its partials found out."""

    def __init__(self, options: StreamOptions) -> None:
        super().__init__(limit=MAX_UTTERANCE)
        self.options = options
        self.progress = Progress()


class MoonshineEngine:
    """An Engine that hears for each answer what is new, encodes all, and decodes what its last partial does not already say.

    Finals are decoded from scratch and alone, so that they depend on the samples only, by a search as hard as the stream's
    quality asks. Partials are decoded greedily, and share passes of the decoder where that cannot change their text.
    The shipped graphs know no search, no hot words and no word times. ``provenance``: which graphs serve, and why.
    """

    def __init__(self, model: Model) -> None:
        self._model: Model | None = model
        self.provenance: Provenance = model.provenance
        self._hotwords = HotWordCache(model.vocabulary)
        rebuilt = isinstance(model.graphs, RebuiltGraphs)
        self._capabilities = Capabilities(
            model="moonshine-tiny-en",
            model_version=_version(model.provenance),
            languages=LANGUAGES,
            word_times=rebuilt,
            hotwords=rebuilt,
            confidence=True,
            max_utterance=MAX_UTTERANCE,
            batch_size=model.graphs.batch_size,
            shortfall=model.provenance.reason,
        )

    @classmethod
    def load(cls, options: MoonshineOptions = DEFAULTS) -> MoonshineEngine:
        """The embedded model, run as ``options`` say. Raises ModelUnavailable as ``load_model`` does."""
        return cls(load_model(precision=options.precision))

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def create_stream(self, options: StreamOptions) -> MoonshineStream:
        """A new utterance. Raises InvalidOption for a language other than English, ShuttingDown after ``close``."""
        self._open_model()
        match_language(options.language, LANGUAGES)
        return MoonshineStream(options)

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        """One answer per stream, in order. Raises ShuttingDown after ``close``."""
        model = self._open_model()
        outcomes: dict[int, DecodeOutcome] = {}
        finals: list[tuple[int, MoonshineStream, Snapshot]] = []
        partials: list[tuple[int, MoonshineStream, Snapshot]] = []
        for place, stream in enumerate(streams):
            if not isinstance(stream, MoonshineStream):
                outcomes[place] = EngineFailed(f"expected a stream of this engine, got a {type(stream).__name__}")
                continue
            snapshot = stream.snapshot()
            if snapshot.is_final:
                stream.progress = Progress()
                finals.append((place, stream, snapshot))
            else:
                partials.append((place, stream, snapshot))
        if finals:
            places, batch, snapshots = zip(*finals, strict=True)
            outcomes |= zip(places, self._finals(model, batch, snapshots), strict=True)
        for start in range(0, len(partials), model.graphs.batch_size):
            places, batch, snapshots = zip(*partials[start : start + model.graphs.batch_size], strict=True)
            outcomes |= zip(places, _partials(model, batch, snapshots), strict=True)
        return [outcomes[place] for place in range(len(streams))]

    def warm_up(self) -> None:
        """Decode utterances of noise as short as the first partials are, as partial and as final."""
        model = self._open_model()
        noise = np.random.default_rng(0)
        for length in _WARM_UP_LENGTHS:
            audio = noise.normal(0, 300, length).astype(np.int16)
            for quality in Quality:
                (decoded,) = decode_finals(model.graphs, [Utterance(audio, quality, attention=True)])
            follow(model.graphs, [audio], [Progress(draft=decoded.tokens)])

    def close(self) -> None:
        self._model = None

    def _finals(self, model: Model, streams: Sequence[MoonshineStream], snapshots: Sequence[Snapshot]) -> list[DecodeOutcome]:
        try:
            biases = [self._bias(stream.options) for stream in streams]
            found = decode_finals(
                model.graphs,
                [
                    Utterance(snapshot.samples, stream.options.quality, attention=stream.options.words, bias=bias)
                    for stream, snapshot, bias in zip(streams, snapshots, biases, strict=True)
                ],
            )
            return [
                _final(model, snapshot, decoded, stream.options, bias)
                for stream, snapshot, decoded, bias in zip(streams, snapshots, found, biases, strict=True)
            ]
        except Exception as error:  # noqa: BLE001 - whatever went wrong in one stream must not reach its batch mates
            if len(streams) == 1:
                return [_failure(error)]
            return [
                outcome
                for stream, snapshot in zip(streams, snapshots, strict=True)
                for outcome in self._finals(model, [stream], [snapshot])
            ]

    def _bias(self, options: StreamOptions) -> HotWords | None:
        return self._hotwords.get(options.hotwords) if options.hotwords and self._capabilities.hotwords else None

    def _open_model(self) -> Model:
        if self._model is None:
            raise ShuttingDown("the engine is closed: create a new one")
        return self._model


def _version(provenance: Provenance) -> str:
    """Which weights, in which numbers, and whether the shipped graphs had to serve."""
    fallback = "-shipped" if provenance.source is Source.SHIPPED else ""
    return f"{SHA256[DECODER][:12]}-{provenance.precision}{fallback}"


def _final(model: Model, snapshot: Snapshot, decoded: Decoded, options: StreamOptions, bias: HotWords | None) -> Hypothesis:
    words = words_of(model.vocabulary, decoded, snapshot.samples) if options.words else ()
    hypothesis = _hypothesis(model, snapshot, decoded, words)
    return hypothesis if bias is None else replace(hypothesis, hotwords=bias.count(decoded.tokens))


def _partials(model: Model, streams: Sequence[MoonshineStream], snapshots: Sequence[Snapshot]) -> list[DecodeOutcome]:
    try:
        answers = follow(model.graphs, [snapshot.samples for snapshot in snapshots], [stream.progress for stream in streams])
        return [
            _hypothesis(
                model,
                snapshot,
                answer,
                words_of(model.vocabulary, answer, snapshot.samples, rough=not stream.options.partial_words),
            )
            for stream, snapshot, answer in zip(streams, snapshots, answers, strict=True)
        ]
    except Exception as error:  # noqa: BLE001 - as above
        if len(streams) == 1:
            return [_failure(error)]
        return [
            outcome
            for stream, snapshot in zip(streams, snapshots, strict=True)
            for outcome in _partials(model, [stream], [snapshot])
        ]


def _failure(error: Exception) -> EngineFailed:
    """Neither the error's own message nor its frames go on: they may hold audio or text, and failures get logged."""
    origin = traceback.extract_tb(error.__traceback__)[-1]
    return EngineFailed(f"decoding raised {type(error).__name__} in {origin.name}: the utterance has no text")


def _hypothesis(model: Model, snapshot: Snapshot, decoded: Decoded, words: tuple[Word, ...] = ()) -> Hypothesis:
    return Hypothesis(
        text=model.vocabulary.text(decoded.tokens),
        end=len(snapshot.samples),
        confidence=decoded.confidence,
        language=LANGUAGES[0],
        words=words,
    )
