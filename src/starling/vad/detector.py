"""The detector of the product: each listener chooses who must hear speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from starling.core.audio import Frames
from starling.core.config import VadMode
from starling.core.errors import ShuttingDown
from starling.core.ports import Probabilities, VadStream
from starling.vad.frames import checked
from starling.vad.silero import Silero, SileroState
from starling.vad.webrtc import WebRtc


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One listener: those who listen for it. Nobody does for ``VadMode.OFF``."""

    silero: SileroState | None
    webrtc: WebRtc | None


class Detector:
    """``Vad`` by Silero, WebRTC or the lower of both; certain of speech for ``VadMode.OFF``.

    Not thread-safe: one thread calls ``score``. Raises ModelUnavailable when the weights are missing or of another version.
    """

    def __init__(self, weights: Path | None = None) -> None:
        self._silero: Silero | None = Silero(weights)

    def create_stream(self, mode: VadMode) -> Listener:
        return Listener(
            silero=SileroState() if mode in {VadMode.SILERO, VadMode.BOTH} else None,
            webrtc=WebRtc() if mode in {VadMode.WEBRTC, VadMode.BOTH} else None,
        )

    def score(self, batch: Sequence[tuple[VadStream, Frames]]) -> list[Probabilities]:
        """See the port. A listener comes at most once in a batch.

        Raises UnsupportedAudio for other frames than int16 ``[t, 512]``, ShuttingDown after ``close``; neither changes a state.
        """
        if self._silero is None:
            raise ShuttingDown("the detector is closed: create a new one")
        known = checked(batch, Listener)
        neural = iter(self._silero.score([(who.silero, frames) for who, frames in known if who.silero is not None]))
        scores = [np.ones(len(frames), np.float32) if who.silero is None else next(neural) for who, frames in known]
        for (who, frames), score in zip(known, scores, strict=True):
            if who.webrtc is not None:
                np.minimum(score, who.webrtc.score(frames), out=score)
        return scores

    def close(self) -> None:
        """Free the network. Calling it again does nothing."""
        self._silero = None
