"""The two graphs of Moonshine as they are shipped, run by onnxruntime on one thread.

The encoder turns audio into one state per 24 ms. The decoder reads tokens and says, after each, how likely every token is next;
it keeps keys and values of what it has read, so that a token more costs one short pass. Its int8 matrix products take their scale
from everything in a pass, so reading tokens together gives slightly other numbers than reading them one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]  # it exports them without saying so

from starling.core.errors import ModelUnavailable

ONNXRUNTIME = "1.23.2"
"""The version the model's texts were measured with. The int8 kernels of others round differently: 2 of 32 texts changed."""

SHORTEST = 895
"""Fewer samples than this (56 ms) leave nothing after the encoder's three strided convolutions."""

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

Logits: TypeAlias = NDArray[np.float32]
"""Unnormalised log-probabilities, float32 ``[n, vocabulary]``: row i is about the token after the i-th that was read."""


def check_onnxruntime() -> None:
    """Raises ModelUnavailable for another onnxruntime than the one the model was measured with.

    This is a refusal and not a warning: hosts of one installation must agree on a text, and nobody reads warnings.
    """
    if onnxruntime.__version__ != ONNXRUNTIME:
        raise ModelUnavailable(
            f"expected onnxruntime {ONNXRUNTIME}, found {onnxruntime.__version__}, which gives other texts: "
            f"pip install onnxruntime=={ONNXRUNTIME}"
        )


class Encoder:
    """The encoder graph. ``model``: the bytes of the file."""

    def __init__(self, model: bytes) -> None:
        self._session = _session(model)

    def encode(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """States of ``audio`` (float32 ``[n]``, -1 to 1, n >= SHORTEST): float32 ``[1, t, 288]``, one for each 384 samples."""
        batch = audio[np.newaxis]
        mask = np.ones(batch.shape, np.int64)
        (states,) = _run(self._session, ["last_hidden_state"], {"input_values": batch, "attention_mask": mask})
        return states


class Decoder:
    """The decoder graph. ``model``: the bytes of the file."""

    def __init__(self, model: bytes) -> None:
        self._session = _session(model)

    def begin(self, states: NDArray[np.float32]) -> Transcription:
        """Start to write down what the encoder heard: ``states`` float32 ``[1, t, 288]``."""
        return Transcription(self._session, states)


class Transcription:
    """The tokens read so far over one encoding, as the keys and values that the decoder made of them."""

    def __init__(self, session: InferenceSession, states: NDArray[np.float32]) -> None:
        self._session = session
        self._feeds: dict[str, NDArray[Any]] = {"encoder_attention_mask": _ALL_STATES, "encoder_hidden_states": states}
        self._started = False

    def read(self, tokens: Sequence[int]) -> Logits:
        """Read ``tokens`` (at least one) after those before, in one pass. Returns a row for each."""
        self._feeds["input_ids"] = np.array([tokens], np.int64)
        return self._further() if self._started else self._first()

    def rewind(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        for name in _PAST_SELF:
            self._feeds[name] = self._feeds[name][:, :, :length]

    def _first(self) -> Logits:
        """The first pass also makes keys and values of the encoder's states, which serve all later ones."""
        feeds = self._feeds | dict.fromkeys(_PAST_SELF + _PAST_CROSS, _NO_PAST)
        feeds["use_cache_branch"] = _FIRST
        logits, *present = _run(self._session, ["logits", *_PRESENT_SELF, *_PRESENT_CROSS], feeds)
        self._feeds |= dict(zip(_PAST_SELF + _PAST_CROSS, present, strict=True))
        self._feeds["use_cache_branch"] = _FURTHER
        self._started = True
        return logits.reshape(logits.shape[1:])

    def _further(self) -> Logits:
        logits, *present = _run(self._session, ["logits", *_PRESENT_SELF], self._feeds)
        self._feeds |= dict(zip(_PAST_SELF, present, strict=True))
        return logits.reshape(logits.shape[1:])


def _run(session: InferenceSession, outputs: list[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
    return cast("list[NDArray[np.float32]]", session.run(outputs, feeds))


def _session(model: bytes) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # it keeps a plan for each length of audio it ever saw
    options.log_severity_level = 4  # an error reaches the caller as an exception; onnxruntime would also print it
    return InferenceSession(model, options, providers=["CPUExecutionProvider"])
