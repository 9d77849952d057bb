from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts.vad_contract import VadContract, alone, framed, speech
from recordings import recording
from starling.core.audio import FRAME
from starling.core.config import VadMode
from starling.core.errors import ModelUnavailable
from starling.core.ports import Vad
from starling.vad.detector import Detector

pytestmark = pytest.mark.model

RECORDINGS = ("two_cities", "beckett", "endgame_nagg_nell")


class TestContract(VadContract):
    @pytest.fixture
    def vad(self) -> Vad:
        return Detector()


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


def test_both_is_the_lower_of_the_two(detector: Detector) -> None:
    for frames in speech():
        silero, webrtc, both = (alone(detector, mode, frames) for mode in (VadMode.SILERO, VadMode.WEBRTC, VadMode.BOTH))
        np.testing.assert_array_equal(both, np.minimum(silero, webrtc))


@pytest.mark.parametrize("decibels", [0, -20])
@pytest.mark.parametrize("name", RECORDINGS)
def test_both_loses_no_speech_that_silero_hears(detector: Detector, name: str, decibels: float) -> None:
    frames = np.round(framed(recording(name)) * 10 ** (decibels / 20)).astype(np.int16)
    silero, both = (alone(detector, mode, frames) >= 0.5 for mode in (VadMode.SILERO, VadMode.BOTH))
    lost = np.flatnonzero(silero & ~both)
    assert len(lost) <= 0.005 * np.sum(silero)
    assert np.all(np.diff(lost) > 1)  # a single frame neither delays an onset nor ends a segment


@pytest.mark.parametrize("name", RECORDINGS)
def test_webrtc_does_not_flap_within_speech(detector: Detector, name: str) -> None:
    voiced = alone(detector, VadMode.WEBRTC, framed(recording(name))) >= 0.5
    changes = np.flatnonzero(np.diff(voiced))
    assert np.all(np.diff(changes)[voiced[changes[:-1] + 1]] > 9)


@pytest.mark.parametrize("mode", [VadMode.SILERO, VadMode.BOTH])
@pytest.mark.parametrize("level", [-70, -50, -30, -20])
def test_steady_noise_is_not_speech(detector: Detector, mode: VadMode, level: float) -> None:
    noise = np.random.default_rng(3).normal(0, 32768 * 10 ** (level / 20), (200, FRAME)).clip(-32768, 32767).astype(np.int16)
    assert alone(detector, mode, noise).max() < 0.5


@pytest.mark.parametrize("name", ["success", "error"])
def test_a_chime_is_not_speech(detector: Detector, name: str) -> None:
    assert alone(detector, VadMode.BOTH, framed(recording(name))).max() < 0.5


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"cannot read the Silero weights at .*absent.onnx"):
        Detector(tmp_path / "absent.onnx")
