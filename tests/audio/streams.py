"""Streams to decode: made by PyAV's muxers, or byte by byte where a muxer would not write what a client may send."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from recordings import recording_path
from starling.audio import open_decoder
from starling.audio.ogg import crc
from starling.core.audio import AudioFormat, Encoding, Samples
from starling.core.errors import ClientError

OPUS_HEAD = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)
OPUS_TAGS = b"OpusTags" + struct.pack("<I4sI", 4, b"test", 0)


def speech(rate: int, seconds: float = 0.5) -> NDArray[np.int16]:
    """Real speech at ``rate`` Hz, shape ``[n]``: taken as if recorded at that rate: another pitch, real samples."""
    with wave.open(str(recording_path("beckett"))) as file:
        file.setpos(16_000)
        return np.frombuffer(file.readframes(round(rate * seconds)), "<i2").astype(np.int16)


def mux(container: str, codec: str, pcm: NDArray[np.int16], rate: int, *, layout: str = "mono", **options: str) -> bytes:
    """``pcm`` (shape ``[n, channels]`` or ``[n]``) as a file of ``container``."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout, options=options)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = rate
        frame.pts = 0
        frame.time_base = Fraction(1, rate)
        resampler = av.AudioResampler(stream.format, layout, stream.rate)
        for converted in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(converted))
        output.mux(stream.encode(None))
    return file.getvalue()


def opus_packets(seconds: float = 0.5) -> list[bytes]:
    """Speech as Opus packets of 20 ms, for the header ``OPUS_HEAD``."""
    with av.open(io.BytesIO(mux("ogg", "libopus", speech(48_000, seconds), 48_000)), "r") as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def wav(
    data: bytes,
    *,
    code: int = 1,
    bits: int = 16,
    rate: int = 16_000,
    channels: int = 1,
    size: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
    align: int | None = None,
    form: bytes = b"RIFF",
    extra: bytes = b"",
) -> bytes:
    """A WAV stream, with the ``size`` its data chunk claims if that is not the truth."""
    align = channels * bits // 8 if align is None else align
    fmt = struct.pack("<HHIIHH", code, channels, rate, rate * align, align, bits) + extra
    return b"".join([
        form, struct.pack("<I", 0), b"WAVE", before, chunk(b"fmt ", fmt),
        b"data", struct.pack("<I", len(data) if size is None else size), data, after,
    ])  # fmt: skip


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def page(
    body: Sequence[bytes],
    *,
    sequence: int,
    flags: int = 0,
    granule: int = -1,
    serial: int = 7,
    goes_on: bool = False,
) -> bytes:
    """One Ogg page of the given packets; the last one ``goes_on`` in the next page."""
    lacing = bytearray()
    for index, packet in enumerate(body):
        lacing += b"\xff" * (len(packet) // 255)
        if not (goes_on and index == len(body) - 1):
            lacing.append(len(packet) % 255)
    data = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, serial, sequence, 0, len(lacing)) + lacing + b"".join(body)
    return data[:22] + struct.pack("<I", crc(data)) + data[26:]


def ogg(packets: Sequence[bytes], *, serial: int = 7, head: bytes = OPUS_HEAD, granule: int = -1) -> bytes:
    """An Opus stream with one packet to a page; ``granule``: the position its last page gives."""
    pages = [page([head], sequence=0, flags=2, granule=0, serial=serial), page([OPUS_TAGS], sequence=1, granule=0, serial=serial)]
    for sequence, packet in enumerate(packets[:-1], 2):
        pages.append(page([packet], sequence=sequence, serial=serial))
    pages.append(page(packets[-1:], sequence=len(packets) + 1, flags=4, granule=granule, serial=serial))
    return b"".join(pages)


def element(identity: int, body: bytes, *, size: int | None = None) -> bytes:
    """An EBML element; ``size`` if it claims another than its own."""
    return identity.to_bytes((identity.bit_length() + 7) // 8, "big") + vint(len(body) if size is None else size) + body


def unknown(identity: int) -> bytes:
    """The header of an element of unknown size."""
    return identity.to_bytes(4, "big") + b"\x01" + b"\xff" * 7


def vint(value: int) -> bytes:
    length = max(1, -(-(value + 1).bit_length() // 7))
    return (value | 1 << 7 * length).to_bytes(length, "big")


def simple_block(data: bytes, *, track: int = 1, lacing: int = 0) -> bytes:
    return element(0xA3, vint(track) + b"\0\0" + bytes([0x80 | lacing]) + data)


def webm_head(*, codec: bytes = b"A_OPUS", private: bytes = OPUS_HEAD, doc_type: bytes = b"webm", entry: bytes = b"") -> bytes:
    """What stands before the first cluster, as Chromium's MediaRecorder writes it."""
    ebml = element(0x4286, b"\1") + element(0x42F7, b"\1") + element(0x42F2, b"\4") + element(0x42F3, b"\x08")
    ebml += element(0x4282, doc_type) + element(0x4287, b"\4") + element(0x4285, b"\2")
    info = element(0x2AD7B1, b"\x0f\x42\x40") + element(0x4D80, b"Chrome") + element(0x5741, b"Chrome")
    audio = element(0xB5, struct.pack(">f", 48_000)) + element(0x9F, b"\1") + element(0x6264, b"\x20")
    track = element(0xD7, b"\1") + element(0x73C5, b"NEXAMPL") + element(0x83, b"\2") + element(0x86, codec)
    track += (element(0x63A2, private) if private else b"") + element(0xE1, audio) + entry
    return element(0x1A45DFA3, ebml) + unknown(0x18538067) + element(0x1549A966, info) + element(0x1654AE6B, element(0xAE, track))


def media_recorder(packets: Sequence[bytes]) -> bytes:
    """A live recording as Chromium's MediaRecorder writes it: a cluster of unknown size for each time slice."""
    clusters = (
        unknown(0x1F43B675) + element(0xE7, bytes([i & 0xFF])) + b"".join(simple_block(packet) for packet in packets[i : i + 2])
        for i in range(0, len(packets), 2)
    )
    return webm_head() + b"".join(clusters)


def decode(encoding: Encoding, pieces: Iterable[bytes], **declared: int) -> tuple[Samples, ClientError | None]:
    """All samples of a stream that comes in ``pieces``, and its fault."""
    decoder = open_decoder(AudioFormat(encoding, **declared))
    out: list[Samples] = []
    for piece in pieces:
        out.append(decoder.feed(piece))
        if decoder.fault is not None:
            return np.concatenate(out), decoder.fault
    out.append(decoder.flush())
    return np.concatenate(out), decoder.fault


def fault(encoding: Encoding, data: bytes, **declared: int) -> str:
    """What a stream is refused with: ``code: message``."""
    error = decode(encoding, [data], **declared)[1]
    assert error is not None, "expected a fault"
    return f"{error.code}: {error.message}"
