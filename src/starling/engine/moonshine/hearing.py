"""Hearing an utterance that grows: what its audio gave once is kept, and the rest of the encoder runs over all of it.

About a third of the encoder's work is done once for each piece of audio in place of once for each partial. Nothing else can be
kept: every state depends on all of the utterance. What is kept is to the bit what hearing everything anew gives, so that a result
depends on the samples alone, not on how often they were looked at: see ``Echoes``.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from starling.core.audio import Samples
from starling.engine.moonshine.runtime import open_session

SHORTEST = 895
"""Fewer samples than this (56 ms) leave nothing after the encoder's three strided convolutions."""

STRIDE = 64
"""Samples from one sound, as the first convolution's results are called here, to the next."""

ECHO_STRIDE = 3 * STRIDE
"""Samples from one echo, the second convolution's results, to the next."""

WIDTH = 288
"""Numbers to a sound, and to a state."""

ECHO_WIDTH = 576
"""Numbers to an echo."""

LONGEST_FRAMES = 2048
"""States of one utterance, at most (49 s)."""

FULL_SCALE = np.float32(1 / 32768)
"""What an int16 is multiplied by to be from -1 to 1."""

_WINDOW = 127
_EPSILON = 1e-5


class Echoes:
    """What the ear made of an utterance so far: 192 kB for a second of audio, freed with the utterance.

    Besides echoes it keeps each sound's sum and sum of squares, for the norm's mean and variance. They are added up anew each
    time, in one order, because the order decides the last bits.
    """

    __slots__ = ("_count", "_heard", "_sounds", "_squares", "_sums")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._count = self._sounds = 0
        self._heard = np.empty((0, ECHO_WIDTH), np.float32)
        self._sums = self._squares = np.empty(0, np.float32)

    def __len__(self) -> int:
        return self._count

    @property
    def heard(self) -> NDArray[np.float32]:
        """All echoes, float32 ``[n, ECHO_WIDTH]``."""
        return self._heard[: self._count]

    def put(self, start: int, echoes: NDArray[np.float32], sums: NDArray[np.float32], squares: NDArray[np.float32]) -> None:
        """Take what was heard from echo ``start`` (at most ``len(self)``) on; of what was there before, only sums change."""
        known, self._count = self._count, start + len(echoes)
        sounds, self._sounds = 3 * start, 3 * start + len(sums)
        self._heard = _with_room(self._heard, self._count)
        self._sums, self._squares = _with_room(self._sums, self._sounds), _with_room(self._squares, self._sounds)
        self._heard[known : self._count] = echoes[known - start :]
        self._sums[sounds : self._sounds] = sums
        self._squares[sounds : self._sounds] = squares

    def norm(self) -> tuple[float, float]:
        """What the norm multiplies each number of a sound with, and what it adds then."""
        numbers = self._sounds * WIDTH
        mean = self._sums[: self._sounds].sum(dtype=np.float64) / numbers
        variance = self._squares[: self._sounds].sum(dtype=np.float64) / numbers - mean**2
        scale = float(1 / np.sqrt(variance + _EPSILON))
        return scale, float(-mean * scale)


class GrowingEncoder:
    """The rebuilt encoder; ``ear`` and ``encoder`` are the bytes of its two graphs' files."""

    def __init__(self, ear: bytes, encoder: bytes) -> None:
        self._ear = open_session(ear)
        self._encoder = open_session(encoder)

    def encode(self, audio: Samples | NDArray[np.float32], echoes: Echoes | None = None) -> NDArray[np.float32]:
        """States of ``audio``: float32 ``[1, t, WIDTH]``, one for each FRAME.

        ``audio``: int16 ``[n]``, or float32 from -1 to 1; n >= SHORTEST.

        ``echoes``: those of an earlier call, for a beginning of the same audio; they are brought up to date. Raises ValueError
        for less than SHORTEST.
        """
        if len(audio) < SHORTEST:
            raise ValueError(f"expected at least {SHORTEST} samples, got {len(audio)}")
        echoes = Echoes() if echoes is None else echoes
        self._listen(audio, echoes)
        scale, offset = echoes.norm()
        feeds = {"echoes": echoes.heard, "scale": np.array([scale], np.float32), "offset": np.array([offset], np.float32)}
        (states,) = self._encoder.run(["states"], feeds)
        return cast("NDArray[np.float32]", states)

    def _listen(self, audio: Samples | NDArray[np.float32], echoes: Echoes) -> None:
        """Bring ``echoes`` up to all of ``audio``.

        The last one known is heard again: onnxruntime multiplies a single row by another kernel, with other last bits than that
        for several, so there must never be only one.
        """
        start = max(len(echoes) - 1, 0)
        audio = audio[start * ECHO_STRIDE :]
        sounds = (len(audio) - _WINDOW) // STRIDE + 1
        pieces = np.zeros((sounds + 1, STRIDE), np.float32)
        used = min(len(audio), pieces.size)
        pieces.ravel()[:used] = audio[:used]
        if audio.dtype == np.int16:
            pieces *= FULL_SCALE
        results = self._ear.run(["echoes", "sums", "squares"], {"pieces": pieces})
        echoes.put(start, *cast("list[NDArray[np.float32]]", results))


def _with_room(rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """``rows``, or twice as many if there are fewer than ``count``."""
    if count <= len(rows):
        return rows
    larger = np.empty((max(count, 2 * len(rows)), *rows.shape[1:]), np.float32)
    larger[: len(rows)] = rows
    return larger
