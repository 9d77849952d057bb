"""Resampling to 16 kHz with libswresample: linear phase, about 2 ms of delay, the same output however the input is cut."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av import AudioFrame
from av.error import BlockingIOError as NoFrameYet
from av.filter import Graph
from numpy.typing import NDArray

from starling.core.audio import SAMPLE_RATE, Samples

_TAIL = Fraction(1, 50)  # seconds of silence that push the last samples out: the filter is shorter than 8 ms at any rate


class Resampler:
    """One stream of mono float32 at ``rate`` Hz to int16 at 16 kHz, rounded and clipped.

    The output is aligned in time with the input and, once finished, ``round(n * 16000 / rate)`` samples long. What lies beyond
    either end counts as silence. The filter is libswresample's default: 32 taps of a Kaiser window at the lower of the two rates.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._taken = 0
        self._given = 0
        # av.AudioResampler builds this same graph, but with as many threads as the machine has cores: too many per session.
        graph = Graph()
        graph.threads = 1
        source = graph.add("abuffer", sample_rate=str(rate), sample_fmt="flt", channel_layout="mono", time_base=f"1/{rate}")
        target = graph.add("aformat", sample_rates=str(SAMPLE_RATE), sample_fmts="s16", channel_layouts="mono")
        source.link_to(target)
        target.link_to(graph.add("abuffersink"))
        graph.configure()
        self._graph = graph

    def resample(self, mono: NDArray[np.float32]) -> Samples:
        """What became certain with ``mono`` (shape ``[n]``, -1 to 1)."""
        self._taken += len(mono)
        out = self._push(mono)
        self._given += len(out)
        return out

    def finish(self) -> Samples:
        """The rest. The resampler is spent after it."""
        rest = self._push(np.zeros(int(self._rate * _TAIL) + 1, np.float32))
        return rest[: round(Fraction(self._taken * SAMPLE_RATE, self._rate)) - self._given]

    def _push(self, mono: NDArray[np.float32]) -> Samples:
        out: list[Samples] = []
        for start in range(0, len(mono), self._rate):  # a second at a time, so that the graph's buffers stay small
            frame = AudioFrame.from_ndarray(mono[np.newaxis, start : start + self._rate], format="flt", layout="mono")
            frame.sample_rate = self._rate
            self._graph.push(frame)
            out += self._pull()
        return np.concatenate(out) if out else np.empty(0, np.int16)

    def _pull(self) -> list[Samples]:
        out: list[Samples] = []
        while True:
            try:
                frame = self._graph.pull()
            except NoFrameYet:
                return out
            assert isinstance(frame, AudioFrame)
            out.append(frame.to_ndarray()[0].astype(np.int16, copy=False))
