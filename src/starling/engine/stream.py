"""The audio of one utterance: appended on one thread, decoded from on another, bounded."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from starling.core.audio import SAMPLE_RATE, Samples, seconds
from starling.core.errors import ClientError, IllegalTransition, UnsupportedAudio

_FIRST_CAPACITY = 4 * SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one decode works on: ``samples`` (int16 ``[n]``, read-only), and whether they are all there will be."""

    samples: Samples
    is_final: bool


class UtteranceStream:
    """An EngineStream that keeps its audio, up to ``limit`` samples, for decodes that read all of it anew.

    Engines subclass it to add what they remember between decodes. Appending and taking snapshots may happen on different threads.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._buffer = np.empty(min(_FIRST_CAPACITY, limit), np.int16)
        self._length = 0
        self._end: int | None = None

    def accept_waveform(self, samples: Samples) -> None:
        """Append int16 ``[n]``. Nothing is appended when it raises.

        Raises ClientError past the limit, UnsupportedAudio for another shape or dtype, IllegalTransition once finished.
        """
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise UnsupportedAudio(
                f"expected samples of shape [n] and dtype int16, got {list(samples.shape)} and {samples.dtype}"
            )
        with self._lock:
            if self._end is not None:
                raise IllegalTransition("audio came after input_finished: create a new stream for the next utterance")
            length = self._length + len(samples)
            if length > self._limit:
                raise ClientError(
                    f"an utterance holds at most {seconds(self._limit):g} s, got {seconds(length):g} s: "
                    "finish the stream earlier and go on with a new one"
                )
            if length > len(self._buffer):
                self._grow(length)
            self._buffer[self._length : length] = samples
            self._length = length

    def input_finished(self, end: int) -> None:
        """The utterance is its first ``end`` samples, clamped to what was accepted. Raises IllegalTransition the second time."""
        with self._lock:
            if self._end is not None:
                raise IllegalTransition("input_finished was called twice on one stream")
            self._end = min(max(end, 0), self._length)

    def snapshot(self) -> Snapshot:
        """The audio accepted so far, or the whole utterance once it is finished."""
        with self._lock:
            view = self._buffer[: self._length if self._end is None else self._end]
            is_final = self._end is not None
        view.flags.writeable = False
        return Snapshot(view, is_final)

    def _grow(self, length: int) -> None:
        """Move to a larger buffer. The old one is left as it is: snapshots look into it, and what is written never changes."""
        larger = np.empty(min(max(length, 2 * len(self._buffer)), self._limit), np.int16)
        larger[: self._length] = self._buffer[: self._length]
        self._buffer = larger
