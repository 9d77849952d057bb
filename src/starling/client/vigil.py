"""Whether a server that audio is sent to is still there: a network that is gone says nothing, least of all that it is gone. Pure.

The server is asked (a WebSocket ping) while audio is sent, now and then while none is, and judged by how long it owes the
answer. An answer comes after all that was sent before it was taken, and a healthy server may take audio that came faster than
speech as slowly as it likes; so the patience grows with how much of that was on its way when it was asked. Time in which this
program itself did not run is not counted: it says nothing about the server.
"""

from __future__ import annotations

from typing import Final

from starling.core.audio import AudioFormat, Encoding

PATIENCE: Final = 7.0
"""Seconds that the answer of a server may take that is asked by somebody who speaks."""

ASK_EVERY: Final = 2.0
"""Seconds between two questions, at least."""

QUIET_EVERY: Final = 10.0
"""The same while nothing is sent: before the last results, or by a client that says nothing for a while."""

LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the clock. What passes beyond twice that is time in which this program did not run."""

SLOWNESS: Final = 2.0
"""Seconds that a healthy server may spend on each second of audio that came too fast."""

WITH_HEADER: Final = {Encoding.WAV: 16_000, Encoding.OGG_OPUS: 2_000, Encoding.WEBM_OPUS: 2_000, Encoding.FLAC: 12_000}


def byte_rate(audio: AudioFormat) -> float:
    """Bytes of a second of ``audio``; a low guess where only its header says, which makes for more patience."""
    return WITH_HEADER[audio.encoding] if audio.moment is None else audio.moment * audio.sample_rate


class Vigil:
    """``now`` is in seconds, of any clock that only goes forward; ``byte_rate``: bytes of one second of audio, a low guess."""

    def __init__(self, byte_rate: float, now: float) -> None:
        self._byte_rate = byte_rate
        self._sent = 0
        self._taken = 0  # bytes that the last answer followed
        self._asked_at = now - ASK_EVERY
        self._asked_after = 0  # bytes that the last question followed
        self._looked = now
        self._owed: float | None = None  # seconds for which an answer is owed
        self._allowed = PATIENCE

    def sent(self, size: int) -> None:
        """``size`` bytes of audio left."""
        self._sent += size

    def heard(self) -> None:
        """Something came from the server, in answer to whatever: it is there, but may be busy. It has as long again."""
        if self._owed is not None:
            self._owed = 0.0

    def answered(self) -> None:
        """The answer to the last question came."""
        self._taken = self._asked_after
        self._owed = None

    def ask(self, now: float) -> bool:
        """Whether to ask now; it is taken as done. Who sends nothing asks seldom."""
        every = QUIET_EVERY if self._sent == self._asked_after else ASK_EVERY
        if self._owed is not None or now - self._asked_at < every:
            return False
        lasted = min(now - self._asked_at, 2 * ASK_EVERY)  # who was quiet before has not sent anything sooner
        early = max(0.0, (self._sent - self._taken) / self._byte_rate - lasted)
        self._asked_at = now
        self._asked_after = self._sent
        self._allowed = PATIENCE + SLOWNESS * early
        self._owed = 0.0
        return True

    def is_over(self, now: float) -> bool:
        """Whether the server has been silent for too long. To be called every ``LOOK_EVERY`` seconds."""
        passed, self._looked = min(now - self._looked, 2 * LOOK_EVERY), now
        if self._owed is None:
            return False
        self._owed += passed
        return self._owed > self._allowed
