"""The two graphs of Moonshine as they are shipped, run by onnxruntime on one thread.

The encoder turns audio into one state per 24 ms. The decoder reads tokens and says, after each, how likely every token is next;
it keeps keys and values of what it has read, so that a token more costs one short pass. Its int8 matrix products take their scale
from everything in a pass, so reading tokens together gives slightly other numbers than reading them one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession  # type: ignore[attr-defined]  # it exports it without saying so

from starling.core.audio import Samples
from starling.engine.moonshine.decoding import Choices
from starling.engine.moonshine.graphs import Encoding, as_floats
from starling.engine.moonshine.hearing import Echoes
from starling.engine.moonshine.runtime import open_session

_LAYERS = 6
_HEADS = 8
_HEAD_SIZE = 36

_SELF = [f"{layer}.decoder.{part}" for layer in range(_LAYERS) for part in ("key", "value")]
_CROSS = [f"{layer}.encoder.{part}" for layer in range(_LAYERS) for part in ("key", "value")]
_PRESENT_SELF = [f"present.{name}" for name in _SELF]
_PRESENT_CROSS = [f"present.{name}" for name in _CROSS]
_PAST_SELF = [f"past_key_values.{name}" for name in _SELF]
_PAST_CROSS = [f"past_key_values.{name}" for name in _CROSS]

_NO_PAST = np.zeros((1, _HEADS, 1, _HEAD_SIZE), np.float32)
_FIRST = np.array([False])
_FURTHER = np.array([True])
_ALL_STATES = np.ones((1, 1), np.int64)


class ShippedGraphs:
    """Encoder and decoder as shipped; ``encoder`` and ``decoder`` are the bytes of their files. They decode one row at a time."""

    batch_size = 1

    def __init__(self, encoder: bytes, decoder: bytes) -> None:
        self._encoder = Encoder(encoder)
        self._decoder = open_session(decoder)

    def hear(self, audio: Samples | NDArray[np.float32], echoes: Echoes | None = None) -> Encoding:  # noqa: ARG002 - all anew
        """Encode ``audio``, int16 ``[n]``, or float32 from -1 to 1, n >= SHORTEST."""
        states = self._encoder.encode(as_floats(audio))
        return Encoding((states,), states.shape[1])

    def begin(self, encodings: Sequence[Encoding], *, capacity: int) -> Transcription:  # noqa: ARG002 - it grows by itself
        """Start to write down the one utterance that was heard."""
        (encoding,) = encodings
        return Transcription(self._decoder, encoding.arrays[0])


class Encoder:
    """An encoder graph. ``model``: the bytes of its file."""

    def __init__(self, model: bytes) -> None:
        self._session = open_session(model)

    def encode(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """States of ``audio`` (float32 ``[n]``, -1 to 1, n >= SHORTEST): float32 ``[1, t, 288]``, one for each FRAME."""
        batch = audio[np.newaxis]
        mask = np.ones(batch.shape, np.int64)
        (states,) = _run(self._session, ["last_hidden_state"], {"input_values": batch, "attention_mask": mask})
        return states


class Transcription:
    """The tokens read so far over one encoding, as the keys and values that the decoder made of them."""

    def __init__(self, session: InferenceSession, states: NDArray[np.float32]) -> None:
        self._session = session
        self._feeds: dict[str, NDArray[Any]] = {"encoder_attention_mask": _ALL_STATES, "encoder_hidden_states": states}
        self._started = False

    def read(self, rows: Sequence[Sequence[int]], *, choices: int = 1) -> Choices:  # noqa: ARG002 - one is all it says
        """Read the tokens of the one row (at least one) after those before, in one pass. Gives the best choice after each."""
        (tokens,) = rows
        self._feeds["input_ids"] = np.array([tokens], np.int64)
        logits = self._further() if self._started else self._first()
        peaks = logits.max(axis=-1, keepdims=True)
        log_probabilities = -np.log(np.exp(logits - peaks).sum(axis=-1, keepdims=True))
        return Choices(logits.argmax(axis=-1, keepdims=True), log_probabilities)

    def rewind(self, row: int, length: int) -> None:  # noqa: ARG002 - there is but one
        """Forget all but the first ``length`` tokens."""
        for name in _PAST_SELF:
            self._feeds[name] = self._feeds[name][:, :, :length]

    def _first(self) -> NDArray[np.float32]:
        """The first pass also makes keys and values of the encoder's states, which serve all later ones."""
        feeds = self._feeds | dict.fromkeys(_PAST_SELF + _PAST_CROSS, _NO_PAST)
        feeds["use_cache_branch"] = _FIRST
        logits, *present = _run(self._session, ["logits", *_PRESENT_SELF, *_PRESENT_CROSS], feeds)
        self._feeds |= dict(zip(_PAST_SELF + _PAST_CROSS, present, strict=True))
        self._feeds["use_cache_branch"] = _FURTHER
        self._started = True
        return logits

    def _further(self) -> NDArray[np.float32]:
        logits, *present = _run(self._session, ["logits", *_PRESENT_SELF], self._feeds)
        self._feeds |= dict(zip(_PAST_SELF, present, strict=True))
        return logits


def _run(session: InferenceSession, outputs: list[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
    return cast("list[NDArray[np.float32]]", session.run(outputs, feeds))
