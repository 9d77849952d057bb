"""Vosk's protocol: one answer for each block, whatever else happens."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dialect_server import client, native_texts, speaking
from protocols.foreign_client import OFFER, Gate, json_values, play, steps, transcript
from recordings import recording
from starling.app import Running
from starling.core.errors import InvalidMessage, UnsupportedAudio
from starling.protocols.foreign import Head
from starling.protocols.verbs import Feed, Frame, Open
from starling.protocols.vosk.adapter import VoskAdapter


def connected() -> Gate:
    return Gate(VoskAdapter(OFFER, Head()))


def said(gate: Gate) -> list[dict[str, Any]]:
    answers = [json.loads(frame) for frame in gate.said]
    gate.said.clear()
    return answers


def request_of(gate: Gate) -> Any:
    return next(verb.request for verb in gate.verbs if isinstance(verb, Open))


def test_every_block_gets_one_answer_and_a_final_takes_its_turn() -> None:
    gate = connected()
    gate.send(b"\0\0")
    assert said(gate) == [{"partial": ""}]
    gate.hear("one two", partials=["one"])
    assert said(gate) == []
    gate.send(b"\0\0")
    assert said(gate) == [
        {
            "result": [
                {"conf": 0.5, "start": 0.0, "end": 0.2, "word": "one"},
                {"conf": 0.5, "start": 0.25, "end": 0.45, "word": "two"},
            ],
            "text": "one two",
        }
    ]
    gate.send(b"\0\0")
    assert said(gate) == [{"partial": ""}]


def test_a_partial_is_shown_as_often_as_asked() -> None:
    gate = connected()
    gate.send(b"\0\0")
    gate.adapter.event(transcript("one", final=False))
    gate.send(b"\0\0")
    gate.send(b"\0\0")
    assert said(gate)[1:] == [{"partial": "one"}, {"partial": "one"}]


def test_the_last_message_has_all_that_was_not_read() -> None:
    gate = connected()
    gate.send('{"config": {"sample_rate": 16000, "words": 0}}')
    gate.send(b"\0\0")
    gate.hear("one")
    gate.hear("two")
    gate.send('{"eof" : 1}')
    assert said(gate)[1:] == [{"text": "one two"}]
    assert gate.over


def test_reset_goes_on_and_times_go_on_too() -> None:
    gate = connected()
    gate.send(b"\0\0")
    gate.hear("one")
    gate.send('{"reset":1}')
    gate.send(b"\0\0")
    gate.hear("two")
    gate.send('{"eof":1}')
    first, last = [answer for answer in said(gate) if "text" in answer]
    assert first["result"][0]["start"] == 0.0
    assert last["result"][0]["start"] == 0.25
    assert gate.sessions == 2


def test_end_without_audio_is_answered() -> None:
    gate = connected()
    gate.send('{"eof" : 1}')
    assert said(gate) == [{"text": ""}]
    assert gate.over


def test_alternatives_have_their_own_shape() -> None:
    gate = connected()
    gate.send('{"config": {"max_alternatives": 3, "words": true}}')
    gate.send(b"\0\0")
    gate.hear("one")
    gate.send('{"eof" : 1}')
    assert said(gate)[-1] == {
        "alternatives": [{"confidence": 50.0, "text": "one", "result": [{"start": 0.0, "end": 0.2, "word": "one"}]}]
    }


def test_the_rate_is_8000_unless_told_and_a_grammar_is_preferred() -> None:
    gate = connected()
    gate.send('{"config": {"phrase_list": ["zero one", "[unk]", "", "' + "two " * 40 + '"]}}')
    gate.send(b"\0\0")
    request = request_of(gate)
    assert request.audio.sample_rate == 8000
    assert [word.phrase for word in request.config.hotwords] == ["zero one", "two"]


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ("{", InvalidMessage),
        ("[]", InvalidMessage),
        ('{"what": 1}', InvalidMessage),
        ('{"config": 1}', InvalidMessage),
        ('{"config": {"sample_rate": 1}}', UnsupportedAudio),
        ('{"config": {"sample_rate": 1e400}}', InvalidMessage),
        ('{"config": {"sample_rate": 16000.5}}', UnsupportedAudio),
    ],
)
def test_what_is_no_message_ends_the_connection(frame: str, error: type[Exception]) -> None:
    gate = connected()
    gate.send(frame)
    assert isinstance(gate.failed, error)
    assert gate.said == []


configs = st.fixed_dictionaries(
    {},
    optional={
        "sample_rate": st.sampled_from([8000, 16000.0]) | json_values,
        "words": json_values,
        "max_alternatives": json_values,
        "phrase_list": st.lists(st.text(max_size=120), max_size=4) | json_values,
        "model": json_values,
    },
)
messages = (
    st.fixed_dictionaries({"config": configs | json_values}) | st.sampled_from([{"eof": 1}, {"reset": 1}]) | json_values
).map(json.dumps)
frames: st.SearchStrategy[Frame] = messages | st.binary(max_size=8) | st.text(max_size=20)


def check(frame: Frame) -> None:
    assert isinstance(frame, str)
    answer = json.loads(frame)
    assert set(answer) in ({"partial"}, {"text"}, {"text", "result"}, {"alternatives"})


@given(steps(frames))
def test_whatever_comes_each_block_is_answered_once(happenings: list[Frame | int]) -> None:
    gate = play(VoskAdapter(OFFER, Head()), happenings, check)
    fed = sum(isinstance(verb, Feed) for verb in gate.verbs)
    assert fed <= len(gate.said)


# --- over sockets ------------------------------------------------------------------------------------------------------


async def transcribe(url: str, sound: Any, *, config: dict[str, Any], pause: float = 0.0) -> tuple[list[dict[str, Any]], int]:
    """As vosk-server's own test client does it: send a block, read one message; at the end ``eof``, and one more."""
    answers = []
    async with client(url) as socket:
        await socket.send(json.dumps({"config": config}))
        block = config["sample_rate"] // 5
        for start in range(0, len(sound), block):
            await socket.send(sound[start : start + block].tobytes())
            answers.append(json.loads(await socket.recv()))
            await asyncio.sleep(pause)
        await socket.send('{"eof" : 1}')
        answers.append(json.loads(await socket.recv()))
        await socket.wait_closed()
        assert socket.close_code == 1000
    return answers, -(-len(sound) // block)


@pytest.mark.model
def test_a_vosk_client_reads_what_starling_s_own_reads() -> None:
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        native = await native_texts(server, sound)
        answers, blocks = await transcribe(url, sound, config={"sample_rate": 16000})
        results = [answer for answer in answers if answer.get("text")]
        assert " ".join(answer["text"] for answer in results) == " ".join(native)
        assert len(answers) == blocks + 1
        words = [word for answer in results for word in answer["result"]]
        assert " ".join(word["word"] for word in words) == " ".join(native)
        assert all(word["start"] <= word["end"] <= len(sound) / 16000 for word in words)

        telephone = np.ascontiguousarray(sound[::2])
        quick, _ = await transcribe(url, telephone, config={"sample_rate": 8000, "words": 0, "max_alternatives": 1})
        assert "alternatives" in quick[-1]

    speaking("vosk", scenario)


@pytest.mark.model
def test_a_reset_keeps_the_connection() -> None:
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        native = " ".join(await native_texts(server, sound))
        async with client(url) as socket:
            await socket.send('{"config": {"sample_rate": 16000, "words": 0}}')
            for _ in range(2):
                await socket.send(sound.tobytes())
                await socket.send('{"reset" : 1}')
                assert "partial" in json.loads(await socket.recv())
                assert json.loads(await socket.recv()) == {"text": native}
            await socket.send("nonsense")
            await socket.wait_closed()
            assert socket.close_code == 1008

    speaking("vosk", scenario)
