"""OpenAI's Realtime protocol as a state machine. A session here is what lies between two commits by hand.

With turn detection, segments are items. Without, a commit ends the session, so that all of it is read to the end, and the item is
all of its text; the next audio opens another.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from typing import Any, Final

from starling.core.audio import SAMPLE_RATE, Encoding, samples
from starling.core.errors import CorruptAudio, InvalidMessage, InvalidOption, StarlingError
from starling.core.transcript import (
    SegmentFailed,
    SessionDone,
    SessionEvent,
    SessionFailed,
    SpeechEnded,
    SpeechStarted,
    Transcript,
)
from starling.protocols import verbs
from starling.protocols.deltas import GrowingText
from starling.protocols.endings import ended_by_silence
from starling.protocols.errors import kind_of
from starling.protocols.foreign import ForeignAdapter, Head, json_object
from starling.protocols.openai_realtime.presenter import Presenter, error_object
from starling.protocols.openai_realtime.secrets import described
from starling.protocols.openai_realtime.sessions import TranscriptionSession
from starling.protocols.verbs import Frame, Offer, OpenRequest, Say, Verb

SHORTEST: Final = samples(0.1)
"""Samples that a commit needs."""

EMPTY: Final = "input_audio_buffer_commit_empty"

ID_LIMIT: Final = 512
"""Characters of a client's name for an event."""


class Item:
    """One item whose transcript is being made. ``committed``: the client knows that its audio is complete."""

    def __init__(self, item_id: str) -> None:
        self.id = item_id
        self.text = GrowingText()
        self.committed = False
        self.failure: SegmentFailed | None = None


class OpenAIRealtimeAdapter(ForeignAdapter):
    """``verbs.Adapter`` for one connection."""

    forgives = True

    def __init__(self, offer: Offer, head: Head) -> None:
        self._session = TranscriptionSession(offer)
        self._session.update(described(head), begun=False)
        self._presenter = Presenter(head.trace_id)
        self._begun = False  # audio came
        self._open = False
        self._base = 0  # samples of the sessions before this one
        self._bytes = 0  # of this one
        self._by_hand: Item | None = None  # the item that the open session is, where items end by hand
        self._items: dict[int, Item] = {}  # of segments, where they end by themselves
        self._committing = False
        self._clearing = False
        self._last_end: SpeechEnded | None = None  # of the open session

    @property
    def lasts(self) -> bool:
        return True

    def connected(self) -> Sequence[Verb]:
        return [Say([self._presenter.session("created", self._session)])]

    # --- what the client says ------------------------------------------------------------------------------------------

    def receive(self, frame: Frame) -> Sequence[Verb]:
        """Whatever cannot be taken is answered with an error that names the client's event."""
        event: dict[str, Any] = {}
        try:
            if isinstance(frame, bytes):
                raise InvalidMessage("expected JSON in a text frame, got a binary one: append audio as base64")
            event = json_object(frame)
            return self._obey(event)
        except StarlingError as error:
            given = event.get("event_id")
            name = given[:ID_LIMIT] if isinstance(given, str) else None
            return [Say([self._presenter.error(error_object(error, name))])]

    def _obey(self, event: dict[str, Any]) -> Sequence[Verb]:
        match event.get("type"):
            case "session.update":
                return self._update(event.get("session"))
            case "input_audio_buffer.append":
                return self._append(event.get("audio"))
            case "input_audio_buffer.commit":
                return self._commit(event.get("event_id"))
            case "input_audio_buffer.clear":
                return self._clear()
            case _:
                raise InvalidMessage(
                    "expected session.update or input_audio_buffer.append, .commit or .clear as type, got another: "
                    "this server transcribes and holds no conversations"
                )

    def _update(self, given: object) -> Sequence[Verb]:
        if not isinstance(given, dict):
            raise InvalidMessage("expected an object session in session.update, got none")
        if self._open and self._bytes and self._changes_hands(given):
            raise InvalidOption("session.audio.input.turn_detection changes between items only: commit or clear before")
        self._session.update(given, begun=self._begun)
        answer = Say([self._presenter.session("updated", self._session)])
        return [verbs.Configure(self._session.config), answer] if self._open else [answer]

    def _changes_hands(self, given: dict[str, Any]) -> bool:
        match given:
            case {"audio": {"input": {"turn_detection": detection}}}:
                return (detection is None) is not self._session.by_hand
            case _:
                return False

    def _append(self, audio: object) -> Sequence[Verb]:
        if not isinstance(audio, str):
            raise InvalidMessage("expected base64 as audio, got something else")
        try:
            data = b64decode(audio, validate=True)
        except (NotBase64, ValueError):
            raise CorruptAudio("expected base64 as audio, got characters that are none") from None
        if not data:
            return []
        opening: list[Verb] = []
        if not self._open:
            self._open, self._begun, self._bytes = True, True, 0
            self._by_hand = Item(self._presenter.new_item()) if self._session.by_hand else None
            opening = [verbs.Open(OpenRequest(audio=self._session.audio, config=self._session.config))]
        self._bytes += len(data)
        return [*opening, verbs.Feed(data)]

    def _commit(self, event_id: object) -> Sequence[Verb]:
        if self._received < SHORTEST:
            name = event_id[:ID_LIMIT] if isinstance(event_id, str) else None
            error = InvalidMessage("expected at least 100 ms of audio in the buffer, got less: append before you commit")
            return [Say([self._presenter.error(error_object(error, name) | {"code": EMPTY})])]
        self._committing = True
        item = self._by_hand
        return [Say(self._presenter.committed(item.id)), verbs.End()] if item is not None else [verbs.End()]

    def _clear(self) -> Sequence[Verb]:
        answer = Say([self._presenter.cleared()])
        if not self._open:
            return [answer]
        self._clearing = True
        return [answer, verbs.End()]

    @property
    def _received(self) -> int:
        """Samples in what was appended since the session opened."""
        if not self._open:
            return 0
        audio = self._session.audio
        frames = self._bytes // (2 if audio.encoding is Encoding.PCM_S16LE else 1)
        return frames * SAMPLE_RATE // audio.sample_rate

    # --- what recognition says -----------------------------------------------------------------------------------------

    def event(self, event: SessionEvent) -> Sequence[Frame]:
        if isinstance(event, SessionDone):
            return self._over(event)
        if isinstance(event, SessionFailed):
            return [self._presenter.error(error_object(kind_of(event.code)(event.message)) | {"code": event.code})]
        item = self._item(event.segment_id)
        if isinstance(event, SegmentFailed):
            item.failure = event
            return ()
        if self._clearing:
            return self._forgotten(event, item)
        if self._by_hand is not None:
            return self._presenter.delta(item.id, _grown(item, event)) if isinstance(event, Transcript) else ()
        return self._of_turn(event, item)

    def _item(self, segment_id: int) -> Item:
        if self._by_hand is not None:
            return self._by_hand
        if segment_id not in self._items:
            self._items[segment_id] = Item(self._presenter.new_item())
        return self._items[segment_id]

    def _of_turn(self, event: SpeechStarted | SpeechEnded | Transcript, item: Item) -> Sequence[Frame]:
        match event:
            case SpeechStarted():
                return [self._presenter.speech_started(item.id, self._base + event.at)]
            case SpeechEnded():
                item.committed = True
                self._last_end = event
                stopped = self._presenter.speech_stopped(item.id, self._base + event.at)
                return [stopped, *self._presenter.committed(item.id)]
            case Transcript():
                told = self._presenter.delta(item.id, _grown(item, event))
                if not event.is_final:
                    return told
                del self._items[event.segment_id]
                return [*told, self._result(item, event.end - event.start)]

    def _forgotten(self, event: SpeechStarted | SpeechEnded | Transcript, item: Item) -> Sequence[Frame]:
        """After a clear: of items whose audio was complete before, the transcript still comes."""
        if not item.committed or not isinstance(event, Transcript):
            return ()
        return self._of_turn(event, item)

    def _over(self, done: SessionDone) -> Sequence[Frame]:
        said: list[Frame] = []
        if self._by_hand is not None and not self._clearing:
            said = [self._result(self._by_hand, done.position)]
        elif self._committing and not self._clearing and not self._cut_short:
            item = Item(self._presenter.new_item())
            silent_from = 0 if self._last_end is None else self._last_end.at
            said = [*self._presenter.committed(item.id), self._result(item, done.position - silent_from)]
        self._base += self._received
        self._open = self._committing = self._clearing = False
        self._last_end = None
        self._by_hand = None
        self._items.clear()
        return said

    @property
    def _cut_short(self) -> bool:
        """Whether somebody was speaking when the open session ended: then what was committed is an item already."""
        return self._last_end is not None and not ended_by_silence(self._last_end, self._session.config)

    def _result(self, item: Item, length: int) -> Frame:
        if item.failure is not None and not item.text.text:
            return self._presenter.failed(item.id, item.failure.code, item.failure.message)
        return self._presenter.completed(item.id, item.text.text, length)

    def error(self, error: StarlingError) -> Sequence[Frame]:
        return [self._presenter.error(error_object(error))]


def _grown(item: Item, transcript: Transcript) -> str:
    """What ``transcript`` adds to the text of ``item``."""
    return item.text.final(transcript.text) if transcript.is_final else item.text.partial(transcript.stable_text)
