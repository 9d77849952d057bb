"""WhisperLive's protocol, and the habits of its client."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dialect_server import client, native_texts, speaking
from protocols.foreign_client import OFFER, Gate, json_values, play, steps
from recordings import recording
from starling.app import Running
from starling.core.audio import Encoding
from starling.core.errors import ClientError, Overloaded, ShuttingDown
from starling.protocols.foreign import Head
from starling.protocols.verbs import Feed, Frame, Open
from starling.protocols.whisperlive.adapter import WhisperLiveAdapter

HELLO = {"uid": "me", "language": "en", "task": "transcribe", "model": "small", "use_vad": True}


class Transcriber:
    """What WhisperLive's own client makes of messages: what is complete, and at the end the last incomplete text it saw."""

    def __init__(self, uid: str = "me") -> None:
        self.uid = uid
        self.ready = False
        self.language: str | None = None
        self.transcript: list[dict[str, Any]] = []
        self.last_segment: dict[str, Any] | None = None

    def take(self, text: str) -> None:
        message = json.loads(text)
        assert message["uid"] == self.uid
        if message.get("message") == "SERVER_READY":
            assert message["backend"] == "faster_whisper"
            self.ready = True
        elif "language" in message:
            self.language = message["language"]
        elif "segments" in message:
            self._segments(message["segments"])
        else:
            raise AssertionError(message)

    def _segments(self, segments: list[dict[str, Any]]) -> None:
        before = None
        for place, segment in enumerate(segments):
            if segment["text"] == before:
                continue
            before = segment["text"]
            if place == len(segments) - 1 and not segment["completed"]:
                self.last_segment = segment
            elif segment["completed"] and (not self.transcript or float(segment["start"]) >= float(self.transcript[-1]["end"])):
                self.transcript.append(segment)

    def subtitles(self) -> list[str]:
        lines = [segment["text"] for segment in self.transcript]
        if self.last_segment is not None and (not lines or lines[-1] != self.last_segment["text"]):
            lines.append(self.last_segment["text"])
        return [line.strip() for line in lines]


def connected(**options: Any) -> Gate:
    gate = Gate(WhisperLiveAdapter(OFFER, Head()))
    gate.send(json.dumps(HELLO | options))
    return gate


def said(gate: Gate) -> list[Any]:
    answers = [json.loads(frame) for frame in gate.said]
    gate.said.clear()
    return answers


def test_a_client_is_told_to_begin_and_its_language_if_it_asks() -> None:
    assert said(connected()) == [{"uid": "me", "message": "SERVER_READY", "backend": "faster_whisper"}]
    assert said(connected(language=None))[1] == {"uid": "me", "language": "en", "language_prob": 1.0}


def test_a_final_is_shown_incomplete_and_then_complete() -> None:
    gate = connected(word_timestamps=True)
    said(gate)
    gate.hear("one two", partials=["one"])
    first, second, third = [answer["segments"] for answer in said(gate)]
    assert first == [{"start": "0.000", "end": "0.250", "text": " one", "completed": False}]
    assert second == [{"start": "0.000", "end": "0.500", "text": " one two", "completed": False}]
    assert [(s["text"], s["completed"]) for s in third] == [(" one two", True)]
    assert third[0]["words"][1] == {"word": " two", "start": 0.25, "end": 0.45, "probability": 0.5}


def test_a_text_that_is_withheld_goes_away() -> None:
    gate = connected()
    said(gate)
    gate.hear("one")
    gate.hear("", partials=["no"])
    assert [segment["text"] for segment in said(gate)[-1]["segments"]] == [" one"]


def test_the_last_so_many_segments_are_sent() -> None:
    gate = connected(send_last_n_segments=2)
    said(gate)
    for word in ("one", "two", "three"):
        gate.hear(word)
    assert [[s["text"] for s in answer["segments"]] for answer in said(gate)][-2:] == [[" two", " three"]] * 2


@given(st.lists(st.tuples(st.sampled_from(["one", "two three", "four"]), st.lists(st.just("fo"), max_size=1)), max_size=6))
def test_the_client_s_transcript_is_all_finals(spoken: list[tuple[str, list[str]]]) -> None:
    gate = connected()
    for number, (text, partials) in enumerate(spoken):
        gate.hear(f"{text} {number}", partials=partials)
    transcriber = Transcriber()
    for frame in gate.said:
        assert isinstance(frame, str)
        transcriber.take(frame)
    assert transcriber.subtitles() == [f"{text} {number}" for number, (text, _) in enumerate(spoken)]


@pytest.mark.parametrize(
    "options",
    [
        {"task": "translate"},
        {"enable_translation": True},
        {"enable_diarization": True},
        {"language": "fr"},
        {"language": 1},
        {"audio_format": "mp3"},
        {"send_last_n_segments": 0},
        {"hotwords": 1},
    ],
)
def test_what_cannot_be_done_is_refused_in_the_client_s_terms(options: dict[str, Any]) -> None:
    gate = connected(**options)
    assert isinstance(gate.failed, ClientError)
    (answer,) = said(gate)
    assert (answer["uid"], answer["status"]) == ("me", "ERROR")


def test_who_finds_no_room_is_told_for_how_many_minutes() -> None:
    gate = connected()
    (frame,) = gate.adapter.error(Overloaded("full", gate="gateway", retry_after=90))
    assert json.loads(frame) == {"uid": "me", "status": "WAIT", "message": 1.5}
    (frame,) = gate.adapter.error(ShuttingDown("bye"))
    assert json.loads(frame) == {"uid": "me", "message": "DISCONNECT"}


def test_audio_formats_and_hot_words() -> None:
    gate = connected(audio_format="uint8", hotwords="Ada Lovelace, Babbage,")
    gate.send(b"\x80\xff")
    opened = next(verb.request for verb in gate.verbs if isinstance(verb, Open))
    assert opened.audio.encoding is Encoding.PCM_S16LE
    assert [word.phrase for word in opened.config.hotwords] == ["Ada Lovelace", "Babbage"]
    assert gate.verbs[-1] == Feed(np.array([0, 127 << 8], "<i2").tobytes())


options = st.fixed_dictionaries(
    {"uid": st.just("me") | json_values},
    optional={
        "language": st.sampled_from(["en", "fr", "", "en-US"]) | json_values,
        "task": st.just("transcribe") | json_values,
        "send_last_n_segments": st.integers(0, 3) | json_values,
        "hotwords": json_values,
        "audio_format": st.sampled_from(["float32", "int16", "uint8"]) | json_values,
        "word_timestamps": json_values,
    },
)
frames: st.SearchStrategy[Frame] = (
    st.one_of(st.just(HELLO), options, json_values).map(json.dumps)
    | st.binary(max_size=8)
    | st.just(b"END_OF_AUDIO")
    | st.text(max_size=5)
)


def check(frame: Frame) -> None:
    assert isinstance(frame, str)
    message = json.loads(frame)
    assert isinstance(message["uid"], str)
    assert {"segments", "message", "language"} & set(message)


@given(st.booleans(), steps(frames))
def test_whatever_comes_is_answered_in_the_dialect(greets: bool, happenings: list[Frame | int]) -> None:  # noqa: FBT001
    gate = play(WhisperLiveAdapter(OFFER, Head()), [*([json.dumps(HELLO)] if greets else []), *happenings], check)
    assert gate.sessions <= 1


# --- over sockets ------------------------------------------------------------------------------------------------------


async def transcribe(url: str, samples: Any, **options: Any) -> Transcriber:
    """As WhisperLive's client for a file: it waits for SERVER_READY, sends 4096 samples a message, then END_OF_AUDIO."""
    transcriber = Transcriber()
    async with client(url) as socket:
        await socket.send(json.dumps(HELLO | options))
        while not transcriber.ready:
            transcriber.take(await socket.recv(decode=True))
        for start in range(0, len(samples), 4096):
            await socket.send(samples[start : start + 4096].tobytes())
        await socket.send(b"END_OF_AUDIO")
        async for message in socket:
            transcriber.take(str(message))
        assert socket.close_code == 1000
    return transcriber


@pytest.mark.model
def test_whisperlive_s_client_reads_what_starling_s_own_reads() -> None:
    sound = recording("beckett")
    samples = (sound.astype(np.float32) / 32768).astype("<f4")

    async def scenario(server: Running, url: str) -> None:
        native = await native_texts(server, sound)
        assert (await transcribe(url, samples)).subtitles() == native
        assert (await transcribe(url, sound, audio_format="int16", language=None)).subtitles() == native

    speaking("whisperlive", scenario)


@pytest.mark.model
def test_who_comes_when_it_is_full_is_told_to_wait() -> None:
    async def scenario(_: Running, url: str) -> None:
        async with client(url) as first, client(url) as second:
            await first.send(json.dumps(HELLO))
            assert json.loads(await first.recv())["message"] == "SERVER_READY"
            await second.send(json.dumps(HELLO | {"uid": "other"}))
            answer = json.loads(await second.recv())
            assert (answer["uid"], answer["status"]) == ("other", "WAIT")
            await second.wait_closed()
            assert second.close_code == 1013

    speaking("whisperlive", scenario, max_sessions=1)
