"""The deterministic twin of an engine: no model, and a text that anyone can compute again from the samples."""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from starling.core.audio import SAMPLE_RATE, Samples
from starling.core.errors import EngineFailed, ShuttingDown
from starling.core.hotwords import HotWord
from starling.core.languages import match_language
from starling.core.ports import Capabilities, DecodeOutcome, EngineStream, StreamOptions
from starling.core.transcript import Hypothesis, Word
from starling.engine.stream import UtteranceStream

BLOCK = SAMPLE_RATE // 4
"""Samples that become one word."""

SILENCE_PEAK = 64
"""A block whose absolute peak is below this has no word."""

VOCABULARY = (
    "amber", "anchor", "apple", "april", "arrow", "autumn", "basket", "bridge", "butter", "candle", "canyon", "carbon",
    "cedar", "circle", "copper", "cotton", "dancer", "desert", "dolphin", "eagle", "ember", "engine", "falcon",
    "feather", "fiddle", "forest", "garden", "ginger", "granite", "hammer", "harbor", "hazel", "island", "ivory",
    "jasmine", "jungle", "kettle", "ladder", "lantern", "lemon", "marble", "meadow", "mirror", "nickel", "ocean",
    "orchard", "paper", "pepper", "pilot", "planet", "quartz", "rabbit", "river", "saddle", "silver", "spider",
    "starling", "summer", "timber", "tunnel", "velvet", "violin", "walnut", "winter",
)  # fmt: skip


def scripted_words(samples: Samples) -> Iterator[Word]:
    """The words of int16 ``[n]``: one for each block of 0.25 s that is not silent, chosen by a checksum of the block.

    More audio makes the text longer and changes only the word of the last, unfinished block: partials grow as those of a real
    engine do. Positions count from the start of ``samples``; the confidence of a word is between 0.5 and 1.
    """
    for start in range(0, len(samples), BLOCK):
        block = samples[start : start + BLOCK]
        if np.abs(block.astype(np.int32)).max() < SILENCE_PEAK:
            continue
        checksum = zlib.crc32(block.astype("<i2").tobytes())
        confidence = 0.5 + (checksum >> 16) / 0x1FFFF
        yield Word(VOCABULARY[checksum % len(VOCABULARY)], start, start + len(block), confidence)


def scripted_text(samples: Samples) -> str:
    """What ScriptedEngine answers for int16 ``[n]``."""
    return " ".join(word.text for word in scripted_words(samples))


def _present(hotwords: Sequence[HotWord], words: Sequence[Word]) -> int:
    """How many of ``hotwords`` (single words, in lower case) are among ``words``."""
    said = {word.text for word in words}
    return sum(hotword.phrase in said for hotword in hotwords)


@dataclass(slots=True)
class Tally:
    """What was asked of a ScriptedEngine so far."""

    streams: int = 0
    batches: int = 0
    decodes: int = 0
    finals: int = 0
    largest_batch: int = 0
    warm_ups: int = 0


class ScriptedStream(UtteranceStream):
    """One utterance. ``ordinal``: how many streams its engine made before it."""

    def __init__(self, *, limit: int, ordinal: int, options: StreamOptions, language: str) -> None:
        super().__init__(limit=limit)
        self.ordinal = ordinal
        self.options = options
        self.language = language


class ScriptedEngine:
    """An Engine whose text is ``scripted_text`` of the samples.

    ``failing``: the streams, counted from 0 in the order of their creation, whose decodes fail. ``tally`` counts what was asked.
    ``max_utterance`` is in samples.
    """

    def __init__(
        self, *, failing: Container[int] = (), languages: tuple[str, ...] = ("en",), max_utterance: int = 30 * SAMPLE_RATE
    ) -> None:
        self.tally = Tally()
        self.closed = False
        self._failing = failing
        self._capabilities = Capabilities(
            model="scripted",
            model_version="1",
            languages=languages,
            word_times=True,
            confidence=True,
            hotwords=True,
            max_utterance=max_utterance,
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def create_stream(self, options: StreamOptions) -> ScriptedStream:
        """A new utterance. Raises InvalidOption for another language, ShuttingDown after ``close``."""
        self._check_open()
        language = match_language(options.language, self._capabilities.languages)
        stream = ScriptedStream(
            limit=self._capabilities.max_utterance, ordinal=self.tally.streams, options=options, language=language
        )
        self.tally.streams += 1
        return stream

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        """One answer per stream, in order. Raises ShuttingDown after ``close``."""
        self._check_open()
        self.tally.batches += 1
        self.tally.decodes += len(streams)
        self.tally.largest_batch = max(self.tally.largest_batch, len(streams))
        return [self._decode(stream) for stream in streams]

    def warm_up(self) -> None:
        self._check_open()
        self.tally.warm_ups += 1

    def close(self) -> None:
        self.closed = True

    def _decode(self, stream: EngineStream) -> DecodeOutcome:
        if not isinstance(stream, ScriptedStream):
            return EngineFailed(f"expected a stream of this engine, got a {type(stream).__name__}")
        if stream.ordinal in self._failing:
            return EngineFailed(f"stream {stream.ordinal} fails, as it was told to")
        snapshot = stream.snapshot()
        self.tally.finals += snapshot.is_final
        words = tuple(scripted_words(snapshot.samples))
        return Hypothesis(
            text=" ".join(word.text for word in words),
            end=len(snapshot.samples),
            confidence=min((word.confidence for word in words if word.confidence is not None), default=None),
            language=stream.language,
            words=words if stream.options.words or not snapshot.is_final else (),
            hotwords=_present(stream.options.hotwords, words) if stream.options.hotwords and snapshot.is_final else None,
        )

    def _check_open(self) -> None:
        if self.closed:
            raise ShuttingDown("the engine is closed: create a new one")
