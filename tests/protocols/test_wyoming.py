"""Wyoming: utterance after utterance over plain TCP, each answered with the whole text."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dialect_server import native_texts, speaking
from protocols.foreign_client import OFFER, Gate, json_values, play, steps, transcript
from recordings import recording
from starling.app import Running
from starling.core.audio import AudioFormat
from starling.core.errors import CorruptAudio, InvalidMessage, InvalidOption, UnsupportedAudio
from starling.protocols.foreign import Head
from starling.protocols.verbs import Feed, Frame, Open
from starling.protocols.wyoming.adapter import WyomingAdapter
from starling.protocols.wyoming.events import Event, body_of, parse, written
from starling.protocols.wyoming.pcm import Pcm

FORMAT = {"rate": 16000, "width": 2, "channels": 1}
CHUNK = written(Event("audio-chunk", FORMAT, b"\0\0"))
STOP = written(Event("audio-stop"))


def connected() -> Gate:
    return Gate(WyomingAdapter(OFFER, Head()))


def said(gate: Gate) -> list[tuple[str, dict[str, Any]]]:
    """What was said since the last time: types and data."""
    events = [parse(frame) for frame in gate.said if isinstance(frame, bytes)]
    assert len(events) == len(gate.said)
    gate.said.clear()
    return [(event.type, dict(event.data)) for event in events]


def send(gate: Gate, kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> None:
    gate.send(written(Event(kind, data or {}, payload)))


def request_of(gate: Gate) -> Any:
    return [verb.request for verb in gate.verbs if isinstance(verb, Open)][-1]


# --- what travels ------------------------------------------------------------------------------------------------------


data = st.dictionaries(st.text(max_size=8), json_values, max_size=3)


@given(st.text(max_size=10), data, st.binary(max_size=8))
def test_an_event_travels_whole(kind: str, fields: dict[str, Any], payload: bytes) -> None:
    frame = written(Event(kind, fields, payload))
    line = frame[: frame.index(b"\n") + 1]
    assert len(line) + body_of(line) == len(frame)
    event = parse(frame)
    assert (event.type, event.payload) == (kind, payload)
    assert set(event.data) == set(fields)


def test_data_in_the_line_and_after_it_are_one() -> None:
    event = parse(b'{"type": "x", "data": {"a": 1, "b": 1}, "data_length": 7, "version": "1"}\n{"b":2}')
    assert event == Event("x", {"a": 1, "b": 2})
    assert parse(b'{"type": "x", "data": null, "payload_length": null}\n') == Event("x")


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_line_is_refused(line: bytes) -> None:
    for read in (body_of, parse):
        try:
            read(line)
        except InvalidMessage:
            continue


@pytest.mark.parametrize(
    "line", [b"", b"[]\n", b"GET / HTTP/1.1\r\n", b'{"type": 1}\n', b'{"type": "x", "data_length": -1}\n', b"[" * 20000]
)
def test_no_line_at_all(line: bytes) -> None:
    with pytest.raises(InvalidMessage):
        body_of(line)


@pytest.mark.parametrize(("width", "dtype"), [(1, np.int8), (2, np.int16), (4, np.int32)])
def test_samples_of_any_width_keep_their_highest_bits(width: int, dtype: Any) -> None:
    sound = np.array([[0, 1], [-1, 127], [-128, 64]], np.int64) << (8 * width - 8)
    narrowed = Pcm(16000, width, 2).narrowed(sound.astype(dtype).tobytes())
    assert np.array_equal(np.frombuffer(narrowed, "<i2"), sound.ravel() >> (8 * width - 8) << 8)


def test_three_bytes_keep_their_highest_two() -> None:
    assert Pcm(16000, 3, 1).narrowed(b"\x01\x02\x03\xff\xfe\xfd") == b"\x02\x03\xfe\xfd"
    with pytest.raises(CorruptAudio):
        Pcm(16000, 3, 1).narrowed(b"\0\0")


# --- the conversation --------------------------------------------------------------------------------------------------


def test_an_utterance_is_told_as_it_grows_and_then_whole() -> None:
    gate = connected()
    send(gate, "transcribe", {"language": "en-GB"})
    send(gate, "audio-start", FORMAT)
    gate.send(CHUNK)
    assert request_of(gate).audio == AudioFormat()
    grown = transcript("one two", final=False)
    gate.said += gate.adapter.event(
        type(grown)(**{name: getattr(grown, name) for name in grown.__slots__} | {"stable_text": "one"})
    )
    gate.hear("one two")
    gate.hear("")
    gate.hear("three")
    gate.send(STOP)
    assert said(gate) == [
        ("transcript-start", {"language": "en"}),
        ("transcript-chunk", {"text": "one"}),
        ("transcript-chunk", {"text": " two"}),
        ("transcript-chunk", {"text": " three"}),
        ("transcript", {"text": "one two three", "language": "en"}),
        ("transcript-stop", {}),
    ]
    assert not gate.over


def test_the_next_utterance_has_options_of_its_own() -> None:
    gate = connected()
    send(gate, "transcribe", {"transcript_terms": ["lamp"], "transcript_names": ["Ada", ""], "name": "any", "context": {}})
    gate.send(CHUNK)
    assert [word.phrase for word in request_of(gate).config.hotwords] == ["Ada", "lamp"]
    gate.send(STOP)
    send(gate, "audio-chunk", FORMAT | {"rate": 8000, "channels": 2}, bytes(4))
    assert request_of(gate).config.hotwords == ()
    assert request_of(gate).audio == AudioFormat(sample_rate=8000, channels=2)
    assert gate.sessions == 2


def test_no_audio_is_no_session_and_an_empty_transcript() -> None:
    gate = connected()
    send(gate, "audio-start", FORMAT)
    send(gate, "audio-chunk")
    gate.send(STOP)
    assert [kind for kind, _ in said(gate)] == ["transcript-start", "transcript", "transcript-stop"]
    assert gate.sessions == 0
    assert not gate.over


def test_questions_are_answered_at_any_time_and_unknown_events_left_aside() -> None:
    gate = connected()
    for _ in range(2):
        send(gate, "describe")
        send(gate, "ping", {"text": "x"})
        send(gate, "select-program", {"name": "starling"})
        (info, about), pong = said(gate)
        assert pong == ("pong", {"text": "x"})
        assert info == "info"
        assert about["asr"][0]["models"][0]["languages"] == ["en"]
        gate.send(CHUNK)


def test_a_failed_segment_is_told() -> None:
    gate = connected()
    gate.send(CHUNK)
    gate.fail_segment()
    ((kind, about),) = said(gate)
    assert (kind, about["code"]) == ("error", "engine_failed")


@pytest.mark.parametrize(
    ("kind", "fields", "payload", "error"),
    [
        ("audio-chunk", {}, b"\0\0", InvalidMessage),
        ("audio-start", FORMAT | {"width": 5}, b"", UnsupportedAudio),
        ("audio-start", FORMAT | {"width": True}, b"", UnsupportedAudio),
        ("audio-start", FORMAT | {"channels": 9}, b"", UnsupportedAudio),
        ("audio-start", FORMAT | {"rate": 1}, b"", UnsupportedAudio),
        ("audio-chunk", FORMAT | {"rate": 8000}, b"\0\0", UnsupportedAudio),
        ("audio-chunk", FORMAT | {"width": 4}, b"\0\0", CorruptAudio),
        ("transcribe", {"language": "xx"}, b"", InvalidOption),
        ("transcribe", {"language": 1}, b"", InvalidOption),
        ("transcribe", {"transcript_terms": [1]}, b"", InvalidOption),
    ],
)
def test_what_cannot_be_taken_is_an_error(kind: str, fields: dict[str, Any], payload: bytes, error: type[Exception]) -> None:
    gate = connected()
    if fields.get("rate") != 1 and kind == "audio-chunk" and fields:
        gate.send(CHUNK)
    send(gate, kind, fields, payload)
    assert isinstance(gate.failed, error)
    ((said_kind, about),) = said(gate)
    assert said_kind == "error"
    assert set(about) == {"text", "code"}


formats = st.fixed_dictionaries(
    {},
    optional={
        "rate": st.sampled_from([8000, 16000]) | json_values,
        "width": st.sampled_from([1, 2, 3, 4]) | json_values,
        "channels": st.sampled_from([1, 2]) | json_values,
    },
)
wishes = st.fixed_dictionaries(
    {},
    optional={
        "language": st.sampled_from(["en", None]) | json_values,
        "transcript_names": st.lists(st.text(max_size=120), max_size=3) | json_values,
        "vad_sensitivity": json_values,
    },
)
kinds = st.sampled_from(["audio-start", "audio-chunk", "audio-stop", "transcribe", "describe", "ping", "what"])
frames: st.SearchStrategy[Frame] = (
    st.builds(Event, kinds, st.just(FORMAT) | formats | wishes | data, st.just(bytes(12)) | st.binary(max_size=6)).map(written)
    | st.binary(max_size=20)
    | st.text(max_size=20)
)


def check(frame: Frame) -> None:
    assert isinstance(frame, bytes)
    known = {"transcript-start", "transcript-chunk", "transcript", "transcript-stop", "info", "pong", "error"}
    assert parse(frame).type in known


@given(steps(frames))
def test_whatever_comes_each_utterance_is_told_whole_once(happenings: list[Frame | int]) -> None:
    gate = play(WyomingAdapter(OFFER, Head()), happenings, check)
    events = [parse(frame).type for frame in gate.said if isinstance(frame, bytes)]
    assert events.count("transcript-start") - events.count("transcript-stop") in (0, 1)
    assert events.count("transcript") == events.count("transcript-stop") >= gate.sessions - 1
    assert all(isinstance(verb.data, bytes) for verb in gate.verbs if isinstance(verb, Feed))


# --- over sockets ------------------------------------------------------------------------------------------------------


async def said_by(reader: asyncio.StreamReader) -> tuple[str, dict[str, Any]]:
    line = json.loads(await reader.readuntil(b"\n"))
    data = await reader.readexactly(line.get("data_length", 0))
    return line["type"], json.loads(data) if data else {}


@pytest.mark.model
def test_two_utterances_on_one_connection_read_as_in_starling_s_own_protocol() -> None:
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        native = " ".join(await native_texts(server, sound))
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        for _ in range(2):
            writer.write(b'{"type": "transcribe", "data": {"language": "en"}}\n')
            writer.write(b'{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 1}}\n')
            for start in range(0, len(sound), 1024):
                block = sound[start : start + 1024].tobytes()
                writer.write(b'{"type": "audio-chunk", "payload_length": %d}\n' % len(block) + block)
            writer.write(b'{"type": "audio-stop"}\n')
            said: list[tuple[str, dict[str, Any]]] = []
            while not said or said[-1][0] != "transcript-stop":
                said.append(await said_by(reader))
            texts = {kind: data["text"] for kind, data in said if "text" in data}
            assert texts["transcript"] == native
        writer.close()
        await writer.wait_closed()

    speaking("wyoming", scenario)
