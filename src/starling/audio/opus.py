"""Opus packets to samples, with libopus, the codec's reference implementation (RFC 6716). Always 48 kHz."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from av import AudioCodecContext, AudioFrame, CodecContext, Packet
from av.error import FFmpegError
from numpy.typing import NDArray

from starling.core.audio import CHANNELS
from starling.core.errors import CorruptAudio, UnsupportedAudio

OPUS_RATE = 48_000

MAX_PACKET = 65_536
"""Bytes of one packet at most (RFC 7845 section 6 asks for at least 61,440)."""

_HEAD = struct.Struct("<8sBBHIhB")
_STEREO = 2


@dataclass(frozen=True, slots=True)
class OpusHead:
    """The identification header (RFC 7845 section 5.1).

    ``pre_skip``: samples at 48 kHz to drop at the start; ``raw``: the header as it came.
    """

    channels: int
    pre_skip: int
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> OpusHead:
        """Raises CorruptAudio for what is no such header, UnsupportedAudio for layouts that are not speakers (ambisonics)."""
        if len(raw) < _HEAD.size or not raw.startswith(b"OpusHead"):
            raise CorruptAudio(f"expected an OpusHead of {_HEAD.size} bytes or more, found {len(raw)} bytes: {raw[:8]!r}")
        _, version, channels, pre_skip, _, _, family = _HEAD.unpack_from(raw)
        if version >> 4:
            raise UnsupportedAudio(f"OpusHead version {version} is not supported; expected a version below 16")
        if family > 1:
            raise UnsupportedAudio(f"Opus channel mapping family {family} is not supported; send family 0 or 1")
        highest = _STEREO if family == 0 else CHANNELS[1]
        if not 1 <= channels <= highest:
            raise UnsupportedAudio(f"Opus of mapping family {family} has 1 to {highest} channels, the header says {channels}")
        if family == 1:
            _check_mapping(raw[_HEAD.size :], channels)
        return cls(channels, pre_skip, raw)

    @classmethod
    def plain(cls, channels: int) -> OpusHead:
        """The header of a stream that has none."""
        if not 1 <= channels <= _STEREO:
            raise UnsupportedAudio(f"Opus without a header has 1 or 2 channels, the container says {channels}")
        return cls.parse(_HEAD.pack(b"OpusHead", 1, channels, 0, OPUS_RATE, 0, 0))


def _check_mapping(table: bytes, channels: int) -> None:
    if len(table) < 2 + channels:
        raise CorruptAudio(f"OpusHead: expected a mapping table of {2 + channels} bytes, found {len(table)}")
    streams, coupled = table[0], table[1]
    mapped = table[2 : 2 + channels]
    silent = 255
    if not (0 < streams <= channels and coupled <= streams and all(i < streams + coupled or i == silent for i in mapped)):
        raise CorruptAudio(f"OpusHead: {channels} channels cannot come from {streams} streams, {coupled} of them coupled")


class OpusDecoder:
    """The packets of one stream, in order, to int16 at 48 kHz. The stream's pre-skip is dropped."""

    def __init__(self, head: OpusHead) -> None:
        self.head = head
        self.decoded = 0  # samples per channel so far, the pre-skip among them
        context = CodecContext.create("libopus", "r")
        assert isinstance(context, AudioCodecContext)
        # The pre-skip is dropped here and not by FFmpeg, so that a container's end trimming can count from the true start.
        context.extradata = head.raw[:10] + b"\0\0" + head.raw[12:]
        context.sample_rate = OPUS_RATE
        context.thread_count = 1
        try:
            context.open()
        except FFmpegError as error:
            raise CorruptAudio(f"libopus refused the stream's header: {error.strerror}") from error
        self._context = context

    def decode(self, packet: bytes) -> NDArray[np.int16]:
        """Shape ``[n, channels]``, at most 120 ms. Raises CorruptAudio for what is no Opus packet."""
        if not 0 < len(packet) <= MAX_PACKET:
            raise CorruptAudio(f"an Opus packet has 1 to {MAX_PACKET} bytes, found one of {len(packet)}")
        try:
            frames = self._context.decode(Packet(packet))
        except FFmpegError as error:
            raise CorruptAudio(f"expected an Opus packet, found {len(packet)} bytes that are none") from error
        pcm = [self._samples(frame) for frame in frames]
        joined = pcm[0] if len(pcm) == 1 else np.concatenate([np.empty((0, self.head.channels), np.int16), *pcm])
        drop = max(0, self.head.pre_skip - self.decoded)
        self.decoded += len(joined)
        return joined[drop:]

    def _samples(self, frame: AudioFrame) -> NDArray[np.int16]:
        return frame.to_ndarray().astype(np.int16, copy=False).reshape(-1, self.head.channels)
