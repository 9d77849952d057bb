"""Both protocols of sherpa-onnx, on one port."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dialect_server import client, native_texts, speaking
from protocols.foreign_client import OFFER, Gate, play, steps
from recordings import recording
from starling.app import Running
from starling.core.audio import Encoding
from starling.core.errors import ClientError, Overloaded
from starling.protocols.foreign import Head
from starling.protocols.sherpa import SHERPA
from starling.protocols.sherpa.adapter import SherpaAdapter
from starling.protocols.sherpa.files import FileBegins, FileEnds, FileReader
from starling.protocols.verbs import Feed, Frame, Open

SOUND = struct.pack("<4f", 0.0, 0.1, -0.1, 0.5)
FILE = struct.pack("<ii", 8000, len(SOUND)) + SOUND


def connected() -> Gate:
    return Gate(SherpaAdapter(OFFER, Head()))


def said(gate: Gate) -> list[Any]:
    answers = [frame if frame == "Done!" else json.loads(frame) for frame in gate.said]
    gate.said.clear()
    return answers


def test_segments_are_counted_by_what_they_say() -> None:
    gate = connected()
    gate.send(SOUND)
    gate.hear("one two", partials=["one"])
    gate.hear("")
    gate.hear("three")
    gate.send("Done")
    answers = said(gate)
    assert answers.pop() == "Done!"
    assert [(a["segment"], a["text"], a["is_final"], a["is_eof"]) for a in answers] == [
        (0, "one", False, False),
        (0, "one two", True, False),
        (1, "", True, False),
        (1, "three", True, False),
        (1, "three", True, True),
    ]
    assert answers[1]["tokens"] == [" one", " two"]
    assert answers[1]["timestamps"] == [0.0, 0.25]
    assert gate.over


def test_the_end_without_audio_is_answered() -> None:
    gate = connected()
    gate.send("Done")
    last, goodbye = said(gate)
    assert (last["text"], last["is_eof"], goodbye) == ("", True, "Done!")


def test_each_file_gets_one_reply() -> None:
    gate = connected()
    gate.send(FILE[:3])
    gate.send(FILE[3:12])
    gate.hear("one")
    gate.hear("two")
    gate.send(FILE[12:] + FILE)
    assert [answer["text"] for answer in said(gate)] == ["one two", ""]
    assert not gate.over
    gate.send("Done")
    assert said(gate) == []
    assert gate.over
    opened = [verb.request.audio for verb in gate.verbs if isinstance(verb, Open)]
    assert [(audio.encoding, audio.sample_rate) for audio in opened] == [(Encoding.PCM_F32LE, 8000)] * 2


@pytest.mark.parametrize("frame", [struct.pack("<ii", 16000, -4), struct.pack("<ii", 16000, 6), FILE + struct.pack("<ii", 1, 4)])
def test_a_header_that_is_none_ends_the_connection(frame: bytes) -> None:
    gate = connected()
    gate.send(frame)
    assert isinstance(gate.failed, ClientError)


@pytest.mark.parametrize("text", ["Done", "hello"])
def test_a_text_within_a_file_ends_the_connection(text: str) -> None:
    gate = connected()
    gate.send(FILE[:12])
    gate.send(text)
    assert isinstance(gate.failed, ClientError)


def test_a_refusal_has_a_hint() -> None:
    refusal = SHERPA.refusal(Overloaded("full", gate="gateway", retry_after=2))
    assert refusal.headers == {"Hint": "full"}


@given(st.lists(st.tuples(st.integers(8000, 96000), st.integers(0, 5)), max_size=4), st.data())
def test_files_are_found_however_they_are_cut(files: list[tuple[int, int]], data: st.DataObject) -> None:
    stream = b"".join(struct.pack("<ii", rate, 4 * size) + bytes(4 * size) for rate, size in files)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = FileReader()
    found: list[tuple[int, int]] = []
    rate, size = 0, 0
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        for piece in reader.read(stream[start:end]):
            match piece:
                case FileBegins():
                    rate, size = piece.rate, 0
                case FileEnds():
                    found.append((rate, size // 4))
                case bytes():
                    size += len(piece)
    assert found == files
    assert not reader.within


frames: st.SearchStrategy[Frame] = (
    st.sampled_from(["Done", "Done!", ""])
    | st.sampled_from([FILE, FILE[:5], FILE[5:], SOUND, SOUND[:3]])
    | st.binary(max_size=20)
    | st.text(max_size=5)
)


def check(frame: Frame) -> None:
    assert isinstance(frame, str)
    assert frame == "Done!" or {"text", "tokens", "timestamps"} <= set(json.loads(frame))


@given(steps(frames))
def test_whatever_comes_is_answered_in_the_dialect(happenings: list[Frame | int]) -> None:
    gate = play(SherpaAdapter(OFFER, Head()), happenings, check)
    assert sum(isinstance(verb, Feed) for verb in gate.verbs) <= sum(isinstance(h, bytes) for h in happenings) * 4


# --- over sockets ------------------------------------------------------------------------------------------------------


async def stream(url: str, samples: Any) -> list[dict[str, Any]]:
    """As sherpa-onnx's client for one streamed file: 8000 samples a message, ``Done``, then reads to ``Done!``."""
    answers = []
    async with client(url) as socket:
        for start in range(0, len(samples), 8000):
            await socket.send(samples[start : start + 8000].tobytes())
        await socket.send("Done")
        async for message in socket:
            if message == "Done!":
                break
            answers.append(json.loads(message))
    return answers


async def files(url: str, sounds: list[tuple[int, Any]]) -> list[dict[str, Any]]:
    """As sherpa-onnx's client for several files: 10240 bytes a message, one reply for each file, ``Done``."""
    answers = []
    async with client(url) as socket:
        for rate, samples in sounds:
            data = struct.pack("<ii", rate, samples.nbytes) + samples.tobytes()
            for start in range(0, len(data), 10240):
                await socket.send(data[start : start + 10240])
            answers.append(json.loads(await socket.recv()))
        await socket.send("Done")
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1000, "Done")
    return answers


@pytest.mark.model
def test_sherpa_s_clients_read_what_starling_s_own_reads() -> None:
    sound = recording("beckett")
    samples = (sound.astype(np.float32) / 32768).astype("<f4")

    async def scenario(server: Running, url: str) -> None:
        native = await native_texts(server, sound)
        answers = await stream(url, samples)
        segments = {answer["segment"]: answer["text"] for answer in answers}
        assert [segments[number] for number in sorted(segments)] == native
        assert answers[-1]["is_eof"]
        assert answers[-1]["text"] == native[-1]
        for reply in await files(url, [(16000, samples), (16000, samples)]):
            assert reply["text"] == " ".join(native)
            assert "".join(reply["tokens"]).strip() == " ".join(native)
            assert reply["timestamps"] == sorted(reply["timestamps"])

    speaking("sherpa-onnx", scenario)
