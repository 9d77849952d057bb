import json
from contextlib import suppress
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from protocols.native_strategies import client_messages, server_messages
from starling.core.errors import ClientError, InvalidMessage, InvalidOption, UnsupportedAudio
from starling.protocols.native.messages import (
    ClientMessage,
    Configure,
    ServerMessage,
    SetLangs,
    Start,
    decode_client,
    decode_server,
    encode,
    wire_seconds,
)
from starling.protocols.native.refusal import MESSAGE_TYPES, QUOTE_LIMIT

RESULT: Any = {
    "sequence": 0,
    "session_id": "s",
    "segment_id": 0,
    "version": 0,
    "result_type": "final",
    "is_final": True,
    "text": "a",
    "stable_text": "a",
    "start": 0.0,
    "end": 1.0,
    "language": None,
    "trace_id": "t",
}


@given(client_messages)
def test_a_client_frame_survives_the_round_trip(message: ClientMessage) -> None:
    assert decode_client(encode(message)) == message


@given(server_messages)
def test_a_server_frame_survives_the_round_trip(message: ServerMessage) -> None:
    assert decode_server(encode(message)) == message


@given(client_messages)
def test_what_was_not_given_does_not_travel(message: ClientMessage) -> None:
    nullable = {"target_language", "last_result"}
    assert None not in {key: value for key, value in json.loads(encode(message)).items() if key not in nullable}.values()


@given(st.text() | st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists).map(json.dumps))
def test_anything_else_is_a_client_error(text: str) -> None:
    with pytest.raises(ClientError):
        decode_client(text)
    with pytest.raises(ClientError):
        decode_server(text)


@given(client_messages, st.data())
def test_a_damaged_frame_is_a_client_error_or_another_frame(message: ClientMessage, data: st.DataObject) -> None:
    text = encode(message)
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.text(max_size=3)) + text[at + 1 :]
    with suppress(ClientError):
        assert decode_client(damaged) is not None


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("", InvalidMessage, "malformed JSON"),
        ("{", InvalidMessage, "malformed JSON"),
        ('{"type":"end"} {}', InvalidMessage, "malformed JSON"),
        ('{"x":' + "[" * 200_000, InvalidMessage, "malformed JSON"),
        ('{"type":"start","client_ref":"\\ud800"}', InvalidMessage, "malformed JSON"),
        ("[]", InvalidMessage, 'expected an object such as {"type":"start"} as the message, got a list'),
        ("{}", InvalidMessage, "expected a field 'type' in the message, got none"),
        ('{"type":5}', InvalidMessage, "expected a string as type, got something else"),
        (
            '{"type":"strat"}',
            InvalidMessage,
            "expected one of start, resume, configure, set_langs, finalize, keepalive, end, got 'strat'",
        ),
        (json.dumps({"type": "\x1b]0;title\x07\nü"}), InvalidMessage, r"got '\x1b]0;title\x07\nü'"),
        ('{"type":"start","langauge":"en"}', InvalidMessage, "unknown field 'langauge': did you mean 'language'?"),
        (
            '{"type":"start","audio":{"rate":8000}}',
            InvalidMessage,
            "expected of audio no fields but encoding, sample_rate, channels, got unknown field 'rate'",
        ),
        ('{"type":"configure","partial":true}', InvalidMessage, "unknown field 'partial': did you mean 'partials'?"),
        (
            '{"type":"end","language":"en"}',
            InvalidMessage,
            "expected of the message no fields but type, got unknown field 'language': leave it out",
        ),
        ('{"type":"start","partials":"yes"}', InvalidMessage, "expected true or false as partials, got a string"),
        ('{"type":"start","partials":null}', InvalidMessage, "expected true or false as partials, got null: leave the field out"),
        (
            '{"type":"start","audio":{"sample_rate":16000.5}}',
            InvalidMessage,
            "expected a whole number as audio.sample_rate, got a number that is not whole",
        ),
        ('{"type":"start","audio":{"sample_rate":4000}}', UnsupportedAudio, "between 8000 and 96000 Hz, got 4000"),
        ('{"type":"start","audio":{"channels":0}}', UnsupportedAudio, "between 1 and 8, got 0"),
        ('{"type":"start","audio":{"encoding":"mp3"}}', UnsupportedAudio, "pcm_s16le, pcm_f32le, mulaw"),
        ('{"type":"start","vad":"loud"}', InvalidOption, "vad must be one of both, silero, webrtc, off, got 'loud'"),
        ('{"type":"start","hotwords":["Kaldi","!"]}', InvalidOption, "hotwords[1]: a hot word must have a letter or digit"),
        (
            '{"type":"start","hotwords":[{"phrase":"Kaldi","weight":3}]}',
            InvalidOption,
            "hotwords[0]: the weight of a hot word must be between 0.1 and 2, got 3",
        ),
        ('{"type":"start","hotwords":[{"phrase":"Kaldi","wait":1}]}', InvalidMessage, "did you mean 'weight'"),
        ('{"type":"start","hotwords":"Kaldi"}', InvalidMessage, "expected a list as hotwords, got a string"),
        ('{"type":"start","hotwords":[7]}', InvalidMessage, "expected a string or an object as hotwords[0], got a whole number"),
        (msgspec.json.encode({"type": "start", "hotwords": ["a"] * 1001}).decode(), InvalidOption, "at most 1000 hot words"),
        ('{"type":"configure","quality":"good"}', InvalidOption, "quality must be one of fast, balanced, best, got 'good'"),
        ('{"type":"start","partial_interval_ms":99}', InvalidOption, "between 100 and 10000, got 99"),
        ('{"type":"configure","endpoint_silence_ms":10001}', InvalidOption, "between 100 and 10000, got 10001"),
        ('{"type":"start","language":""}', InvalidOption, "BCP 47"),
        ('{"type":"set_langs","source_language":"en_US"}', InvalidOption, "source_language must be a BCP 47 tag"),
        ('{"type":"set_langs","target_language":"English (US)"}', InvalidOption, "target_language must be a BCP 47 tag"),
        (json.dumps({"type": "start", "client_ref": "x" * 257}), InvalidOption, "at most 256 characters, got 257"),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(text: str, error: type[ClientError], says: str) -> None:
    with pytest.raises(error) as raised:
        decode_client(text)
    assert says in raised.value.message
    assert type(raised.value) is error


def test_a_refusal_quotes_only_a_little_of_the_client() -> None:
    for text in (
        f'{{"type":"{"x" * 9999}"}}',
        f'{{"type":"start","{"x" * 9999}":1}}',
        f'{{"type":"start","language":"{"x" * 9999}"}}',
    ):
        with pytest.raises(ClientError) as raised:
            decode_client(text)
        assert raised.value.message.count("x") <= QUOTE_LIMIT + 5
        assert len(raised.value.message) < 300


def test_every_type_is_named_in_the_refusal_of_an_unknown_one() -> None:
    tags = [struct.__struct_config__.tag for struct in ClientMessage.__args__]
    assert sorted(MESSAGE_TYPES) == sorted(tags)


def test_a_newer_server_may_send_more() -> None:
    sent = '{"type":"speech_started","sequence":3,"at":1.5,"loudness":-20}'
    assert encode(decode_server(sent)) == '{"type":"speech_started","sequence":3,"at":1.5}'


def test_null_ends_translation_and_absence_leaves_it() -> None:
    assert decode_client('{"type":"set_langs","target_language":null}') == SetLangs(target_language=None)
    assert decode_client('{"type":"set_langs"}') == SetLangs()
    assert SetLangs(target_language=None) != SetLangs()


def test_the_empty_start_is_a_start() -> None:
    assert decode_client('{"type":"start"}') == Start()
    assert decode_client('{"type":"configure"}') == Configure()


def test_frames_are_values() -> None:
    with pytest.raises(AttributeError):
        Start().language = "de"  # type: ignore[misc]  # frozen: that is the test
    assert msgspec.structs.replace(Start(), language="de") == Start(language="de")


@given(st.floats(0, 1e6))
def test_seconds_travel_to_the_millisecond(position: float) -> None:
    assert abs(wire_seconds(position) - position) <= 0.0005 + 1e-9
    assert len(json.dumps(wire_seconds(position)).partition(".")[2]) <= 3
