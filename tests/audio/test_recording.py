from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from audio.streams import decode, mux, opus_packets, page, speech, wav
from recordings import recording_path
from starling.audio import Recording, duration, read_recording
from starling.core.audio import Encoding, Samples
from starling.core.errors import CorruptAudio, UnsupportedAudio


def whole(source: str | Path | io.BytesIO) -> Samples:
    return np.concatenate(list(read_recording(source)))


@pytest.mark.parametrize("name", ["beckett", "two_cities"])
def test_a_file_gives_the_same_samples_as_its_stream(name: str) -> None:
    live, error = decode(Encoding.WAV, [recording_path(name).read_bytes()])
    assert error is None
    np.testing.assert_array_equal(whole(recording_path(name)), live)


@pytest.mark.parametrize(("container", "encoding"), [("webm", Encoding.WEBM_OPUS), ("ogg", Encoding.OGG_OPUS)])
def test_opus_files_give_the_same_samples_as_their_streams(container: str, encoding: Encoding) -> None:
    data = mux(container, "libopus", speech(48_000, 1.0), 48_000)
    live, error = decode(encoding, [data])
    assert error is None
    np.testing.assert_array_equal(whole(io.BytesIO(data)), live)


@pytest.mark.parametrize(("code", "bits", "kind"), [(1, 8, "u1"), (1, 16, "<i2"), (1, 32, "<i4"), (3, 32, "<f4"), (3, 64, "<f8")])
def test_every_sample_kind_is_read_as_live_audio_is(code: int, bits: int, kind: str) -> None:
    noise = np.random.default_rng(0)
    values = noise.uniform(-1, 1, 4_000) if code == 3 else noise.integers(np.iinfo(kind).min, np.iinfo(kind).max, 4_000)
    data = wav(values.astype(kind).tobytes(), code=code, bits=bits, rate=24_000, channels=2)
    np.testing.assert_array_equal(whole(io.BytesIO(data)), decode(Encoding.WAV, [data])[0])


@pytest.mark.parametrize(
    ("container", "codec"), [("mp3", "libmp3lame"), ("flac", "flac"), ("ipod", "aac"), ("ipod", "alac"), ("adts", "aac")]
)
def test_common_formats_are_read_whole(container: str, codec: str) -> None:
    pcm = speech(44_100, 1.5)
    samples = whole(io.BytesIO(mux(container, codec, pcm, 44_100)))
    assert len(samples) == pytest.approx(24_000, abs=1_600)  # lossy codecs pad by a frame or two
    original, _ = decode(Encoding.PCM_S16LE, [pcm.tobytes()], sample_rate=44_100)
    spectra = [np.abs(np.fft.rfft(signal[2_000:22_000])) for signal in (samples, original)]
    assert np.corrcoef(spectra[0], spectra[1])[0, 1] > 0.95


def test_blocks_are_of_one_second() -> None:
    lengths = [len(block) for block in read_recording(recording_path("beckett"))]
    assert lengths == [16_000] * 9 + [159_414 - 9 * 16_000]


@pytest.mark.parametrize("start", [0, 1, 16_000, 100_001, 159_414, 1_000_000])
def test_reading_may_start_anywhere(start: int) -> None:
    path = recording_path("beckett")
    blocks = list(read_recording(path, start=start))
    np.testing.assert_array_equal(np.concatenate([np.empty(0, np.int16), *blocks]), whole(path)[start:])


def test_a_recording_says_what_it_is() -> None:
    with Recording(recording_path("two_cities")) as recording:
        assert (recording.codec, recording.sample_rate, recording.channels) == ("pcm_s16le", 48_000, 1)
        assert recording.duration == pytest.approx(44.374, abs=0.001)
    assert duration(io.BytesIO(mux("webm", "libopus", speech(48_000, 1.0), 48_000))) == pytest.approx(1.0, abs=0.03)


def test_a_pipe_can_be_read() -> None:
    data = wav(speech(16_000).tobytes(), size=0xFFFF_FFFF)
    read, write = os.pipe()

    def fill() -> None:
        with os.fdopen(write, "wb") as sink:
            sink.write(data)

    filler = threading.Thread(target=fill)
    filler.start()
    with os.fdopen(read, "rb") as source:
        np.testing.assert_array_equal(np.concatenate(list(read_recording(source))), speech(16_000))
    filler.join()


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "speech.mp3"
    path.write_bytes(wav(speech(16_000).tobytes()))
    np.testing.assert_array_equal(whole(str(path)), speech(16_000))


@pytest.mark.parametrize("data", [b"", b"RIFF", b"garbage" * 1_000, bytes(10_000), wav(b"")])
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptAudio, match="expected"):
        whole(io.BytesIO(data))


def test_a_film_without_sound_is_refused() -> None:
    import av  # noqa: PLC0415 - only here

    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        stream = output.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 16
        output.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        output.mux(stream.encode(None))
    with pytest.raises(UnsupportedAudio, match="expected a recording with a sound track, found Matroska"):
        whole(io.BytesIO(file.getvalue()))


def test_a_session_description_opens_no_connection(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n")
    with pytest.raises(CorruptAudio, match="no format"):  # else FFmpeg would wait for packets here
        Recording(tmp_path / "call.wav")


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    target = recording_path("beckett")
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{target}\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnsupportedAudio, match="playlists"):
        whole(path)
    path.write_text(f"ffconcat version 1.0\nfile '{target}'\n")
    with pytest.raises(CorruptAudio):
        whole(path)


def test_a_missing_file_is_said_as_python_says_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        whole(tmp_path / "none.wav")


def test_what_precedes_the_damage_is_given() -> None:
    good, bad = opus_packets(1.2), [b"\xff\xff\xff"] * 80
    head = mux("ogg", "libopus", speech(48_000, 0.02), 48_000)
    assert head.startswith(b"OggS")
    header_pages = b"".join(b"OggS" + part for part in head.split(b"OggS")[1:3])
    serial = int.from_bytes(head[14:18], "little")
    data = header_pages + b"".join(
        page([packet], sequence=2 + i, serial=serial, granule=960 * (i + 1)) for i, packet in enumerate([*good, *bad])
    )
    blocks: list[Samples] = []
    with pytest.raises(CorruptAudio, match="packets of opus in a row cannot be decoded"):
        blocks.extend(read_recording(io.BytesIO(data)))
    assert [len(block) for block in blocks] == [16_000]


class Interrupted(io.BytesIO):
    """A file during whose reading somebody presses Ctrl-C, after ``served`` bytes."""

    def __init__(self, data: bytes, served: int) -> None:
        super().__init__(data)
        self.served = served

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self.served:
            raise KeyboardInterrupt
        return super().read(size)


@pytest.mark.parametrize("served", [0, 400_000])
def test_an_interrupt_while_it_reads_is_one(served: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        list(read_recording(Interrupted(recording_path("two_cities").read_bytes(), served)))
