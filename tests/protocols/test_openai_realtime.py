"""OpenAI's Realtime protocol: items in order, deltas that add up, commits by hand that miss nothing."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from auth.test_keys import add
from gateway.gateway_harness import Served, run, served
from protocols.dialect_server import ClientConnection, client, native_texts, speaking
from protocols.foreign_client import OFFER, Gate, json_values, play, steps, transcript
from recordings import recording
from starling.app import Running
from starling.core.audio import AudioFormat, Encoding, Samples
from starling.core.errors import EngineFailed
from starling.core.transcript import SegmentFailed, SessionDone, SpeechEnded, SpeechStarted, Transcript
from starling.gateway.options import GatewayOptions
from starling.protocols.deltas import GrowingText
from starling.protocols.dialects import spoken
from starling.protocols.foreign import Head
from starling.protocols.openai_realtime.adapter import OpenAIRealtimeAdapter
from starling.protocols.registry import DIALECTS
from starling.protocols.verbs import Configure, End, Frame, Open, Verb

TRACE = "0af7651916cd43dd8448eb211c80319c"
SECOND = bytes(48_000)


def adapter() -> OpenAIRealtimeAdapter:
    return OpenAIRealtimeAdapter(OFFER, Head(trace_id=TRACE))


def update(**fields: Any) -> str:
    return json.dumps(
        {"type": "session.update", "event_id": "mine", "session": {"type": "transcription", "audio": {"input": fields}}}
    )


def append(data: bytes = SECOND) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": b64encode(data).decode()})


COMMIT = '{"type":"input_audio_buffer.commit","event_id":"c1"}'
CLEAR = '{"type":"input_audio_buffer.clear"}'
BY_HAND = update(turn_detection=None)


def connected(*frames: str) -> Gate:
    gate = Gate(adapter())
    for frame in frames:
        gate.send(frame)
    gate.said.clear()
    return gate


def said(gate: Gate) -> list[dict[str, Any]]:
    answers = [json.loads(frame) for frame in gate.said]
    gate.said.clear()
    return answers


def kinds(events: list[dict[str, Any]]) -> list[str]:
    names = {"conversation.item.input_audio_transcription.": "", "input_audio_buffer.": "", "conversation.": ""}
    found = []
    for event in events:
        kind = event["type"]
        for prefix in names:
            kind = kind.removeprefix(prefix)
        found.append(kind)
    return found


# --- the session -------------------------------------------------------------------------------------------------------


def test_the_session_comes_first_with_its_defaults() -> None:
    (created,) = said(Gate(adapter()))
    assert created["type"] == "session.created"
    session = created["session"]
    assert (session["id"], session["object"], session["type"]) == (
        f"sess_{TRACE}",
        "realtime.transcription_session",
        "transcription",
    )
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500


def test_an_update_changes_what_it_names_and_shows_the_whole() -> None:
    gate = connected()
    gate.send(update(format={"type": "audio/pcmu"}, transcription={"model": "any", "language": "en", "keywords": ["Kaldi", "-"]}))
    gate.send(update(turn_detection={"type": "server_vad", "silence_duration_ms": 700, "threshold": 0.6}))
    _, updated = said(gate)
    asked = updated["session"]["audio"]["input"]
    assert asked["format"] == {"type": "audio/pcmu"}
    assert asked["transcription"]["language"] == "en"
    assert asked["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.6,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 700,
    }
    gate.send(append())
    opening = next(verb for verb in gate.verbs if isinstance(verb, Open))
    assert opening.request.audio == AudioFormat(Encoding.MULAW, 8_000)
    assert opening.request.config.endpoint_silence == 0.7
    assert [word.phrase for word in opening.request.config.hotwords] == ["Kaldi"]
    gate.send(update(turn_detection={"type": "semantic_vad", "eagerness": "low"}))
    configured = gate.verbs[-2]
    assert isinstance(configured, Configure)
    assert configured.config.finished_silence < configured.config.endpoint_silence


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        ('{"type":"session.update","session":{"type":"realtime"},"event_id":"mine"}', "session.type"),
        (update(format={"type": "audio/opus"}), "format"),
        (update(format={"type": "audio/pcm", "rate": 7}), "rate"),
        (update(turn_detection={"type": "server_vad", "silence_duration_ms": 1}), "silence_duration_ms"),
        (update(transcription={"language": "tlh"}), "tlh"),
        ('{"type":"session.update","session":[],"event_id":"mine"}', "session"),
        ('{"type":"response.create","event_id":"mine"}', "conversations"),
        ('{"type":"input_audio_buffer.append","audio":"?","event_id":"mine"}', "base64"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_the_event_and_changes_nothing(frame: str, named: str) -> None:
    gate = connected()
    gate.send(frame)
    (error,) = said(gate)
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    assert error["error"]["event_id"] == "mine"
    assert named in error["error"]["message"]
    gate.send(update())
    (updated,) = said(gate)
    assert updated["session"] == said(Gate(adapter()))[0]["session"]


def test_the_format_stays_once_audio_came_and_hands_change_between_items() -> None:
    gate = connected(append())
    gate.send(update(format={"type": "audio/pcma"}))
    gate.send(BY_HAND)
    assert kinds(said(gate)) == ["error", "error"]
    gate.send(CLEAR)
    gate.send(BY_HAND)
    assert kinds(said(gate)) == ["cleared", "session.updated"]


# --- turns -------------------------------------------------------------------------------------------------------------


def tell(gate: Gate, *events: Any) -> list[dict[str, Any]]:
    return [json.loads(frame) for event in events for frame in gate.adapter.event(event)]


def partial(stable: str, *, segment: int = 0) -> Transcript:
    return Transcript(
        session_id="s", segment_id=segment, revision=1, is_final=False, text=stable, stable_text=stable, start=0, end=1600
    )


def test_a_turn_is_an_item_whose_deltas_add_up() -> None:
    gate = connected(append())
    events = tell(
        gate,
        SpeechStarted("s", 0, 1600),
        partial("One"),
        partial("One two,"),
        partial("One two,"),
        SpeechEnded("s", 0, 9600, 17_600),
        transcript("One two three."),
    )
    assert kinds(events) == [
        "speech_started", "delta", "delta", "speech_stopped", "committed", "item.added", "item.done", "delta", "completed",
    ]  # fmt: skip
    assert {event.get("item_id", events[0]["item_id"]) for event in events} == {events[0]["item_id"]}
    assert (events[0]["audio_start_ms"], events[3]["audio_end_ms"]) == (100, 600)
    assert "".join(event["delta"] for event in events if "delta" in event) == events[-1]["transcript"] == "One two three."
    assert events[-1]["usage"] == {"type": "duration", "seconds": 0.75}
    assert len({event["event_id"] for event in events}) == len(events)


def test_items_name_the_one_before() -> None:
    gate = connected(append())
    gate.hear("one")
    gate.hear("two")
    one, two = (event for event in said(gate) if event["type"] == "input_audio_buffer.committed")
    assert one["previous_item_id"] is None
    assert two["previous_item_id"] == one["item_id"]


def test_a_segment_that_failed_is_an_item_that_failed() -> None:
    gate = connected(append())
    events = tell(
        gate,
        SpeechStarted("s", 0, 0),
        SpeechEnded("s", 0, 1600, 9600),
        SegmentFailed("s", 0, EngineFailed.code, "the decode failed"),
        transcript(""),
    )
    assert kinds(events)[-1] == "failed"
    assert events[-1]["error"]["code"] == "engine_failed"


def test_a_commit_among_turns_ends_what_is_said_or_is_an_item_of_silence() -> None:
    gate = connected(append())
    gate.hear("one")
    said(gate)
    gate.send(COMMIT)
    assert kinds(said(gate)) == []  # the speech that was cut is the item
    gate.send(append())
    gate.send(COMMIT)
    events = said(gate)
    assert kinds(events) == ["committed", "item.added", "item.done", "completed"]
    assert events[-1]["transcript"] == ""


def test_positions_go_on_after_a_commit() -> None:
    gate = connected(append(), COMMIT, append())
    (started,) = tell(gate, SpeechStarted("s", 0, 1600))
    assert started["audio_start_ms"] == 1100


# --- by hand -----------------------------------------------------------------------------------------------------------


def test_a_commit_by_hand_is_one_item_of_all_that_was_said() -> None:
    gate = connected(BY_HAND, append())
    gate.hear("One two.", partials=["One"])
    gate.hear("Three.")
    gate.send(COMMIT)
    events = said(gate)
    assert kinds(events) == ["delta", "delta", "committed", "item.added", "item.done", "completed"]
    assert "".join(event.get("delta", "") for event in events) == events[-1]["transcript"] == "One two. Three."
    gate.send(append())
    gate.send(COMMIT)
    again = said(gate)
    assert again[-1]["transcript"] == ""
    assert again[0]["previous_item_id"] == events[2]["item_id"]
    assert gate.sessions == 2


@pytest.mark.parametrize("frames", [(), (append(bytes(4_000)),)])
def test_less_than_a_tenth_of_a_second_cannot_be_committed(frames: tuple[str, ...]) -> None:
    gate = connected(BY_HAND, *frames)
    gate.send(COMMIT)
    (error,) = said(gate)
    assert error["error"]["code"] == "input_audio_buffer_commit_empty"
    assert error["error"]["event_id"] == "c1"


def test_what_is_cleared_is_no_item() -> None:
    stream = adapter()
    for frame in (BY_HAND, append()):
        stream.receive(frame)
    verbs: list[Verb] = list(stream.receive(CLEAR))
    assert isinstance(verbs[-1], End)
    for event in (SpeechStarted("s", 0, 0), SpeechEnded("s", 0, 800, 800), transcript("one"), SessionDone("s", 16_000, 1)):
        assert not stream.event(event)
    assert isinstance(stream.receive(append())[0], Open)


# --- deltas ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["one", "two,", "three.", "Four"]), max_size=6), st.integers(0, 6), st.booleans())
def test_deltas_only_grow_and_add_up_to_a_final_that_agrees(words: list[str], split: int, agrees: bool) -> None:  # noqa: FBT001
    growing = GrowingText()
    told = growing.partial(" ".join(words[:split])) + growing.partial(" ".join(words[:split]))
    final = " ".join(words) if agrees else "something else"
    told += growing.final(final)
    assert growing.text == final
    if agrees:
        assert told == final


# --- fuzz --------------------------------------------------------------------------------------------------------------

inputs = st.fixed_dictionaries(
    {},
    optional={
        "format": st.sampled_from([{"type": "audio/pcm"}, {"type": "audio/pcmu"}, None]) | json_values,
        "turn_detection": st.sampled_from([None, {"type": "server_vad"}, {"type": "semantic_vad"}]) | json_values,
        "transcription": json_values,
        "noise_reduction": json_values,
    },
)
messages = (
    st.builds(lambda fields: update(**fields), inputs)
    | st.sampled_from([append(), COMMIT, CLEAR, BY_HAND])
    | st.fixed_dictionaries(
        {"type": st.sampled_from(["session.update", "input_audio_buffer.append"]), "session": json_values, "audio": json_values}
    ).map(json.dumps)
    | json_values.map(json.dumps)
)
frames: st.SearchStrategy[Frame] = messages | st.binary(max_size=8) | st.text(max_size=20)


@given(steps(frames))
def test_whatever_comes_events_are_its_own_and_every_item_is_answered_once(happenings: list[Frame | int]) -> None:
    events: list[dict[str, Any]] = []
    play(adapter(), happenings, lambda frame: events.append(json.loads(frame)))
    assert all(isinstance(event["type"], str) and event["event_id"] for event in events)
    committed = [event["item_id"] for event in events if event["type"] == "input_audio_buffer.committed"]
    answered = [event["item_id"] for event in events if event["type"].endswith((".completed", ".failed"))]
    assert sorted(answered) == sorted(committed)
    assert len(set(committed)) == len(committed)


# --- at the gateway ----------------------------------------------------------------------------------------------------

OPTIONS = GatewayOptions(port=0, protocols=spoken(["openai-realtime"], DIALECTS))


def dial(it: Served, **options: Any) -> connect:
    return connect(f"ws://{it.authority}/v1/realtime?intent=transcription", compression=None, **options)


def test_keys_come_in_the_header_or_the_subprotocol(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    token, _ = add(keys)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=OPTIONS.protocols, keys_file=keys)) as it:
            async with dial(it, additional_headers={"Authorization": f"Bearer {token}"}) as one:
                assert json.loads(await one.recv())["type"] == "session.created"
            async with dial(it, subprotocols=["realtime", f"openai-insecure-api-key.{token}"]) as page:
                assert page.subprotocol == "realtime"
            with pytest.raises(InvalidStatus) as refused:
                await dial(it)
            assert refused.value.response.status_code == 401
            error = json.loads(refused.value.response.body or b"")["error"]
            assert set(error) == {"message", "type", "param", "code"}

    run(scenario)


def test_commits_by_hand_leave_no_session_open() -> None:
    async def scenario() -> None:
        async with served(OPTIONS) as it, dial(it) as socket:
            await socket.send(BY_HAND)
            for _ in range(3):
                await socket.send(append())
                await socket.send(COMMIT)
            completed = 0
            while completed < 3:
                completed += json.loads(await socket.recv())["type"].endswith(".completed")
            assert it.count("starling_sessions_opened_total") == 3
            assert it.gateway.active == 1
            assert it.log.lag() == 0

    run(scenario)


# --- the real model ----------------------------------------------------------------------------------------------------


async def transcribe(socket: ClientConnection, parts: list[Samples], session: str, last: int | str) -> list[dict[str, Any]]:
    """All events of a connection that commits after each of ``parts``, up to the ``last`` transcript: its number, or its text."""
    await socket.send(session)
    events: list[dict[str, Any]] = []

    async def send() -> None:
        for part in parts:
            for start in range(0, len(part), 2400):
                await socket.send(append(part[start : start + 2400].tobytes()))
            await socket.send(COMMIT)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        while not (found := completed(events)) or last not in {len(found), found[-1]}:
            events.append(json.loads(await socket.recv()))
    return events


def completed(events: list[dict[str, Any]]) -> list[str]:
    return [event["transcript"] for event in events if event["type"].endswith(".completed")]


@pytest.mark.model
def test_turns_and_commits_say_what_starling_s_own_says() -> None:
    sound = recording("beckett")
    quiet = np.concatenate([sound, np.zeros(32_000, np.int16)])

    async def scenario(server: Running, url: str) -> None:
        pcm = {"type": "audio/pcm", "rate": 16_000}
        address = f"{url}/v1/realtime?intent=transcription"
        native = await native_texts(server, quiet)
        async with client(address) as socket:
            turns = await transcribe(socket, [quiet], update(format=pcm), last="")
        assert completed(turns) == [*native, ""]
        half = len(sound) // 2
        parts = [sound[:half], sound[half:]]
        async with client(address) as socket:
            items = await transcribe(socket, parts, update(format=pcm, turn_detection=None), last=2)
        assert completed(items) == [" ".join(await native_texts(server, part)) for part in parts]

    speaking("openai-realtime", scenario)
