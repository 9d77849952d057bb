from __future__ import annotations

import numpy as np
import pytest

from contracts.vad_contract import VadContract, alone
from starling.core.audio import FRAME
from starling.core.config import VadMode
from starling.core.ports import Vad
from starling.vad.energy import EnergyVad


class TestContract(VadContract):
    @pytest.fixture
    def vad(self) -> Vad:
        return EnergyVad()


@pytest.mark.parametrize(("decibels", "probability"), [(-80, 0), (-60, 0), (-50, 0.5), (-45, 0.75), (-40, 1), (0, 1)])
def test_louder_is_likelier(decibels: float, probability: float) -> None:
    square = np.full((1, FRAME), round(10 ** (decibels / 20) * 32767), np.int16)
    square[:, ::2] *= -1
    assert alone(EnergyVad(), VadMode.SILERO, square)[0] == pytest.approx(probability, abs=0.02)


def test_the_bounds_are_its_own() -> None:
    frames = np.full((1, FRAME), 33, np.int16)  # -60 dB
    assert alone(EnergyVad(floor=-70, ceiling=-50), VadMode.BOTH, frames)[0] == pytest.approx(0.5, abs=0.01)
