"""What recognition says, in Deepgram's words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from msgspec import UNSET

from starling.core.audio import seconds
from starling.core.ports import Capabilities
from starling.core.transcript import Transcript, Word
from starling.protocols.deepgram import messages as wire
from starling.protocols.verbs import Opened
from starling.protocols.words import plain, plain_text

UNKNOWN: Final = 1.0
"""The confidence of what has none, which the protocol has no word for: nobody should drop a text for it."""


def request_id(trace_id: str) -> str:
    """``trace_id`` (32 hexadecimal digits, W3C Trace Context) as the UUID that names a request: so the logs have it too."""
    return str(UUID(hex=trace_id))


class Presenter:
    """Writes the messages of one stream. ``formatted``: texts have their case and punctuation."""

    def __init__(self, capabilities: Capabilities, *, formatted: bool) -> None:
        self.formatted = formatted
        self._model = wire.ModelInfo(capabilities.model, capabilities.model_version, "starling")
        self._model_uuid = str(uuid5(NAMESPACE_OID, f"{capabilities.model} {capabilities.model_version}"))
        self._metadata = wire.ResultsMetadata("", self._model, self._model_uuid)
        self._created = ""
        self._cursor = 0  # results before this position are final

    @property
    def request_id(self) -> str:
        return self._metadata.request_id

    def opened(self, session: Opened) -> None:
        """From now on the request has its name."""
        self._metadata = wire.ResultsMetadata(request_id(session.trace_id), self._model, self._model_uuid)
        self._created = datetime.fromtimestamp(session.began, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def results(self, transcript: Transcript, *, speech_final: bool = False, from_finalize: bool = False) -> str:
        """Results from the end of the last final ones on. A word between them and the end of a range belongs to it."""
        start, end = self._cursor, max(self._cursor, transcript.end, *(word.end for word in transcript.words[-1:]))
        if transcript.is_final:
            self._cursor = end
        return wire.encode(
            wire.Results(
                start=at(start),
                duration=at(end - start),
                is_final=transcript.is_final,
                speech_final=speech_final,
                from_finalize=from_finalize,
                channel=wire.Channel((self._alternative(transcript),)),
                metadata=self._metadata,
            )
        )

    def speech_started(self, position: int) -> str:
        return wire.encode(wire.SpeechStarted(at(position)))

    def utterance_end(self, last_word_end: int) -> str:
        return wire.encode(wire.UtteranceEnd(at(last_word_end)))

    def metadata(self, position: int, sha256: str) -> str:
        """The end of a stream of ``position`` samples, which were mixed to one channel."""
        return wire.encode(
            wire.Metadata(request_id=self.request_id, sha256=sha256, created=self._created, duration=at(position), channels=1)
        )

    def configured(self, keyterms: Sequence[str] | None) -> str:
        named = UNSET if keyterms is None else list(keyterms)
        return wire.encode(wire.ConfigureSuccess(self.request_id, named))

    def not_configured(self, code: str, description: str) -> str:
        return wire.encode(wire.ConfigureFailure(self.request_id, code, description))

    def error(self, variant: str, description: str) -> str:
        return wire.encode(wire.Error(variant, description))

    def _alternative(self, transcript: Transcript) -> wire.Alternative:
        empty = not transcript.text
        overall = UNKNOWN if transcript.confidence is None else transcript.confidence
        text = transcript.text if self.formatted else plain_text(transcript.text)
        return wire.Alternative(
            transcript=text,
            confidence=0.0 if empty else round(overall, 4),
            words=tuple(self._word(word, overall) for word in transcript.words if self.formatted or plain(word.text)),
        )

    def _word(self, word: Word, overall: float) -> wire.Word:
        return wire.Word(
            word=plain(word.text) or word.text,
            start=at(word.start),
            end=at(word.end),
            confidence=round(overall if word.confidence is None else word.confidence, 4),
            punctuated_word=word.text if self.formatted else UNSET,
        )


def at(position: int) -> float:
    """Samples as seconds, to the millisecond."""
    return round(seconds(position), 3)
