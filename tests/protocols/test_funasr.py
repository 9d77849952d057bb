"""FunASR's protocols, and the habits of their clients."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dialect_server import ClientConnection, client, native_texts, speaking
from protocols.foreign_client import OFFER, Gate, json_values, play, steps, transcript
from recordings import recording, recording_path
from starling.app import Running
from starling.core.audio import Encoding
from starling.core.errors import ClientError, CorruptAudio, InvalidOption
from starling.core.transcript import SessionDone
from starling.protocols.foreign import Head
from starling.protocols.funasr import FUNASR
from starling.protocols.funasr.adapter import FunasrAdapter
from starling.protocols.funasr.hotwords import read_hot_words
from starling.protocols.verbs import Configure, Feed, Frame, Open

HELLO: dict[str, Any] = {
    "mode": "2pass",
    "chunk_size": [5, 10, 5],
    "chunk_interval": 10,
    "encoder_chunk_look_back": 4,
    "decoder_chunk_look_back": 0,
    "audio_fs": 16000,
    "wav_name": "demo",
    "wav_format": "pcm",
    "is_speaking": True,
    "hotwords": "",
    "itn": True,
}
GOODBYE = '{"is_speaking": false, "is_end": true}'
ACKNOWLEDGED = {"wav_name": "demo", "mode": "2pass", "is_final": True, "is_end": True}


def connected(**fields: Any) -> Gate:
    gate = Gate(FunasrAdapter(OFFER, Head()))
    gate.send(json.dumps(HELLO | fields))
    return gate


def said(gate: Gate) -> list[dict[str, Any]]:
    answers = [json.loads(frame) for frame in gate.said]
    gate.said.clear()
    return answers


def partial(gate: Gate, text: str, stable: str, segment: int = 0) -> None:
    event = replace(transcript(text, segment=segment, final=False), stable_text=stable)
    gate.said += gate.adapter.event(event)


def short(answers: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    return [(a["mode"], a.get("text", "-"), a["is_final"]) for a in answers]


def test_words_that_stay_come_as_pieces_and_the_sentence_in_their_place() -> None:
    gate = connected()
    gate.send(b"\0\0")
    partial(gate, "one tow", "one")
    partial(gate, "one two", "one")
    partial(gate, "one two three", "one two")
    gate.hear("one two three.")
    gate.hear("four")
    gate.send(GOODBYE)
    answers = said(gate)
    assert short(answers) == [
        ("2pass-online", "one", False),
        ("2pass-online", " two", False),
        ("2pass-offline", "one two three.", False),
        ("2pass-offline", " four", False),
        ("2pass-offline", "", True),
        ("2pass", "-", True),
    ]
    assert answers[-1] == ACKNOWLEDGED
    assert [a["slice_type"] for a in answers[:-1]] == [0, 1, 2, 2, 2]
    assert [a["index"] for a in answers[:-1]] == [0, 0, 0, 1, 2]
    assert not gate.over


def test_the_last_sentence_says_that_it_is() -> None:
    gate = connected()
    gate.send(b"\0\0")
    adapter = gate.adapter
    assert len(adapter.receive('{"is_speaking": false}')) == 1
    assert adapter.event(transcript("one")) == []
    told = [json.loads(frame) for frame in adapter.event(transcript("two", segment=1))]
    told += [json.loads(frame) for frame in adapter.event(SessionDone("s", 16000, 2))]
    assert short(told) == [("2pass-offline", "one", False), ("2pass-offline", " two", True)]


def test_times_are_text_and_clauses_have_their_own() -> None:
    gate = connected()
    gate.send(b"\0\0")
    gate.hear("well, yes!")
    (answer,) = said(gate)
    assert answer["timestamp"] == "[[0,200],[250,450]]"
    assert answer["stamp_sents"] == [
        {"text_seg": "well", "punc": ",", "start": 0, "end": 200, "ts_list": [[0, 200]]},
        {"text_seg": "yes", "punc": "!", "start": 250, "end": 450, "ts_list": [[250, 450]]},
    ]
    assert (answer["start_time"], answer["end_time"]) == (0, 500)


def test_offline_is_one_result_and_online_only_pieces() -> None:
    gate = connected(mode="offline")
    gate.send(b"\0\0")
    gate.hear("one", partials=["one"])
    gate.hear("two")
    gate.send('{"is_speaking": false}')
    assert short(said(gate)) == [("offline", "one two", True)]
    gate.send(json.dumps({"mode": "online", "wav_name": "next"}))
    gate.send(b"\0\0")
    gate.hear("three four")
    gate.send('{"is_finished": true}')
    answers = said(gate)
    assert short(answers) == [("online", " three four", False), ("online", "", True)]
    assert {answer["wav_name"] for answer in answers} == {"next"}
    assert gate.sessions == 2


def test_an_end_without_audio_is_acknowledged() -> None:
    gate = connected()
    gate.send('{"is_speaking": false}')
    assert said(gate) == []
    gate.send(GOODBYE)
    assert said(gate) == [ACKNOWLEDGED]


def test_a_browser_repeats_everything_at_the_end() -> None:
    gate = connected()
    gate.send(b"\0\0")
    gate.send(json.dumps(HELLO | {"is_speaking": False}))
    assert short(said(gate)) == [("2pass-offline", "", True)]


def test_what_is_no_pcm_is_refused_in_the_other_server_s_words() -> None:
    gate = connected(wav_format="others")
    assert isinstance(gate.failed, ClientError)
    (answer,) = said(gate)
    assert answer["text"] == "ERROR. Real-time transcription service ONLY SUPPORT PCM stream."
    assert answer["is_final"]


@pytest.mark.parametrize(
    "fields", [{"mode": "3pass"}, {"audio_fs": 1}, {"wav_name": 1}, {"hotwords": 1}, {"hotwords": "{"}, {"wav_format": None}]
)
def test_errors_release_who_waits_for_the_end(fields: dict[str, Any]) -> None:
    gate = connected(**fields)
    assert isinstance(gate.failed, ClientError)
    (answer,) = said(gate)
    assert (answer["is_end"], answer["is_final"]) == (True, False)
    assert answer["error"]


def test_a_whole_file_is_known_by_its_first_bytes() -> None:
    gate = connected(mode="offline", wav_format="others")
    gate.send(b"RI")
    gate.send(b"FF....")
    opened = next(verb.request for verb in gate.verbs if isinstance(verb, Open))
    assert opened.audio.encoding is Encoding.WAV
    assert gate.verbs[-1] == Feed(b"RIFF....")
    other = connected(mode="offline", wav_format="mp3")
    other.send(b"ID3 ")
    assert isinstance(other.failed, ClientError)


@pytest.mark.parametrize(
    ("given_words", "expected"),
    [
        ("", []),
        (None, []),
        ('{"Ada Lovelace": 20, "Babbage": 40, "no": 0, "x": "10"}', [("Ada Lovelace", 1.0), ("Babbage", 2.0), ("x", 0.5)]),
        ({"Ada": 20, "y": None}, [("Ada", 1.0), ("y", 1.0)]),
        ({"Ada": 10**400, "y": -(10**400)}, [("Ada", 50.0)]),
        ("Ada Babbage", [("Ada", 1.0), ("Babbage", 1.0)]),
        ("Ada Lovelace,Babbage", [("Ada Lovelace", 1.0), ("Babbage", 1.0)]),
        ("\u963f\u91cc\uff0c\u5df4\u5df4", [("\u963f\u91cc", 1.0), ("\u5df4\u5df4", 1.0)]),
        ("Ada Lovelace 40\nBabbage", [("Ada Lovelace", 2.0), ("Babbage", 1.0)]),
        (["Ada"], [("Ada", 1.0)]),
    ],
)
def test_hot_words_come_in_many_shapes(given_words: object, expected: list[tuple[str, float]]) -> None:
    assert read_hot_words(given_words) == expected


@pytest.mark.parametrize("given_words", [1, True, [1], "{", '{"a"'])
def test_other_shapes_are_refused(given_words: object) -> None:
    with pytest.raises(InvalidOption):
        read_hot_words(given_words)


def test_hot_words_may_change_while_it_is_spoken() -> None:
    gate = connected(hotwords="one")
    gate.send(b"\0\0")
    gate.send('{"hotwords": "two"}')
    changed = gate.verbs[-1]
    assert isinstance(changed, Configure)
    assert [word.phrase for word in changed.config.hotwords] == ["two"]


def test_half_a_sample_at_the_end_is_no_failure() -> None:
    gate = connected()
    gate.send(b"\0\0\0")
    gate.adapter.receive(GOODBYE)
    assert not gate.adapter.error(CorruptAudio("the audio ends inside a frame"))


def test_the_subprotocol_is_agreed_to() -> None:
    assert FUNASR.subprotocol(["x", "binary"]) == "binary"
    assert FUNASR.subprotocol([]) is None


# --- realtime ----------------------------------------------------------------------------------------------------------


def realtime() -> Gate:
    return Gate(FunasrAdapter(OFFER, Head()))


def test_realtime_tells_all_sentences_each_time() -> None:
    gate = realtime()
    gate.send("START")
    gate.send(bytes(32_000))
    gate.hear("one two", partials=["one"])
    gate.send(" stop ")
    started, first, second, last, stopped = said(gate)
    assert started == {"event": "started"}
    assert first == {"sentences": [], "partial": "one", "partial_start_ms": 0, "duration_ms": 1000, "is_final": False}
    assert second["sentences"] == [{"text": "one two", "start": 0, "end": 500}]
    assert second["partial_start_ms"] == 1000
    assert (last["is_final"], last["sentences"], stopped) == (True, second["sentences"], {"event": "stopped"})


def test_realtime_settings_are_confirmed() -> None:
    gate = realtime()
    gate.send("HOTWORDS: Ada, Babbage,")
    gate.send("POSTPROCESS_HOTWORDS:won=>one,two")
    gate.send("LANGUAGE:English")
    gate.send("LANGUAGE:\u4e2d\u6587")
    gate.send("COMMIT")
    gate.send("nonsense")
    answers = said(gate)
    assert [answer["event"] for answer in answers] == [
        "hotwords_set", "postprocess_hotwords_set", "language_set", "error", "error", "error",
    ]  # fmt: skip
    gate.send("START")
    gate.send(b"\0\0")
    gate.hear("won two")
    assert said(gate)[-1]["sentences"][0]["text"] == "one two"
    opened = next(verb.request for verb in gate.verbs if isinstance(verb, Open))
    assert [word.phrase for word in opened.config.hotwords] == ["Ada", "Babbage"]


def test_realtime_may_begin_anew_and_hears_nothing_unless_started() -> None:
    gate = realtime()
    gate.send("STOP")
    gate.send(b"\0\0")
    assert gate.sessions == 0
    gate.send("START")
    gate.send(b"\0\0")
    gate.hear("one")
    gate.send("START")
    gate.send(b"\0\0")
    gate.hear("two")
    assert [s["text"] for s in said(gate)[-1]["sentences"]] == ["two"]


# --- fuzz --------------------------------------------------------------------------------------------------------------

fields = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["2pass", "online", "offline"]) | json_values,
        "wav_name": st.text(max_size=5) | json_values,
        "wav_format": st.sampled_from(["pcm", "others"]) | json_values,
        "audio_fs": st.sampled_from([8000, 16000]) | json_values,
        "is_speaking": st.booleans() | json_values,
        "is_end": st.booleans() | json_values,
        "is_finished": st.booleans() | json_values,
        "hotwords": st.text(max_size=30) | json_values,
        "hotword": json_values,
        "chunk_size": json_values,
    },
)
two_pass: st.SearchStrategy[Frame] = (
    (fields | json_values).map(json.dumps) | st.sampled_from([GOODBYE, "{"]) | st.binary(max_size=8)
)
commands: st.SearchStrategy[Frame] = (
    st.sampled_from(["START", "STOP", "COMMIT", "LANGUAGE:en", "LANGUAGE:", "HOTWORDS:a,b"])
    | st.text(max_size=10).map("POSTPROCESS_HOTWORDS:{}".format)
    | st.text(max_size=10)
    | st.binary(max_size=8)
)


def check_two_pass(frame: Frame) -> None:
    message = json.loads(frame)
    assert {"mode", "wav_name", "is_final"} <= set(message)
    assert isinstance(message.get("timestamp", ""), str)


def check_realtime(frame: Frame) -> None:
    message = json.loads(frame)
    assert "event" in message or {"sentences", "partial", "is_final"} <= set(message)


@given(steps(two_pass))
def test_whatever_comes_is_answered_in_2pass(happenings: list[Frame | int]) -> None:
    play(FunasrAdapter(OFFER, Head()), happenings, check_two_pass)


@given(steps(commands))
def test_whatever_comes_is_answered_in_realtime(happenings: list[Frame | int]) -> None:
    gate = play(FunasrAdapter(OFFER, Head()), ["START", *happenings], check_realtime)
    assert gate.failed is None


# --- over sockets ------------------------------------------------------------------------------------------------------


async def send(socket: ClientConnection, data: bytes, rate: int = 16000, **fields: Any) -> None:
    """As FunASR's Python client sends one file: the configuration, audio in strides of 60 ms, the end."""
    await socket.send(json.dumps(HELLO | {"audio_fs": rate} | fields))
    stride = rate * 60 // 1000 * 2
    for start in range(0, len(data), stride):
        await socket.send(data[start : start + stride])
    await socket.send(GOODBYE)


async def receive(socket: ClientConnection) -> tuple[str, list[dict[str, Any]]]:
    """What that client shows at the end, and all messages up to the acknowledgement."""
    offline, online, messages = "", "", []
    while True:
        message = json.loads(await socket.recv())
        messages.append(message)
        if message.get("is_end"):
            assert message["is_final"], message
            return offline + online, messages
        if message["mode"] in {"2pass-online", "online"}:
            online += message["text"]
        else:
            online = ""
            offline += message["text"]


@pytest.mark.model
def test_funasr_s_client_reads_what_starling_s_own_reads() -> None:
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        native = " ".join(await native_texts(server, sound))
        async with client(url, subprotocols=["binary"], ping_interval=None) as socket:
            assert socket.subprotocol == "binary"
            await send(socket, sound.tobytes())
            shown, messages = await receive(socket)
            assert shown == native
            assert sum(message["is_final"] for message in messages) == 2  # the last result, and the acknowledgement
            spans = [span for message in messages for span in json.loads(message.get("timestamp", "[]"))]
            assert len(spans) == len(native.split())
            assert spans == sorted(spans)

            await send(socket, sound.tobytes(), mode="offline")  # the next file, on the same connection
            shown, messages = await receive(socket)
            assert shown.strip() == native
            assert len(messages) == 2

            await send(socket, recording_path("beckett").read_bytes(), mode="offline", wav_format="others")
            shown, _ = await receive(socket)
            assert "no matter" in shown.lower()

            await send(socket, sound.tobytes(), mode="online")
            shown, _ = await receive(socket)
            assert len(shown.split()) == len(native.split())

    speaking("funasr", scenario)


@pytest.mark.model
def test_funasr_s_realtime_client_reads_what_starling_s_own_reads() -> None:
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        native = await native_texts(server, sound)
        async with client(url) as socket:
            for _ in range(2):
                await socket.send("START")
                assert json.loads(await socket.recv()) == {"event": "started"}
                for start in range(0, len(sound), 1600):
                    await socket.send(sound[start : start + 1600].tobytes())
                await socket.send("STOP")
                result: dict[str, Any] = {}
                while (message := json.loads(await socket.recv())) != {"event": "stopped"}:
                    result = message
                assert result["is_final"]
                assert [sentence["text"] for sentence in result["sentences"]] == native

    speaking("funasr", scenario)
