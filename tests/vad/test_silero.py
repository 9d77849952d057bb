from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]  # it exports them without saying so

import starling.vad.silero
from contracts.vad_contract import framed
from recordings import recording
from starling.core.audio import Frames
from starling.core.errors import ModelUnavailable
from starling.vad.silero import CONTEXT, RUN_FRAMES, Silero, SileroState
from starling.vad.silero_graph import build, whole_frame
from starling.vad.silero_weights import read_silero, silero_path

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def silero() -> Silero:
    return Silero()


@pytest.fixture(scope="module")
def frames() -> Frames:
    return framed(recording("two_cities"))


def shipped(frames: Frames) -> NDArray[np.float32]:
    """The scores of the graph as it was shipped: one listener, all frames at once."""
    options = SessionOptions()
    options.intra_op_num_threads = 1
    session = InferenceSession(read_silero(silero_path()), options, providers=["CPUExecutionProvider"])
    audio = frames.astype(np.float32) / 32768
    context = np.concatenate((np.zeros((1, CONTEXT), np.float32), audio[:-1, -CONTEXT:]))
    state = np.zeros((1, 1, 128), np.float32)
    return np.asarray(session.run(["speech_probs"], {"input": np.concatenate((context, audio), 1), "h": state, "c": state})[0])


def test_the_scores_are_those_of_the_shipped_graph(silero: Silero, frames: Frames) -> None:
    assert silero.rebuilt
    assert len(frames) > 5 * RUN_FRAMES
    (scores,) = silero.score([(SileroState(), frames)])
    np.testing.assert_allclose(scores, shipped(frames), rtol=0, atol=1e-5, strict=True)


def test_the_shipped_graph_serves_where_the_rebuilt_one_scores_another_way(
    monkeypatch: pytest.MonkeyPatch, frames: Frames
) -> None:
    def bent(graph: bytes) -> bytes:
        model = onnx.load_from_string(build(graph))
        (last,) = [node for node in model.graph.node if node.op_type == "Sigmoid"]
        last.op_type = "Tanh"
        return model.SerializeToString()

    monkeypatch.setattr(starling.vad.silero, "build", bent)
    fallen_back = Silero()
    assert not fallen_back.rebuilt
    (scores,) = fallen_back.score([(SileroState(), frames)])
    np.testing.assert_array_equal(scores, shipped(frames), strict=True)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_convolution_is_a_matrix_for_a_whole_frame(times: int, stride: int) -> None:
    numbers = np.random.default_rng(1)
    kernel = numbers.normal(size=(5, 3, 3)).astype(np.float32)
    sound = numbers.normal(size=(times, 3)).astype(np.float32)
    padded = np.pad(sound, ((1, 1), (0, 0)))
    expected = [np.einsum("oiw,wi->o", kernel, padded[start : start + 3]) for start in range(0, times, stride)]
    found = sound.ravel() @ whole_frame(kernel, times=times, stride=stride)
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [*range(1, 34), 47, 48, 63, 64])
def test_no_size_of_batch_changes_a_bit(silero: Silero, frames: Frames, size: int) -> None:
    """Ragged on purpose: listener ``i`` has ``1 + i % 4`` frames in the first call and the rest of its five in the second."""
    voices = [frames[19 * i : 19 * i + 5] for i in range(size)]
    states = [SileroState() for _ in voices]
    parts = [
        silero.score([(state, voice[part]) for state, voice, part in zip(states, voices, parts, strict=True)])
        for parts in ([slice(1 + i % 4) for i in range(size)], [slice(1 + i % 4, 5) for i in range(size)])
    ]
    for voice, state, first, second in zip(voices, states, *parts, strict=True):
        fresh = SileroState()
        (expected,) = silero.score([(fresh, voice)])
        np.testing.assert_array_equal(np.concatenate((first, second)), expected)
        np.testing.assert_array_equal(state.h, fresh.h)
        np.testing.assert_array_equal(state.c, fresh.c)
        np.testing.assert_array_equal(state.context, fresh.context)


def test_more_listeners_than_a_run_has_frames(silero: Silero, frames: Frames) -> None:
    voices = [frames[i : i + 2] for i in range(RUN_FRAMES + 3)]
    scores = silero.score([(SileroState(), voice) for voice in voices])
    for i in (0, 100, RUN_FRAMES + 2):
        np.testing.assert_array_equal(scores[i], silero.score([(SileroState(), voices[i])])[0])


def test_weights_of_another_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "silero.onnx"
    path.write_bytes(read_silero(silero_path())[:-1])
    with pytest.raises(ModelUnavailable, match=r"is not Silero v6: expected sha256 4cbf.*, got .*; install faster-whisper 1\.2"):
        read_silero(path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str, package: str | None = None) -> importlib.machinery.ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    with pytest.raises(ModelUnavailable, match="faster-whisper package, which is not installed"):
        silero_path()


def test_the_package_is_found_without_being_imported(silero: Silero) -> None:
    assert "faster_whisper" not in sys.modules
