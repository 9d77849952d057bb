"""The server's half of the native protocol: numbers its frames and writes what recognition says into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from msgspec import UNSET

from starling.core import transcript as heard
from starling.core.audio import SAMPLE_RATE, seconds
from starling.core.errors import Overloaded, StarlingError
from starling.protocols.errors import kind_of
from starling.protocols.native import messages as wire
from starling.protocols.native.options import effective
from starling.protocols.verbs import Frame, Opened, OpenRequest


class Presenter:
    """Writes the frames of one connection. Each call takes the next sequence number, in which what it returns must be sent."""

    def __init__(self) -> None:
        self._sequence = 0
        self._session_id = ""
        self._trace_id = ""

    def ready(self, request: OpenRequest, model: str, session: Opened) -> Sequence[Frame]:
        """The session is open, with the options of ``request``."""
        self._session_id, self._trace_id = session.session_id, session.trace_id
        return self._say(
            wire.Ready(
                sequence=self._sequence,
                session_id=session.session_id,
                trace_id=session.trace_id,
                model=model,
                sample_rate=SAMPLE_RATE,
                resume_token=UNSET if session.token is None else session.token,
                resume_grace=UNSET if session.token is None else session.grace,
                **effective(request),
            )
        )

    def resumed(self, session: Opened, received: int) -> Sequence[Frame]:
        """The session goes on after the first ``received`` bytes of its audio."""
        self._session_id, self._trace_id = session.session_id, session.trace_id
        return self._say(
            wire.Resumed(sequence=self._sequence, session_id=session.session_id, received=received, resume_grace=session.grace)
        )

    def acknowledged(self, received: int) -> Sequence[Frame]:
        """The first ``received`` bytes of audio are safe."""
        return self._say(wire.Ack(sequence=self._sequence, received=received))

    def event(self, event: heard.SessionEvent, *, words: bool) -> Sequence[Frame]:
        """``words``: the client asked for word times, so a result without words says so with an empty list."""
        return self._say(self._frame(event, words=words))

    def error(self, error: StarlingError) -> Sequence[Frame]:
        """``error`` was raised for this client."""
        return self._say(
            wire.Error(
                sequence=self._sequence,
                code=error.code,
                message=error.message,
                retryable=error.retryable,
                retry_after=wire.wire_seconds(error.retry_after) if isinstance(error, Overloaded) else UNSET,
            )
        )

    def _say(self, message: wire.ServerMessage) -> Sequence[Frame]:
        self._sequence += 1
        return [wire.encode(message)]

    def _frame(self, event: heard.SessionEvent, *, words: bool) -> wire.ServerMessage:
        match event:
            case heard.SpeechStarted():
                return wire.SpeechStarted(sequence=self._sequence, at=_at(event.at), segment_id=event.segment_id)
            case heard.SpeechEnded():
                return wire.SpeechEnded(
                    sequence=self._sequence, at=_at(event.at), segment_id=event.segment_id, noticed=_at(event.noticed)
                )
            case heard.Transcript():
                return self._result(event, words=words)
            case heard.SegmentFailed() | heard.SessionFailed():
                return self._failure(event)
            case heard.SessionDone():
                return wire.Done(
                    sequence=self._sequence,
                    session_id=self._session_id,
                    trace_id=self._trace_id,
                    audio_seconds=_at(event.position),
                    segments=event.segments,
                )
            case _:
                assert_never(event)

    def _result(self, transcript: heard.Transcript, *, words: bool) -> wire.Result:
        return wire.Result(
            sequence=self._sequence,
            session_id=self._session_id,
            segment_id=transcript.segment_id,
            version=transcript.revision,
            result_type="final" if transcript.is_final else "partial",
            is_final=transcript.is_final,
            text=transcript.text,
            stable_text=transcript.stable_text,
            start=_at(transcript.start),
            end=_at(transcript.end),
            confidence=wire.wire_confidence(transcript.confidence),
            language=transcript.language,
            trace_id=self._trace_id,
            words=tuple(_word(word) for word in transcript.words) if words or transcript.words else UNSET,
        )

    def _failure(self, event: heard.SegmentFailed | heard.SessionFailed) -> wire.Error:
        return wire.Error(
            sequence=self._sequence,
            code=event.code,
            message=event.message,
            retryable=kind_of(event.code).retryable,
            segment_id=event.segment_id if isinstance(event, heard.SegmentFailed) else UNSET,
        )


def _word(word: heard.Word) -> wire.Word:
    return wire.Word(text=word.text, start=_at(word.start), end=_at(word.end), confidence=wire.wire_confidence(word.confidence))


def _at(position: int) -> float:
    return wire.wire_seconds(seconds(position))
