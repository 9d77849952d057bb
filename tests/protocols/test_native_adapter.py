import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from protocols.native_strategies import client_messages
from starling.core.audio import AudioFormat, Encoding
from starling.core.config import Quality, SessionConfig, VadMode
from starling.core.errors import ClientError, EngineFailed, InvalidMessage, InvalidOption, Overloaded, ShuttingDown
from starling.core.ports import Capabilities
from starling.core.transcript import (
    SegmentFailed,
    SessionDone,
    SessionFailed,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    Word,
)
from starling.protocols.native.adapter import TRANSITIONS, Input, NativeAdapter, State
from starling.protocols.native.messages import decode_server, encode
from starling.protocols.verbs import Configure, End, Feed, Finalize, Frame, KeepAlive, Offer, Open, Opened, OpenRequest

CAPABILITIES = Capabilities(
    model="scripted", model_version="1", languages=("en", "pt-BR"), word_times=True, confidence=True, max_utterance=480_000
)
OFFER = Offer(capabilities=CAPABILITIES, defaults=SessionConfig(partial_interval=0.4))

FRAMES: dict[Input, Frame] = {
    Input.START: '{"type":"start"}',
    Input.RESUME: '{"type":"resume","token":"t","sent":0}',
    Input.AUDIO: b"\x00\x00",
    Input.FINALIZE: '{"type":"finalize"}',
    Input.CONFIGURE: '{"type":"configure","words":true}',
    Input.KEEPALIVE: '{"type":"keepalive"}',
    Input.END: '{"type":"end"}',
}

WAYS: dict[State, list[Input]] = {
    State.AWAITING: [],
    State.STREAMING: [Input.START],
    State.ENDING: [Input.START, Input.END],
    State.DONE: [Input.START, Input.END],
}


def adapter_in(state: State) -> NativeAdapter:
    adapter = NativeAdapter(OFFER)
    for given_input in WAYS[state]:
        adapter.receive(FRAMES[given_input])
    if state is State.DONE:
        adapter.event(SessionDone("s", 0, 0))
    assert adapter.state is state
    return adapter


def said(frames: Sequence[Frame]) -> dict[str, Any]:
    (frame,) = frames
    assert isinstance(frame, str)
    message: dict[str, Any] = json.loads(frame)
    assert encode(decode_server(frame)) == frame
    return message


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", Input)
def test_the_table_is_the_law(state: State, kind: Input) -> None:
    adapter = adapter_in(state)
    after = TRANSITIONS.get((state, kind))
    if after is None:
        with pytest.raises(InvalidMessage, match=f"'{state}', got {kind}"):
            adapter.receive(FRAMES[kind])
        assert adapter.state is state
    else:
        adapter.receive(FRAMES[kind])
        assert adapter.state is after


def test_a_refused_frame_names_what_is_allowed() -> None:
    with pytest.raises(InvalidMessage, match="expected start, resume, audio, keepalive in state 'awaiting start', got finalize"):
        adapter_in(State.AWAITING).receive(FRAMES[Input.FINALIZE])
    with pytest.raises(InvalidMessage, match="expected nothing more in state 'done'"):
        adapter_in(State.DONE).receive(FRAMES[Input.KEEPALIVE])


def test_start_carries_format_and_options() -> None:
    sent = (
        '{"type":"start","audio":{"encoding":"mulaw","sample_rate":8000},"language":"pt-BR","partials":false,'
        '"partial_interval_ms":250,"endpoint_silence_ms":700,"finished_silence_ms":250,"words":true,"partial_words":true,'
        '"vad":"off","quality":"best","client_ref":"call 7"}'
    )
    assert NativeAdapter(OFFER).receive(sent) == [
        Open(
            OpenRequest(
                audio=AudioFormat(Encoding.MULAW, 8_000, 1),
                config=SessionConfig(
                    language="pt-BR",
                    partials=False,
                    partial_interval=0.25,
                    endpoint_silence=0.7,
                    finished_silence=0.25,
                    words=True,
                    partial_words=True,
                    vad=VadMode.OFF,
                    quality=Quality.BEST,
                ),
                client_ref="call 7",
            )
        )
    ]


def test_audio_first_opens_with_the_defaults() -> None:
    assert NativeAdapter(OFFER).receive(b"ab") == [Open(OpenRequest(config=OFFER.defaults)), Feed(b"ab")]


def test_each_verb() -> None:
    adapter = adapter_in(State.STREAMING)
    assert adapter.receive(b"") == [Feed(b"")]
    assert adapter.receive(FRAMES[Input.FINALIZE]) == [Finalize()]
    assert adapter.receive(FRAMES[Input.KEEPALIVE]) == [KeepAlive()]
    assert adapter.receive(FRAMES[Input.END]) == [End()]


def test_configure_changes_only_what_it_names() -> None:
    adapter = NativeAdapter(OFFER)
    adapter.receive('{"type":"start","endpoint_silence_ms":900}')
    expected = OFFER.defaults.updated(endpoint_silence=0.9, words=True)
    assert adapter.receive('{"type":"configure","words":true}') == [Configure(expected)]
    expected = expected.updated(language="pt-BR", target_language="de")
    sent = '{"type":"set_langs","source_language":"pt-BR","target_language":"de"}'
    assert adapter.receive(sent) == [Configure(expected)]
    assert adapter.receive('{"type":"set_langs","target_language":null}') == [Configure(expected.updated(target_language=None))]


@pytest.mark.parametrize(("asked", "served"), [("en", "en"), ("EN-us", "en"), ("pt-br", "pt-BR")])
def test_a_language_falls_back_to_the_nearest_the_server_speaks(asked: str, served: str) -> None:
    adapter = NativeAdapter(OFFER)
    (opened,) = adapter.receive(f'{{"type":"start","language":"{asked}"}}')
    assert isinstance(opened, Open)
    assert opened.request.config.language == served
    assert said(adapter.opened(Opened(session_id="s", trace_id="t")))["language"] == served


@pytest.mark.parametrize("asked", ["de", "pt", "english"])
def test_a_language_the_server_does_not_speak_is_refused(asked: str) -> None:
    adapter = NativeAdapter(OFFER)
    with pytest.raises(InvalidOption, match="must be one of en, pt-BR, got"):
        adapter.receive(f'{{"type":"start","language":"{asked}"}}')
    assert adapter.state is State.AWAITING


@given(st.lists(client_messages.map(encode) | st.binary(max_size=4) | st.text(max_size=20), max_size=12))
def test_any_order_of_frames_is_answered_in_the_protocol(frames: list[Frame]) -> None:
    adapter = NativeAdapter(OFFER)
    opens = 0
    for sequence, frame in enumerate(frames):
        before = adapter.state
        try:
            verbs = adapter.receive(frame)
        except ClientError as error:
            answer = said(adapter.error(error))
            unchanged = adapter.state is before
        else:
            answer = said(adapter.event(SpeechStarted("s", 0, sequence)))
            unchanged = True
            opens += sum(isinstance(verb, Open) for verb in verbs)
        assert unchanged
        assert answer["sequence"] == sequence
    assert opens <= 1
    assert said(adapter.event(SessionDone("s", 0, 0)))["sequence"] == len(frames)


def test_ready_says_what_was_made_of_the_request() -> None:
    adapter = NativeAdapter(OFFER)
    adapter.receive('{"type":"start","audio":{"encoding":"wav"},"client_ref":"me"}')
    assert said(adapter.opened(Opened(session_id="s1", trace_id="t1"))) == {
        "type": "ready",
        "sequence": 0,
        "session_id": "s1",
        "trace_id": "t1",
        "model": "scripted",
        "sample_rate": 16_000,
        "audio": {"encoding": "wav", "sample_rate": 16_000, "channels": 1},
        "language": "en",
        "partials": True,
        "partial_interval_ms": 400,
        "endpoint_silence_ms": 500,
        "finished_silence_ms": 10_000,
        "words": False,
        "partial_words": False,
        "vad": "both",
        "quality": "balanced",
        "hotwords": 0,
        "client_ref": "me",
    }


def test_results_are_in_seconds_and_numbered() -> None:
    adapter = adapter_in(State.STREAMING)
    adapter.opened(Opened(session_id="s1", trace_id="t1"))
    assert said(adapter.event(SpeechStarted("s1", 0, 1_600))) == {
        "type": "speech_started",
        "sequence": 1,
        "at": 0.1,
        "segment_id": 0,
    }
    final = Transcript(
        session_id="s1",
        segment_id=4,
        revision=2,
        is_final=True,
        text="one two",
        stable_text="one two",
        start=16_000,
        end=24_008,
        confidence=0.5,
        language="en",
    )
    assert said(adapter.event(final)) == {
        "type": "result",
        "sequence": 2,
        "session_id": "s1",
        "segment_id": 4,
        "version": 2,
        "result_type": "final",
        "is_final": True,
        "text": "one two",
        "stable_text": "one two",
        "start": 1.0,
        "end": 1.5,
        "confidence": 0.5,
        "language": "en",
        "trace_id": "t1",
    }
    assert said(adapter.event(SpeechEnded("s1", 4, 24_000, 32_000))) == {
        "type": "speech_ended",
        "sequence": 3,
        "at": 1.5,
        "segment_id": 4,
        "noticed": 2.0,
    }
    assert said(adapter.event(SessionDone("s1", 32_000, 1))) == {
        "type": "done",
        "sequence": 4,
        "session_id": "s1",
        "trace_id": "t1",
        "audio_seconds": 2.0,
        "segments": 1,
    }


def test_words_are_there_when_asked_for() -> None:
    adapter = adapter_in(State.STREAMING)
    heard = Transcript(session_id="s", segment_id=0, revision=0, is_final=False, text="hi", stable_text="", start=0, end=8_000)
    assert "words" not in said(adapter.event(heard))
    adapter.receive('{"type":"configure","words":true}')
    assert said(adapter.event(heard))["words"] == []
    with_words = Transcript(
        session_id="s",
        segment_id=0,
        revision=1,
        is_final=False,
        text="hi",
        stable_text="",
        start=0,
        end=8_000,
        words=(Word("hi", 800, 4_000, 0.9),),
    )
    assert said(adapter.event(with_words))["words"] == [{"text": "hi", "start": 0.05, "end": 0.25, "confidence": 0.9}]


def test_errors_carry_their_kind() -> None:
    adapter = adapter_in(State.STREAMING)
    overloaded = said(adapter.error(Overloaded("full", gate="gateway", retry_after=2.5)))
    assert overloaded == {
        "type": "error",
        "sequence": 0,
        "code": "overloaded",
        "message": "full",
        "retryable": True,
        "retry_after": 2.5,
    }
    assert said(adapter.error(ShuttingDown("bye")))["retryable"] is True
    failed = said(adapter.event(SegmentFailed("s", 3, EngineFailed.code, "out of memory")))
    assert (failed["code"], failed["retryable"], failed["segment_id"]) == ("engine_failed", True, 3)
    assert adapter.state is State.STREAMING
    over = said(adapter.event(SessionFailed("s", "of another version", "gone")))
    assert (over["retryable"], adapter.state) == (False, State.DONE)


def test_words_are_promised_only_by_an_engine_that_has_them() -> None:
    wordless = NativeAdapter(Offer(capabilities=replace(CAPABILITIES, word_times=False)))
    [opening] = wordless.receive('{"type":"start","words":true}')
    assert isinstance(opening, Open)
    assert not opening.request.config.words
    [ready] = wordless.opened(Opened(session_id="s", trace_id="t"))
    assert '"words":false' in str(ready)


def test_confidences_travel_to_four_digits() -> None:
    adapter = NativeAdapter(OFFER)
    adapter.receive('{"type":"start","words":true}')
    word = Word("a", 0, 160, 0.98765432)
    final = Transcript(
        session_id="s", segment_id=0, revision=1, is_final=True, text="a", stable_text="a", start=0, end=160,
        confidence=0.12345678, words=(word,),
    )  # fmt: skip
    [frame] = adapter.event(final)
    sent = json.loads(frame)
    assert (sent["confidence"], sent["words"][0]["confidence"]) == (0.1235, 0.9877)


def test_a_refusal_names_every_frame_that_may_come() -> None:
    adapter = NativeAdapter(OFFER)
    adapter.receive('{"type":"start"}')
    with pytest.raises(InvalidMessage, match="set_langs"):
        adapter.receive('{"type":"start"}')
