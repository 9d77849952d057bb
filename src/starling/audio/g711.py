"""Telephone companding: ITU-T G.711 (11/88), both laws, one byte to one sample by table.

The laws give 14 bits (mu) and 13 bits (A); the tables place them at the top of int16, as everyone does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SIGN = 0x80
_BIAS = 0x84


def _mulaw() -> NDArray[np.int16]:
    code = ~np.arange(256) & 0xFF  # sent inverted, so that silence has many ones
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = (((mantissa << 3) + _BIAS) << exponent) - _BIAS
    return np.where(code & _SIGN, -magnitude, magnitude).astype(np.int16)


def _alaw() -> NDArray[np.int16]:
    code = np.arange(256) ^ 0x55  # sent with every other bit inverted
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & _SIGN, magnitude, -magnitude).astype(np.int16)


MULAW = _mulaw()
"""int16 sample of each mu-law byte, shape ``[256]``."""

ALAW = _alaw()
"""int16 sample of each A-law byte, shape ``[256]``."""
