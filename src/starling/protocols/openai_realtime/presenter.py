"""The server's events of OpenAI's Realtime protocol. Times are milliseconds from the start of the connection's audio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starling.core.audio import SAMPLE_RATE, seconds
from starling.core.errors import ClientError, Overloaded, StarlingError
from starling.protocols.foreign import json_frame
from starling.protocols.openai_realtime.sessions import TranscriptionSession


class Presenter:
    """Numbers events and items. ``trace_id`` names the session, so the logs have its name too."""

    def __init__(self, trace_id: str) -> None:
        self._trace_id = trace_id
        self._events = 0
        self._items = 0
        self._last_item: str | None = None

    def session(self, kind: str, session: TranscriptionSession) -> str:
        """``kind``: created or updated."""
        return self._event(f"session.{kind}", session=session_object(session, self._trace_id))

    def new_item(self) -> str:
        """A name for the next item."""
        self._items += 1
        return f"item_{self._trace_id[:16]}{self._items:04d}"

    def speech_started(self, item_id: str, position: int) -> str:
        return self._event("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=_ms(position))

    def speech_stopped(self, item_id: str, position: int) -> str:
        return self._event("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=_ms(position))

    def committed(self, item_id: str) -> list[str]:
        """Audio became an item, which follows the last one."""
        previous, self._last_item = self._last_item, item_id
        item = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        return [
            self._event("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous),
            self._event("conversation.item.added", item=item, previous_item_id=previous),
            self._event("conversation.item.done", item=item, previous_item_id=previous),
        ]

    def cleared(self) -> str:
        return self._event("input_audio_buffer.cleared")

    def delta(self, item_id: str, text: str) -> list[str]:
        """Nothing for nothing."""
        return [self._transcription("delta", item_id, delta=text)] if text else []

    def completed(self, item_id: str, text: str, samples: int) -> str:
        usage = {"type": "duration", "seconds": round(seconds(samples), 3)}
        return self._transcription("completed", item_id, transcript=text, usage=usage)

    def failed(self, item_id: str, code: str, message: str) -> str:
        error = {"type": "server_error", "code": code, "message": message, "param": None}
        return self._transcription("failed", item_id, error=error)

    def error(self, error: Mapping[str, Any]) -> str:
        return self._event("error", error=error)

    def _transcription(self, kind: str, item_id: str, **fields: Any) -> str:
        return self._event(f"conversation.item.input_audio_transcription.{kind}", item_id=item_id, content_index=0, **fields)

    def _event(self, kind: str, **fields: Any) -> str:
        self._events += 1
        return json_frame({"type": kind, "event_id": f"event_{self._events:06d}", **fields})


def session_object(session: TranscriptionSession, trace_id: str) -> dict[str, Any]:
    """``session`` as its client reads it."""
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": f"sess_{trace_id}",
        "audio": {"input": session.effective},
        "include": session.include,
    }


def error_object(error: StarlingError, event_id: str | None = None, param: str | None = None) -> dict[str, Any]:
    """``error`` as the protocol has it, over HTTP and in events."""
    if isinstance(error, Overloaded):
        kind = "rate_limit_error"
    else:
        kind = "invalid_request_error" if isinstance(error, ClientError) else "server_error"
    return {"type": kind, "code": error.code, "message": error.message, "param": param, "event_id": event_id}


def _ms(position: int) -> int:
    return round(position * 1000 / SAMPLE_RATE)
