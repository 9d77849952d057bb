"""Moonshine tiny-en behind the Engine port."""

from __future__ import annotations

import math
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from starling.core.audio import SAMPLE_RATE, Samples, samples
from starling.core.errors import EngineFailed, ShuttingDown
from starling.core.ports import Capabilities, DecodeOutcome, EngineStream, StreamOptions
from starling.core.transcript import Hypothesis
from starling.engine.languages import match_language
from starling.engine.moonshine.decoding import Decoded, decode, without_loop
from starling.engine.moonshine.graphs import Decoder, Encoder, check_onnxruntime
from starling.engine.moonshine.tokens import Vocabulary, parse_pieces
from starling.engine.moonshine.weights import DECODER, SHA256, read_weights, wheel_folder
from starling.engine.stream import UtteranceStream

TOKENS_PER_SECOND = 6.5
"""Faster speech than this does not occur; a decode that gets there has begun to repeat itself."""

SHORTEST_SPEECH = samples(0.2)
"""Shorter utterances have no text: of speech, noise and silence alike the model makes a filler such as "You" there."""

CAPABILITIES = Capabilities(
    model="moonshine-tiny-en",
    model_version=SHA256[DECODER][:12],
    languages=("en",),
    word_times=False,
    confidence=True,
    max_utterance=30 * SAMPLE_RATE,
)

_FULL_SCALE = np.float32(1 / 32768)
_WARM_UP_LENGTHS = (SHORTEST_SPEECH, samples(4.0), samples(15.0))


@dataclass(frozen=True, slots=True)
class Model:
    """What is heavy and shared by all streams."""

    encoder: Encoder
    decoder: Decoder
    vocabulary: Vocabulary


def load_model(folder: Path | None = None) -> Model:
    """Load the model from ``folder``, by default the installed wheel's.

    Raises ModelUnavailable when a file is missing or not the expected one, or onnxruntime is of another version.
    """
    check_onnxruntime()
    weights = read_weights(wheel_folder() if folder is None else folder)
    return Model(Encoder(weights.encoder), Decoder(weights.decoder), Vocabulary(parse_pieces(weights.tokenizer)))


class MoonshineStream(UtteranceStream):
    """One utterance. ``draft``: the tokens of its last partial."""

    def __init__(self) -> None:
        super().__init__(limit=CAPABILITIES.max_utterance)
        self.draft: tuple[int, ...] = ()


class MoonshineEngine:
    """An Engine that encodes all of an utterance for each answer, and decodes what its last partial does not already say.

    Finals are decoded from scratch, so that they depend on the samples alone. Streams of a batch are served one after the other:
    the shipped decoder cannot batch streams of unequal length, and padding in the encoder gains nothing and changes texts.
    """

    def __init__(self, model: Model) -> None:
        self._model: Model | None = model

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def create_stream(self, options: StreamOptions) -> MoonshineStream:
        """A new utterance. Raises InvalidOption for a language other than English, ShuttingDown after ``close``."""
        self._open_model()
        match_language(options.language, CAPABILITIES.languages)
        return MoonshineStream()

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        """One answer per stream, in order. Raises ShuttingDown after ``close``."""
        model = self._open_model()
        return [_outcome(model, stream) for stream in streams]

    def warm_up(self) -> None:
        """Decode a short, a usual and a long utterance of noise, as partial and as final."""
        model = self._open_model()
        noise = np.random.default_rng(0)
        for length in _WARM_UP_LENGTHS:
            audio = noise.normal(0, 300, length).astype(np.int16)
            draft = _recognise(model, audio).tokens
            _recognise(model, audio, draft=draft)

    def close(self) -> None:
        self._model = None

    def _open_model(self) -> Model:
        if self._model is None:
            raise ShuttingDown("the engine is closed: create a new one")
        return self._model


def _outcome(model: Model, stream: EngineStream) -> DecodeOutcome:
    if not isinstance(stream, MoonshineStream):
        return EngineFailed(f"expected a stream of this engine, got a {type(stream).__name__}")
    try:
        return _hypothesis(model, stream)
    except Exception as error:  # noqa: BLE001 - whatever went wrong in one stream must not reach its batch mates
        # Neither the error's own message nor its frames go on: they may hold audio or text, and failures get logged.
        origin = traceback.extract_tb(error.__traceback__)[-1]
        return EngineFailed(f"decoding raised {type(error).__name__} in {origin.name}: the utterance has no text")


def _hypothesis(model: Model, stream: MoonshineStream) -> Hypothesis:
    snapshot = stream.snapshot()
    if snapshot.is_final:
        decoded = _recognise(model, snapshot.samples)
    else:
        decoded = without_loop(_recognise(model, snapshot.samples, draft=stream.draft))
        stream.draft = decoded.tokens
    return Hypothesis(
        text=model.vocabulary.text(decoded.tokens),
        end=len(snapshot.samples),
        confidence=decoded.confidence,
        language=CAPABILITIES.languages[0],
    )


def _recognise(model: Model, audio: Samples, *, draft: tuple[int, ...] = ()) -> Decoded:
    """The tokens of int16 ``[n]``."""
    if len(audio) < SHORTEST_SPEECH:
        return Decoded((), ())
    states = model.encoder.encode(audio.astype(np.float32) * _FULL_SCALE)
    limit = math.ceil(TOKENS_PER_SECOND * len(audio) / SAMPLE_RATE)
    return decode(model.decoder.begin(states), limit=limit, draft=draft)
