"""What recognition says, in AssemblyAI's words. Times are milliseconds from the start of the stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from starling.core.audio import SAMPLE_RATE
from starling.core.transcript import Transcript, Word
from starling.protocols.foreign import json_frame
from starling.protocols.verbs import Frame, Opened
from starling.protocols.words import plain, plain_text

LIFETIME: Final = 3 * 3600
"""Seconds that a session is said to live, as there."""


class Presenter:
    """Numbers the turns of one stream. A turn that was never shown and has no text is none."""

    def __init__(self) -> None:
        self._turn = 0
        self._shown = False  # the turn that is open
        self._sure = 0  # words of it that were told to be final

    def begin(self, session: Opened) -> Frame:
        """``session`` is named by its trace, so the logs have its name too."""
        name = str(UUID(hex=session.trace_id))
        return json_frame({"type": "Begin", "id": name, "expires_at": int(session.began) + LIFETIME})

    def speech_started(self, position: int) -> Frame:
        return json_frame({"type": "SpeechStarted", "timestamp": _ms(position)})

    def partial(self, transcript: Transcript) -> Sequence[Frame]:
        """The turn so far: its transcript is of the words that stay."""
        self._sure = max(self._sure, len(transcript.stable_text.split()))
        words = transcript.words
        self._shown = True
        text = plain_text(" ".join(transcript.text.split()[: self._sure]))
        return [self._message(text, [_word(word, plain(word.text), final=n < self._sure) for n, word in enumerate(words)])]

    def final(self, transcript: Transcript, *, formatted: bool) -> Sequence[Frame]:
        """The turn is over; ``formatted``: it comes once more, with case and punctuation."""
        if not (transcript.text or self._shown):
            return ()
        overall = 1.0 if transcript.confidence is None else transcript.confidence
        words = [_word(word, plain(word.text), final=True) for word in transcript.words]
        told = [self._message(plain_text(transcript.text), words, confidence=overall, end=True)]
        if formatted:
            words = [_word(word, word.text, final=True) for word in transcript.words]
            told.append(self._message(transcript.text, words, confidence=overall, end=True, formatted=True))
        self._turn += 1
        self._shown, self._sure = False, 0
        return told

    def termination(self, position: int) -> Frame:
        """Nobody here knows how long the session lasted, but by its audio."""
        length = round(position / SAMPLE_RATE)
        return json_frame({"type": "Termination", "audio_duration_seconds": length, "session_duration_seconds": length})

    def error(self, code: int, message: str) -> Frame:
        return json_frame({"type": "Error", "error_code": code, "error": message})

    def _message(
        self, text: str, words: list[dict[str, Any]], *, confidence: float = 0.0, end: bool = False, formatted: bool = False
    ) -> Frame:
        return json_frame(
            {
                "type": "Turn",
                "turn_order": self._turn,
                "turn_is_formatted": formatted,
                "end_of_turn": end,
                "transcript": text,
                "end_of_turn_confidence": round(confidence, 4),
                "words": [word for word in words if word["text"]],
            }
        )


def _word(word: Word, text: str, *, final: bool) -> dict[str, Any]:
    confidence = 1.0 if word.confidence is None else round(word.confidence, 4)
    return {"start": _ms(word.start), "end": _ms(word.end), "text": text, "confidence": confidence, "word_is_final": final}


def _ms(position: int) -> int:
    return round(position * 1000 / SAMPLE_RATE)
