"""What a client keeps of what it sent, until the server has it safe. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

LIMIT: Final = 32 * 1024 * 1024
"""Bytes kept at most: a quarter of an hour of 16 kHz PCM, and far more than what is between two confirmations in any format."""


class Outbox:
    """Audio by its byte position in the session, and the controls between it, each at its place."""

    def __init__(self) -> None:
        self.sent = 0
        self._kept = 0  # position of the first byte that is kept
        self._audio: deque[bytes] = deque()
        self._controls: list[tuple[int, str]] = []

    @property
    def full(self) -> bool:
        """Whether no more should be sent before something is confirmed."""
        return self.sent - self._kept >= LIMIT

    def audio(self, data: bytes) -> None:
        """``data`` is being sent."""
        self._audio.append(data)
        self.sent += len(data)

    def control(self, frame: str) -> None:
        """``frame`` is being sent. Of controls of one type without audio between them one is kept, with all they changed."""
        message = msgspec.json.decode(frame, type=dict[str, object])
        for index in range(len(self._controls) - 1, -1, -1):
            position, earlier = self._controls[index]
            if position < self.sent:
                break
            before = msgspec.json.decode(earlier, type=dict[str, object])
            if before["type"] == message["type"]:
                message = before | message
                del self._controls[index]
        self._controls.append((self.sent, msgspec.json.encode(message).decode()))

    def confirm(self, received: int) -> None:
        """The first ``received`` bytes will not be asked for again, nor what was sent before them."""
        while self._audio and self._kept + len(self._audio[0]) <= received:
            self._kept += len(self._audio.popleft())
        self._controls = [(position, frame) for position, frame in self._controls if position >= received]

    def after(self, received: int) -> list[bytes | str] | None:
        """What is to be sent again when the server has ``received`` bytes, in order; None where that is not kept any more."""
        if not self._kept <= received <= self.sent:
            return None
        frames: list[bytes | str] = []
        controls = deque((position, frame) for position, frame in self._controls if position >= received)
        start = self._kept
        for piece in self._audio:
            end = start + len(piece)
            while controls and controls[0][0] < end:  # a control lies at the edge of a piece
                position, frame = controls.popleft()
                assert position <= start
                frames.append(frame)
            if end > received:
                frames.append(piece[max(0, received - start) :])
            start = end
        return [*frames, *(frame for _, frame in controls)]
