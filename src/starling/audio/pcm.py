"""Uncompressed and companded samples: how bytes of each kind become numbers, and the reader of streams without a header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from starling.audio.g711 import ALAW, MULAW
from starling.audio.normalise import Normaliser, Pcm
from starling.audio.reading import Reader, Take
from starling.core.errors import CorruptAudio

BLOCK = 65_536
"""Bytes decoded at once: bounds what floats take while a long piece is worked through."""

OVERSHOOT = 8.0
"""The largest float sample taken for audio (18 dB over full scale). Beyond, the numbers are on another scale or no floats."""


def _signed_16(raw: memoryview) -> Pcm:
    return np.frombuffer(raw, "<i2").astype(np.int16, copy=False)


def _unsigned_8(raw: memoryview) -> Pcm:
    return (np.frombuffer(raw, np.uint8).astype(np.int16) - 128) << 8


def _signed_24(raw: memoryview) -> Pcm:
    wide = np.zeros((len(raw) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
    return from_int32(wide.view("<i4")[:, 0])


def _signed_32(raw: memoryview) -> Pcm:
    return from_int32(np.frombuffer(raw, "<i4"))


def _float_32(raw: memoryview) -> Pcm:
    return np.frombuffer(raw, "<f4").astype(np.float32, copy=False)


def _float_64(raw: memoryview) -> Pcm:
    # What float32 cannot hold is no audio either; it stays not finite and is refused with the rest.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.frombuffer(raw, "<f8").astype(np.float32)


def _mulaw(raw: memoryview) -> Pcm:
    return MULAW[np.frombuffer(raw, np.uint8)]


def _alaw(raw: memoryview) -> Pcm:
    return ALAW[np.frombuffer(raw, np.uint8)]


def from_int32(values: NDArray[np.int32]) -> NDArray[np.float32]:
    """Full-scale int32 to float32 from -1 to 1."""
    return values.astype(np.float32) * np.float32(2**-31)


@dataclass(frozen=True, slots=True)
class SampleKind:
    """One way to write a sample: its ``size`` in bytes and how many of them become numbers."""

    size: int
    decode: Callable[[memoryview], Pcm]


PCM_U8 = SampleKind(1, _unsigned_8)
PCM_S16LE = SampleKind(2, _signed_16)
PCM_S24LE = SampleKind(3, _signed_24)
PCM_S32LE = SampleKind(4, _signed_32)
PCM_F32LE = SampleKind(4, _float_32)
PCM_F64LE = SampleKind(8, _float_64)
PCM_MULAW = SampleKind(1, _mulaw)
PCM_ALAW = SampleKind(1, _alaw)


def write_frames(raw: memoryview, kind: SampleKind, channels: int, rate: int, out: Normaliser) -> None:
    """Decode whole frames (one sample of each channel) into ``out``.

    Float samples slightly over full scale are clipped. The first that is not finite or beyond ``OVERSHOOT`` raises CorruptAudio,
    after the frames before it were written.
    """
    pcm = kind.decode(raw).reshape(-1, channels)
    if pcm.dtype == np.float32:
        fit = np.abs(pcm) <= OVERSHOOT  # false for NaN
        if not fit.all():
            first = int(np.argmin(fit.all(axis=1)))
            out.write(pcm[:first], rate)
            value = pcm[first][~fit[first]][0]
            raise CorruptAudio(
                f"float samples must be between -1 and 1, got {value:g}: scale them, or declare their real encoding"
            )
    out.write(pcm, rate)


def read_pcm(kind: SampleKind, channels: int, rate: int, out: Normaliser) -> Reader:
    """Samples without a header, to the end of the stream."""
    frame = kind.size * channels
    while len(raw := (yield Take(frame, BLOCK))) >= frame:
        write_frames(raw, kind, channels, rate, out)
    if raw:
        raise CorruptAudio(
            f"the audio ends inside a frame: a frame is {frame} bytes ({channels} x {kind.size}), the last has {len(raw)};"
            " were the encoding and the channels declared right?"
        )
