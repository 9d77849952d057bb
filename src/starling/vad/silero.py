"""Silero v6 over many listeners at once.

Scores are the same bits whoever shares the batch and however frames are cut into calls: matrix products accumulate each row on
its own, in the same order for any number of rows. Tests hold ragged batches of 1 to 259 listeners to that, and one listener to
the scores of the shipped graph but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]  # it exports them without saying so

from starling.core.audio import FRAME, Frames
from starling.core.ports import Probabilities
from starling.vad.silero_graph import STATE, build
from starling.vad.silero_weights import read_silero, silero_path, widen

Floats: TypeAlias = NDArray[np.float32]

CONTEXT = 64
"""Samples before a frame that the network sees with it."""

RUN_FRAMES = 256
"""Most frames in one run of the graph: bounds its memory to a few MB; larger runs are not faster."""

ROUNDING = 1e-4
"""What scores and states may differ by from the shipped graph's; 2e-6 was seen."""

_CHECKED = 32
"""Frames that are scored by both graphs before the rebuilt one serves."""


class SileroState:
    """What Silero remembers of one listener: its LSTM state and the last samples it heard."""

    __slots__ = ("c", "context", "h")

    def __init__(self) -> None:
        self.h = np.zeros(STATE, np.float32)
        self.c = np.zeros(STATE, np.float32)
        self.context = np.zeros(CONTEXT, np.float32)


class Silero:
    """The network, on one thread. Raises ModelUnavailable when its weights are missing or of another version.

    ``rebuilt``: whether the graph that was rebuilt for many frames serves; the shipped one does if that scores another way.
    """

    def __init__(self, path: Path | None = None) -> None:
        shipped = read_silero(path or silero_path())
        self._session = _opened(build(shipped))
        widened = _opened(widen(shipped))
        self.rebuilt = _agree(self._session, widened)  # which also is the first run, that no listener should wait for
        if not self.rebuilt:
            self._session = widened

    def score(self, batch: Sequence[tuple[SileroState, Frames]]) -> list[Probabilities]:
        """The probability of speech in each frame of each listener. Listeners may have different numbers of frames.

        No listener's state changes unless all are scored.
        """
        windows = [_windows(state.context, frames) for state, frames in batch]
        # The longest first: at any step those who still have frames are the first ``alive`` columns.
        order = sorted(range(len(batch)), key=lambda i: -len(windows[i]))
        scores = [np.empty(len(window), np.float32) for window in windows]
        h = np.array([[batch[i][0].h for i in order]])
        c = np.array([[batch[i][0].c for i in order]])
        alive, start = len(order), 0
        while alive:
            end = min(len(windows[order[alive - 1]]), start + max(1, RUN_FRAMES // alive))
            steps = np.stack([windows[i][start:end] for i in order[:alive]], axis=1)
            inputs = {"input": steps.reshape(-1, CONTEXT + FRAME), "h": h[:, :alive], "c": c[:, :alive]}
            told, h[:, :alive], c[:, :alive] = map(np.asarray, self._session.run(None, inputs))
            for column, i in enumerate(order[:alive]):
                scores[i][start:end] = told[column::alive]
            start = end
            while alive and len(windows[order[alive - 1]]) == start:
                alive -= 1
        for column, i in enumerate(order):
            state = batch[i][0]
            state.h, state.c, state.context = h[0, column].copy(), c[0, column].copy(), windows[i][-1, -CONTEXT:].copy()
        return scores


def _windows(context: Floats, frames: Frames) -> Floats:
    """Each frame after the samples before it: float32 ``[t, 576]``, -1 to 1."""
    windows = np.empty((len(frames), CONTEXT + FRAME), np.float32)
    windows[:, CONTEXT:] = frames
    windows[:, CONTEXT:] *= np.float32(1 / 32768)
    windows[0, :CONTEXT] = context
    windows[1:, :CONTEXT] = windows[:-1, -CONTEXT:]
    return windows


def _opened(graph: bytes) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _agree(rebuilt: InferenceSession, shipped: InferenceSession) -> bool:
    """Whether two listeners' noise leads both to the same scores and states, but for rounding."""
    noise = np.random.default_rng(0).normal(0, 0.1, (_CHECKED, CONTEXT + FRAME)).astype(np.float32)
    inputs = {"input": noise, "h": np.zeros((1, 2, STATE), np.float32), "c": np.zeros((1, 2, STATE), np.float32)}
    pairs = zip(rebuilt.run(None, inputs), shipped.run(None, inputs), strict=True)
    return all(np.allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=ROUNDING) for ours, theirs in pairs)
