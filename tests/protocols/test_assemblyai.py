"""AssemblyAI's streaming protocol: turns in order, without holes, of words that stay once they were final."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from auth.test_keys import add
from gateway.gateway_harness import Served, run, served
from patience import PATIENCE
from protocols.dialect_server import client, native_texts, speaking
from protocols.foreign_client import OFFER, Gate, json_values, play, steps, transcript
from recordings import recording
from starling.app import Running
from starling.core.audio import Encoding, Samples
from starling.core.errors import ClientError, IdleTimeout, InvalidOption, SessionTooLong, UnsupportedAudio
from starling.core.transcript import Transcript
from starling.gateway.options import GatewayOptions
from starling.protocols.assemblyai.adapter import AssemblyAIAdapter
from starling.protocols.assemblyai.terms import CONNECTION, SESSION
from starling.protocols.dialects import spoken
from starling.protocols.foreign import Head
from starling.protocols.registry import DIALECTS
from starling.protocols.verbs import Configure, Feed, Finalize, Frame, KeepAlive, Open, OpenRequest
from starling.protocols.words import plain_text

SECOND = bytes(32_000)


def adapter(**query: Any) -> AssemblyAIAdapter:
    return AssemblyAIAdapter(OFFER, Head(query=tuple((name, str(value)) for name, value in query.items())))


def connected(**query: Any) -> Gate:
    gate = Gate(adapter(**query))
    gate.said.clear()
    return gate


def said(gate: Gate) -> list[dict[str, Any]]:
    answers = [json.loads(frame) for frame in gate.said]
    gate.said.clear()
    return answers


def opened(**query: Any) -> OpenRequest:
    (opening,) = adapter(**query).connected()
    assert isinstance(opening, Open)
    return opening.request


# --- the query ---------------------------------------------------------------------------------------------------------


def test_the_query_is_understood() -> None:
    request = opened(
        sample_rate=8000,
        encoding="pcm_mulaw",
        keyterms_prompt='["Kaldi", "Moon shine"]',
        max_turn_silence=1280,
        min_turn_silence=1,
        language_codes='["de", "en"]',
    )
    assert (request.audio.encoding, request.audio.sample_rate) == (Encoding.MULAW, 8000)
    assert [word.phrase for word in request.config.hotwords] == ["Kaldi", "Moon shine"]
    assert (request.config.endpoint_silence, request.config.finished_silence) == (1.28, 0.1)
    assert request.config.words
    assert not opened(include_partial_turns="False").config.partials


@pytest.mark.parametrize(
    ("query", "error", "named"),
    [
        ({"encoding": "aac"}, UnsupportedAudio, "encoding"),
        ({"sample_rate": 1}, UnsupportedAudio, "rate"),
        ({"sample_rate": "fast"}, UnsupportedAudio, "rate"),
        ({"keyterms_prompt": "Kaldi"}, InvalidOption, "keyterms_prompt"),
        ({"format_turns": "perhaps"}, InvalidOption, "format_turns"),
        ({"max_turn_silence": "long"}, InvalidOption, "max_turn_silence"),
        ({"language_code": "de"}, InvalidOption, "language_codes"),
    ],
)
def test_what_cannot_be_is_refused_by_name(query: dict[str, Any], error: type[ClientError], named: str) -> None:
    with pytest.raises(error, match=named):
        adapter(**query)


def test_everything_in_the_tables_is_treated_as_it_says() -> None:
    for name, term in (SESSION | CONNECTION).items():
        if term.treatment == "refused":
            with pytest.raises(InvalidOption, match=name):
                adapter(**{name: "true"})
            adapter(**{name: ""})
        elif term.treatment == "ignored":
            assert opened(**{name: "anything"}) == opened()


# --- messages ----------------------------------------------------------------------------------------------------------


def test_the_session_begins_with_the_connection() -> None:
    gate = Gate(adapter())
    assert said(gate) == [{"type": "Begin", "id": "00000000-0000-0000-0000-000000000000", "expires_at": 10_800}]
    assert gate.open


def test_messages_become_verbs() -> None:
    stream = adapter()
    assert list(stream.receive(SECOND)) == [Feed(SECOND)]
    assert list(stream.receive('{"type":"ForceEndpoint"}')) == [Finalize()]
    assert list(stream.receive('{"type":"KeepAlive"}')) == [KeepAlive()]
    (configured,) = stream.receive('{"type":"UpdateConfiguration","keyterms_prompt":["Kaldi"],"max_turn_silence":900}')
    assert isinstance(configured, Configure)
    assert configured.config.endpoint_silence == 0.9
    assert [word.phrase for word in configured.config.hotwords] == ["Kaldi"]
    with pytest.raises(InvalidOption, match="filter_profanity"):
        stream.receive('{"type":"UpdateConfiguration","filter_profanity":true}')


def test_what_is_no_message_ends_the_stream_as_there() -> None:
    gate = connected()
    gate.send('{"type":"Terminated"}')
    (error,) = said(gate)
    assert (error["type"], error["error_code"]) == ("Error", 3006)
    assert gate.failed is not None
    assert gate.adapter.closing(type(gate.failed)) == (3006, "invalid_message")
    assert gate.adapter.closing(SessionTooLong)[0] == 3008
    assert gate.adapter.closing(IdleTimeout)[0] == 3005
    assert gate.adapter.closing(None) == (1000, "")


def test_the_end_says_how_much_there_was_and_what_comes_after_is_not_minded() -> None:
    gate = connected()
    gate.send(SECOND)
    gate.hear("one two three four")
    said(gate)
    gate.send('{"type":"Terminate"}')
    assert said(gate) == [{"type": "Termination", "audio_duration_seconds": 1, "session_duration_seconds": 1}]
    assert gate.adapter.receive(SECOND) == ()


# --- turns -------------------------------------------------------------------------------------------------------------


def partial(text: str, stable: str) -> Transcript:
    whole = transcript(text)
    return replace(whole, is_final=False, stable_text=stable)


def test_a_turn_grows_by_words_that_stay_and_comes_once_more_formatted() -> None:
    stream = adapter(format_turns="true")
    first = [json.loads(frame) for frame in stream.event(partial("Hello, word", "Hello,"))]
    last = [json.loads(frame) for frame in stream.event(transcript("Hello, world."))]
    (grown,) = first
    assert (grown["transcript"], grown["end_of_turn"], grown["turn_order"]) == ("hello", False, 0)
    assert [(word["text"], word["word_is_final"]) for word in grown["words"]] == [("hello", True), ("word", False)]
    ended, formatted = last
    assert (ended["transcript"], ended["end_of_turn"], ended["turn_is_formatted"]) == ("hello world", True, False)
    assert (formatted["transcript"], formatted["turn_is_formatted"], formatted["turn_order"]) == ("Hello, world.", True, 0)
    assert formatted["words"][1] == {"start": 350, "end": 550, "text": "world.", "confidence": 0.5, "word_is_final": True}


def test_turns_leave_no_holes() -> None:
    gate = connected()
    for text, partials in (("one", ["one"]), ("", []), ("", ["shown"]), ("two", [])):
        gate.hear(text, partials=partials)
    ends = [m["turn_order"] for m in said(gate) if m["type"] == "Turn" and m["end_of_turn"]]
    assert ends == [0, 1, 2]


# --- fuzz --------------------------------------------------------------------------------------------------------------

names = st.sampled_from([*SESSION, *CONNECTION]) | st.text(max_size=8)
values = st.sampled_from(["true", "false", "1000", "nan", "[]", '["en"]', "pcm_s16le", ""]) | st.text(max_size=9)
queries = st.lists(st.tuples(names, values), max_size=6)
messages = (
    st.sampled_from(["ForceEndpoint", "KeepAlive", "Terminate"]).map(lambda kind: json.dumps({"type": kind}))
    | st.dictionaries(names, json_values, max_size=4).map(lambda fields: json.dumps(fields | {"type": "UpdateConfiguration"}))
    | json_values.map(json.dumps)
)
frames: st.SearchStrategy[Frame] = messages | st.binary(max_size=8) | st.text(max_size=20)


@given(queries, steps(frames))
def test_whatever_comes_turns_are_in_order_and_end_once(query: list[tuple[str, str]], happenings: list[Frame | int]) -> None:
    events: list[dict[str, Any]] = []
    with contextlib.suppress(ClientError):
        play(AssemblyAIAdapter(OFFER, Head(query=tuple(query))), happenings, lambda frame: events.append(json.loads(frame)))
    assert {event["type"] for event in events} <= {"Begin", "Turn", "SpeechStarted", "Termination", "Error"}
    ends = [
        turn["turn_order"] for turn in events if turn["type"] == "Turn" and turn["end_of_turn"] and not turn["turn_is_formatted"]
    ]
    assert ends == list(range(len(ends)))


# --- at the gateway ----------------------------------------------------------------------------------------------------

OPTIONS = GatewayOptions(port=0, protocols=spoken(["assemblyai"], DIALECTS))


def dial(it: Served, query: str = "?sample_rate=16000", **options: Any) -> connect:
    return connect(f"ws://{it.authority}/v3/ws{query}", compression=None, **options)


def test_keys_come_bare_in_the_header_or_in_the_query(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    token, _ = add(keys)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=OPTIONS.protocols, keys_file=keys)) as it:
            for headers, query in (
                ({"Authorization": token}, "?sample_rate=16000"),
                ({"Authorization": f"Bearer {token}"}, "?sample_rate=16000"),
                ({}, f"?token={token}"),
            ):
                async with dial(it, query, additional_headers=headers) as socket:
                    assert json.loads(await socket.recv())["type"] == "Begin"
                    await socket.send('{"type":"Terminate"}')
                    await socket.wait_closed()
                    assert socket.close_code == 1000
            with pytest.raises(InvalidStatus) as refused:
                await dial(it)
            assert refused.value.response.status_code == 401
            assert it.gateway.active == 0

    run(scenario)


# --- the real model ----------------------------------------------------------------------------------------------------


@pytest.mark.model
def test_turns_say_what_starling_s_own_protocol_says() -> None:
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        native = await native_texts(server, sound)
        async with client(f"{url}/v3/ws?sample_rate=16000&encoding=pcm_s16le&format_turns=true") as socket:

            async def send() -> None:
                for start in range(0, len(sound), 1600):
                    await socket.send(sound[start : start + 1600].tobytes())
                await socket.send('{"type":"Terminate"}')

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(send())
                heard = [json.loads(message) async for message in socket]
            assert socket.close_code == 1000
        turns = [message for message in heard if message["type"] == "Turn" and message["end_of_turn"]]
        formatted = [turn for turn in turns if turn["turn_is_formatted"]]
        assert [turn["transcript"] for turn in formatted] == native
        assert [" ".join(word["text"] for word in turn["words"]) for turn in formatted] == native
        bare = [turn["transcript"] for turn in turns if not turn["turn_is_formatted"]]
        assert bare == [plain_text(text) for text in native]
        assert heard[-1] == {"type": "Termination", "audio_duration_seconds": round(len(sound) / 16_000)} | {
            "session_duration_seconds": round(len(sound) / 16_000)
        }

    speaking("assemblyai", scenario)


def listen(url: str, sound: Samples, v3: Any) -> list[Any]:
    """What AssemblyAI's own client hears of ``sound``."""
    heard: list[Any] = []
    done = threading.Event()
    transcriber = v3.StreamingClient(v3.StreamingClientOptions(api_key="any", api_host=url))
    events = v3.StreamingEvents
    for event in (events.Begin, events.Turn, events.Error, events.Termination):
        transcriber.on(event, lambda _, message: heard.append(message))
    transcriber.on(events.Termination, lambda *_: done.set())
    transcriber.connect(v3.StreamingParameters(sample_rate=16_000, format_turns=True, keyterms_prompt=["Godot"]))
    try:
        for start in range(0, len(sound), 1600):
            transcriber.stream(sound[start : start + 1600].tobytes())
        transcriber.force_endpoint()
    finally:
        transcriber.disconnect(terminate=True)
    assert done.wait(PATIENCE)
    return heard


@pytest.mark.model
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_its_own_client_reads_the_same() -> None:
    v3 = pytest.importorskip("assemblyai.streaming.v3", reason="make setup-dev installs it")
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        native = await native_texts(server, sound)
        begin, *turns, termination = await asyncio.to_thread(listen, url, sound, v3)
        assert len(begin.id) == 36
        formatted = [turn for turn in turns if turn.end_of_turn and turn.turn_is_formatted]
        assert len(formatted) == len(native)
        assert plain_text(" ".join(turn.transcript for turn in formatted)) == plain_text(" ".join(native))
        assert [turn.turn_order for turn in formatted] == list(range(len(native)))
        assert termination.audio_duration_seconds == round(len(sound) / 16_000)

    speaking("assemblyai", scenario)
