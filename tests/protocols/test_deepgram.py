"""Deepgram's streaming protocol: ranges that never overlap, utterances that end, and clients that were written for it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from itertools import pairwise
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
from starling.core.errors import ClientError, IdleTimeout, InvalidOption, UnsupportedAudio
from starling.core.transcript import SessionDone, SpeechEnded, SpeechStarted
from starling.gateway.options import GatewayOptions
from starling.protocols.deepgram.adapter import DeepgramAdapter, State
from starling.protocols.deepgram.parameters import PARAMETERS
from starling.protocols.deepgram.utterances import UtteranceWatch
from starling.protocols.dialects import spoken
from starling.protocols.foreign import Head
from starling.protocols.registry import DIALECTS
from starling.protocols.verbs import Configure, Feed, Finalize, Frame, KeepAlive, Open, Opened, OpenRequest
from starling.protocols.words import plain

PCM = {"encoding": "linear16", "sample_rate": "16000"}
SECOND = bytes(32_000)


def adapter(**query: Any) -> DeepgramAdapter:
    pairs = [(name, str(value)) for name, given in query.items() for value in (given if isinstance(given, list) else [given])]
    return DeepgramAdapter(OFFER, Head(query=tuple(pairs)))


def connected(**query: Any) -> Gate:
    return Gate(adapter(**{**PCM, **query}))


def said(gate: Gate) -> list[dict[str, Any]]:
    answers = [json.loads(frame) for frame in gate.said]
    gate.said.clear()
    return answers


def request_of(gate: Gate) -> OpenRequest:
    return next(verb.request for verb in gate.verbs if isinstance(verb, Open))


def opened(**query: Any) -> OpenRequest:
    (opening, _) = adapter(**query).receive(SECOND)
    assert isinstance(opening, Open)
    return opening.request


# --- the query ---------------------------------------------------------------------------------------------------------


def test_telephony_and_options_of_a_voice_agent() -> None:
    request = opened(
        encoding="mulaw",
        sample_rate=8000,
        channels=1,
        interim_results="true",
        endpointing=25,
        vad_events="true",
        language="en-US",
    )
    assert (request.audio.encoding, request.audio.sample_rate) == (Encoding.MULAW, 8000)
    assert request.config.endpoint_silence == 0.3
    assert request.config.partials
    assert request.config.words
    assert request.config.partial_words
    assert opened(encoding="alaw").audio.sample_rate == 8000


def test_interim_results_are_off_unless_asked_for() -> None:
    assert not opened(**PCM).config.partials
    assert opened(**PCM, endpointing=700).config.endpoint_silence == 0.7
    assert opened(**PCM, endpointing="false").config.endpoint_silence == OFFER.defaults.endpoint_silence


def test_keyterms_and_keywords_are_hot_words() -> None:
    request = opened(**PCM, keyterm=["Kaldi", "Moon shine", "-"], keywords=["starling:2", "um:-10", "it", "a:b"])
    assert [word.phrase for word in request.config.hotwords] == ["Kaldi", "Moon shine", "starling", "it", "a:b"]


@pytest.mark.parametrize(
    ("query", "error", "named"),
    [
        ({"encoding": "g729"}, UnsupportedAudio, "encoding"),
        ({"encoding": "linear16"}, InvalidOption, "sample_rate"),
        ({**PCM, "sample_rate": 7}, InvalidOption, "sample_rate"),
        ({**PCM, "channels": 99}, InvalidOption, "channels"),
        ({**PCM, "interim_results": "perhaps"}, InvalidOption, "interim_results"),
        ({**PCM, "utterance_end_ms": 1000}, InvalidOption, "interim_results"),
        ({**PCM, "utterance_end_ms": 10, "interim_results": "true"}, InvalidOption, "utterance_end_ms"),
        ({**PCM, "endpointing": "soon"}, InvalidOption, "endpointing"),
        ({**PCM, "language": "tlh"}, InvalidOption, "tlh"),
    ],
)
def test_what_cannot_be_is_refused_by_name(query: dict[str, Any], error: type[ClientError], named: str) -> None:
    with pytest.raises(error, match=named):
        adapter(**query)


def test_everything_in_the_table_is_treated_as_it_says() -> None:
    for name, term in PARAMETERS.items():
        if term.treatment == "refused":
            with pytest.raises(InvalidOption, match=name):
                adapter(**PCM, **{name: "true"})
            adapter(**PCM, **{name: "False"})
        elif term.treatment == "ignored":
            assert opened(**PCM, **{name: "anything"}) == opened(**PCM)
    assert opened(**PCM, never_heard_of="1") == opened(**PCM)


@pytest.mark.parametrize(
    ("beginning", "encoding"),
    [(b"RIFF", Encoding.WAV), (b"OggS", Encoding.OGG_OPUS), (b"\x1a\x45\xdf\xa3", Encoding.WEBM_OPUS)],
)
def test_containers_are_told_by_their_beginning_however_it_is_cut(beginning: bytes, encoding: Encoding) -> None:
    stream = adapter(model="nova-3")
    assert stream.receive('{"type":"KeepAlive"}') == ()
    assert stream.receive(beginning[:3]) == ()
    opening, feed = stream.receive(beginning[3:] + b"more")
    assert isinstance(opening, Open)
    assert opening.request.audio.encoding is encoding
    assert feed == Feed(beginning + b"more")


def test_bytes_without_a_header_need_an_encoding() -> None:
    stream = adapter()
    with pytest.raises(UnsupportedAudio, match="encoding and sample_rate"):
        stream.receive(b"\0\0\0\0\0")
    assert stream.state is State.AWAITING
    assert stream.closing(UnsupportedAudio) == (1008, "DATA-0000: the audio cannot be decoded")


# --- messages ----------------------------------------------------------------------------------------------------------


def test_controls_become_verbs_and_any_opens_where_the_encoding_is_known() -> None:
    stream = adapter(**PCM)
    opening, alive = stream.receive('{"type":"KeepAlive"}')
    assert isinstance(opening, Open)
    assert isinstance(alive, KeepAlive)
    assert list(stream.receive('{"type":"Finalize"}')) == [Finalize()]
    with pytest.raises(ClientError, match="channel"):
        stream.receive('{"type":"Finalize","channel":1}')


@pytest.mark.parametrize("ending", ['{"type":"CloseStream"}', b""])
def test_the_end_has_metadata_and_what_comes_after_is_not_minded(ending: Frame) -> None:
    gate = connected()
    gate.send(SECOND)
    gate.send(ending)
    (metadata,) = said(gate)
    assert metadata == {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": "00000000-0000-0000-0000-000000000000",
        "sha256": hashlib.sha256(SECOND).hexdigest(),
        "created": "1970-01-01T00:00:00.000Z",
        "duration": 0.0,
        "channels": 1,
    }
    assert gate.over
    assert gate.adapter.receive(SECOND) == ()
    assert gate.adapter.receive('{"type":"KeepAlive"}') == ()


def test_other_text_is_a_schema_error_and_the_stream_goes_on() -> None:
    gate = connected()
    gate.send(SECOND)
    gate.send('{"type":"Finalise"}')
    (error,) = said(gate)
    assert (error["type"], error["variant"]) == ("Error", "SchemaError")
    gate.hear("one")
    assert said(gate)[0]["type"] == "Results"


def test_keyterms_and_formats_change_in_mid_stream() -> None:
    gate = connected()
    gate.send(SECOND)
    gate.send('{"type":"Configure","keyterms":["Kaldi"],"features":{"punctuate":true,"numerals":true}}')
    configured = gate.verbs[-2]
    assert isinstance(configured, Configure)
    assert [word.phrase for word in configured.config.hotwords] == ["Kaldi"]
    gate.hear("Well, yes.")
    gate.send('{"type":"Configure","features":{"punctuate":false}}')
    gate.hear("Well, yes.")
    answer, first, other, second = said(gate)
    assert answer["type"] == "ConfigureSuccess"
    assert answer["keyterms"] == ["Kaldi"]
    assert "keyterms" not in other
    assert first["channel"]["alternatives"][0]["transcript"] == "Well, yes."
    assert second["channel"]["alternatives"][0]["transcript"] == "well yes"


# --- results -----------------------------------------------------------------------------------------------------------


def test_words_have_both_forms_when_asked() -> None:
    gate = connected(smart_format="true", vad_events="true")
    gate.send(SECOND)
    gate.hear("Hello, world.")
    started, results = said(gate)
    assert started == {"type": "SpeechStarted", "timestamp": 0.0, "channel": [0]}
    assert results["channel_index"] == [0, 1]
    assert results["channel"]["alternatives"][0] == {
        "transcript": "Hello, world.",
        "confidence": 0.5,
        "words": [
            {"word": "hello", "start": 0.0, "end": 0.2, "confidence": 0.5, "punctuated_word": "Hello,"},
            {"word": "world", "start": 0.25, "end": 0.45, "confidence": 0.5, "punctuated_word": "world."},
        ],
    }


def test_final_ranges_touch_and_interim_ones_begin_where_the_last_final_ended() -> None:
    gate = connected(interim_results="true")
    gate.send(SECOND)
    gate.hear("one two", partials=["one"])
    gate.hear("", partials=["three", "four"])
    results = said(gate)
    assert [r["is_final"] for r in results] == [False, True, False, False, True]
    assert [r["start"] for r in results] == [0.0, 0.0, 0.5, 0.5, 0.5]
    assert results[1]["duration"] == 0.5
    assert results[-1]["channel"]["alternatives"][0] == {"transcript": "", "confidence": 0.0, "words": []}


def end_segment(stream: DeepgramAdapter, text: str, *, start: int, wait: int, segment: int = 0) -> list[dict[str, Any]]:
    """A segment whose speaker was silent for ``wait`` samples at its end."""
    final = transcript(text, segment=segment, start=start)
    events = (
        SpeechStarted("s", segment, start),
        SpeechEnded("s", segment, final.end, final.end + wait),
        final,
    )
    return [json.loads(frame) for event in events for frame in stream.event(event)]


@pytest.mark.parametrize(("query", "wait", "final"), [({}, 8000, True), ({}, 0, False), ({"endpointing": "false"}, 8000, False)])
def test_speech_is_final_after_a_pause_only(query: dict[str, str], wait: int, final: bool) -> None:  # noqa: FBT001
    stream = adapter(**PCM, **query)
    stream.receive(SECOND)
    (results,) = end_segment(stream, "one", start=0, wait=wait)
    assert results["speech_final"] is final
    assert results["from_finalize"] is False


def test_the_answer_to_finalize_says_so_also_with_endpointing_off() -> None:
    stream = adapter(**PCM, endpointing="false")
    stream.receive(SECOND)
    stream.receive('{"type":"Finalize"}')
    (results,) = end_segment(stream, "one two", start=8000, wait=0)
    assert (results["speech_final"], results["from_finalize"]) == (True, True)
    (later,) = end_segment(stream, "one", start=20_000, wait=0, segment=1)
    assert later["from_finalize"] is False


def test_a_finalize_in_silence_is_not_answered_by_later_speech() -> None:
    stream = adapter(**PCM)
    stream.receive(SECOND)
    (before,) = end_segment(stream, "one", start=0, wait=8000)
    stream.receive('{"type":"Finalize"}')
    stream.receive(SECOND)
    (after,) = end_segment(stream, "one", start=17_000, wait=0, segment=1)
    assert (before["from_finalize"], after["from_finalize"]) == (False, False)


def test_the_request_is_named_by_its_trace() -> None:
    stream = adapter(**PCM)
    stream.receive(SECOND)
    stream.opened(Opened(session_id="s", trace_id="0af7651916cd43dd8448eb211c80319c", began=0.0))
    (results,) = end_segment(stream, "one", start=0, wait=0)
    assert results["metadata"]["request_id"] == "0af76519-16cd-43dd-8448-eb211c80319c"
    assert results["metadata"]["model_info"]["name"] == "scripted"


def test_who_is_silent_too_long_hears_of_it_in_the_close_frame() -> None:
    stream = adapter(**PCM)
    assert stream.error(IdleTimeout("")) == ()
    code, reason = stream.closing(IdleTimeout)
    assert code == 1011
    assert reason.startswith("NET-0001")
    assert stream.closing(None) == (1000, "")


def test_plain_words() -> None:
    assert [plain(word) for word in ("Hello,", "it's", "(No!)", "...")] == ["hello", "it's", "no", ""]


# --- the end of utterances ---------------------------------------------------------------------------------------------


def test_an_utterance_ends_as_audio_goes_by_live() -> None:
    gate = connected(interim_results="true", utterance_end_ms=1000)
    gate.send(SECOND)
    gate.hear("one two")  # ends at 0.5 s, by which a second has come: recognition is half a second behind
    for _ in range(3):
        gate.send(bytes(8000))
    assert [m["type"] for m in said(gate)] == ["Results"]
    gate.send(bytes(8000))
    (told,) = said(gate)
    assert told == {"type": "UtteranceEnd", "last_word_end": 0.45, "channel": [0, 1]}
    gate.send(SECOND)
    gate.send('{"type":"CloseStream"}')
    assert [m["type"] for m in said(gate)] == ["Metadata"]


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=8),
    st.integers(1, 40),
    st.booleans(),
)
def test_who_sends_at_once_hears_of_the_same_utterances(
    pieces: list[tuple[int, int]],
    patience: int,
    late: bool,  # noqa: FBT001
) -> None:
    """``pieces``: how long each silence and each speech lasts. ``late``: finals come after all that begins."""
    watch = UtteranceWatch(patience)
    told: list[int | None] = []
    at, spans = 0, []
    for silence, speech in pieces:
        spans.append((at + silence, at + silence + speech))
        at = spans[-1][1]
    for start, _ in spans if late else ():
        told.append(watch.began(start))
    for start, end in spans:
        if not late:
            told.append(watch.began(start))
        told += [watch.settled(end, end, None), watch.received(10**9)]
    told.append(watch.over(at + patience))
    ends = [end for (_, end), (start, _) in pairwise(spans) if start - end >= patience]
    assert [position for position in told if position is not None] == [*ends, spans[-1][1]]


# --- fuzz --------------------------------------------------------------------------------------------------------------

messages = (
    st.fixed_dictionaries(
        {"type": st.sampled_from(["KeepAlive", "Finalize", "CloseStream", "Configure"]) | st.text(max_size=8)},
        optional={
            "channel": json_values,
            "keyterms": st.lists(st.text(max_size=120), max_size=3) | json_values,
            "features": json_values,
        },
    )
    | json_values
).map(json.dumps)
frames: st.SearchStrategy[Frame] = messages | st.binary(max_size=8) | st.text(max_size=20) | st.just(SECOND)
queries = st.lists(
    st.tuples(
        st.sampled_from(sorted(PARAMETERS)) | st.text(max_size=8),
        st.sampled_from(["true", "1000", "mulaw", "", "en"]) | st.text(max_size=9),
    ),
    max_size=6,
)
TYPES = {"Results", "SpeechStarted", "UtteranceEnd", "Metadata", "ConfigureSuccess", "ConfigureFailure", "Error"}


def check(frame: Frame) -> None:
    assert isinstance(frame, str)
    assert json.loads(frame)["type"] in TYPES


@given(queries, steps(frames))
def test_whatever_comes_only_its_own_messages_answer(query: list[tuple[str, str]], happenings: list[Frame | int]) -> None:
    with contextlib.suppress(ClientError):
        play(DeepgramAdapter(OFFER, Head(query=tuple(query))), happenings, check)
    stream = adapter(**PCM, interim_results="true", utterance_end_ms=1000, vad_events="true")
    gate = play(stream, happenings, check)
    results = [m for m in map(json.loads, gate.said) if m["type"] == "Results" and m["is_final"]]
    for one, other in pairwise(results):
        assert one["start"] + one["duration"] == pytest.approx(other["start"])


def test_a_session_that_fails_says_so() -> None:
    stream = adapter(**PCM)
    stream.receive(SECOND)
    (metadata,) = stream.event(SessionDone("s", 16_000, 0))
    assert json.loads(metadata)["duration"] == 1.0


# --- at the gateway ----------------------------------------------------------------------------------------------------

OPTIONS = GatewayOptions(port=0, protocols=spoken(["deepgram"], DIALECTS))
QUERY = "?encoding=linear16&sample_rate=16000"


def dial(it: Served, query: str = QUERY, **options: Any) -> connect:
    return connect(f"ws://{it.authority}/v1/listen{query}", compression=None, **options)


def test_keys_come_in_the_header_or_the_subprotocol_and_refusals_are_its_own(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    token, _ = add(keys)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=OPTIONS.protocols, keys_file=keys)) as it:
            async with dial(it, additional_headers={"Authorization": f"Token {token}"}) as one:
                assert one.response is not None
                assert len(one.response.headers["dg-request-id"]) == 36
            async with dial(it, additional_headers={"Authorization": f"Bearer {token}"}):
                pass
            async with dial(it, subprotocols=["token", token]) as page:
                assert page.subprotocol == "token"
            for headers in ({}, {"Authorization": "Token nonsense"}):
                with pytest.raises(InvalidStatus) as refused:
                    await dial(it, additional_headers=headers)
                answer = refused.value.response
                assert answer.status_code == 401
                assert json.loads(answer.body or b"")["err_code"] == "INVALID_AUTH"
                assert answer.headers["dg-error"]
            with pytest.raises(InvalidStatus) as bad:
                await dial(it, "?encoding=g729", additional_headers={"Authorization": f"Token {token}"})
            assert bad.value.response.status_code == 415
            assert "encoding" in json.loads(bad.value.response.body or b"")["err_msg"]

    run(scenario)


def test_it_is_not_there_unless_it_is_spoken() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0)) as it:
            with pytest.raises(InvalidStatus) as refused:
                await dial(it)
            assert refused.value.response.status_code == 404

    run(scenario)


def test_a_silent_client_is_let_go_with_its_own_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starling.gateway.arrivals.Arrivals.next", _impatient)

    async def scenario() -> None:
        async with served(OPTIONS) as it, dial(it) as socket:
            await socket.send(SECOND)
            async with asyncio.timeout(PATIENCE):
                await socket.wait_closed()
            assert socket.close_code == 1011
            assert (socket.close_reason or "").startswith("NET-0001")

    run(scenario)


async def _impatient(arrivals: Any) -> Frame:
    raise IdleTimeout("as if ten seconds had passed")


# --- the real model ----------------------------------------------------------------------------------------------------


async def listen(url: str, sound: Samples, query: str) -> list[dict[str, Any]]:
    """All messages of a stream that sends ``sound`` as fast as it goes."""
    async with client(f"{url}/v1/listen?encoding=linear16&sample_rate=16000&{query}") as socket:

        async def send() -> None:
            for start in range(0, len(sound), 1600):
                await socket.send(sound[start : start + 1600].tobytes())
            await socket.send('{"type":"CloseStream"}')

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            answers = [json.loads(message) async for message in socket]
        assert socket.close_code == 1000
        return answers


def finals(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [m["channel"]["alternatives"][0] for m in answers if m["type"] == "Results" and m["is_final"]]


@pytest.mark.model
def test_a_deepgram_client_reads_what_starling_s_own_reads() -> None:
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        native = await native_texts(server, sound)
        answers = await listen(url, sound, "punctuate=true&interim_results=true&vad_events=true&utterance_end_ms=1000")
        texts = finals(answers)
        assert [text["transcript"] for text in texts] == native
        assert [" ".join(word["punctuated_word"] for word in text["words"]) for text in texts] == native
        words = [word for text in texts for word in text["words"]]
        assert all(0 <= word["start"] <= word["end"] <= len(sound) / 16_000 for word in words)
        types = [message["type"] for message in answers]
        assert types.count("SpeechStarted") == len(native)
        assert "UtteranceEnd" in types
        assert answers[-1]["type"] == "Metadata"
        assert answers[-1]["duration"] == pytest.approx(len(sound) / 16_000, abs=0.001)
        assert answers[-1]["sha256"] == hashlib.sha256(sound.tobytes()).hexdigest()

        bare = finals(await listen(url, sound, ""))
        assert [text["transcript"] for text in bare] == [" ".join(map(plain, text.split())) for text in native]

    speaking("deepgram", scenario)
