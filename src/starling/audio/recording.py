"""Recordings: any file that FFmpeg reads, in blocks of one second, whatever its length.

The same mixing, resampling and Opus decoder as live audio, so that a WAV file streamed and the same file read here give the same
samples. What a file is, is found by looking into it; its name does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn, Self

import av
import numpy as np
from av import AudioCodecContext, AudioFrame, AudioStream, CodecContext
from av.error import FFmpegError

from starling.audio.normalise import Normaliser, Pcm
from starling.audio.opus import OPUS_RATE
from starling.audio.pcm import from_int32
from starling.core.audio import SAMPLE_RATE, Samples
from starling.core.errors import CorruptAudio, UnsupportedAudio

BLOCK = SAMPLE_RATE
"""Samples in one block of a recording."""

RECORDED_RATES = (1_000, 768_000)
"""Lowest and highest sample rate of a recording, in Hz: wider than live audio, for archives and instruments."""

TOLERATED = 50
"""Packets in a row that may be broken. One or two at the start or after a cut are common (MP3) and cost milliseconds."""

_MICROSECONDS = 1_000_000


class Recording:
    """An open recording. Use it as a context manager.

    ``source``: a path, or a binary file object, which may be a pipe (standard input) and is left open. ``codec``: FFmpeg's name
    of it. ``duration``: seconds as the file states or FFmpeg estimates them, or None; never decoded for.

    Raises OSError as ``open`` does; CorruptAudio for what no demuxer knows; UnsupportedAudio for a file without a sound track, a
    playlist that names other files, or a codec that is not built in.
    """

    def __init__(self, source: str | Path | BinaryIO) -> None:
        with ExitStack() as opened:
            file = opened.enter_context(Path(source).open("rb")) if isinstance(source, (str, Path)) else source
            self._file = _Interruptible(file)
            try:
                # A playlist could make FFmpeg open any file or address; io_open is asked first. Tags may be in any charset.
                container = opened.enter_context(
                    av.open(self._file, mode="r", io_open=_refuse_reference, metadata_errors="replace")
                )
            except FFmpegError as error:
                self._file.check()
                raise CorruptAudio(_UNREADABLE) from error
            stream = container.streams.best("audio")
            if not isinstance(stream, AudioStream):
                raise UnsupportedAudio(f"expected a recording with a sound track, found {container.format.long_name} without one")
            self.codec = stream.codec_context.name
            self.sample_rate = stream.codec_context.sample_rate
            self.channels = stream.codec_context.channels
            self._decoder = _open_codec(stream)
            seconds = None if stream.duration is None or stream.time_base is None else float(stream.duration * stream.time_base)
            self.duration = container.duration / _MICROSECONDS if seconds is None and container.duration else seconds
            self._stream = stream
            self._container = container
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened. Again does nothing."""
        self._opened.close()

    def blocks(self, *, start: int = 0) -> Iterator[Samples]:
        """The audio from sample position ``start`` on, once: blocks of ``BLOCK`` samples, the last one shorter.

        What precedes ``start`` is decoded and dropped: seeking would not be exact. Raises CorruptAudio, after the blocks before
        it, where the recording cannot be decoded further, and if it holds no audio at all.
        """
        out = Normaliser()
        waiting: list[Samples] = []
        count, dropped = 0, 0
        for samples in self._samples(out):
            drop = min(len(samples), start - dropped)
            dropped += drop
            waiting.append(samples[drop:])
            count += len(samples) - drop
            if count >= BLOCK:
                joined = np.concatenate(waiting)
                whole = count // BLOCK * BLOCK
                yield from np.split(joined[:whole], whole // BLOCK)
                waiting, count = [joined[whole:]], count - whole
        if count:
            yield np.concatenate(waiting)

    def _samples(self, out: Normaliser) -> Iterator[Samples]:
        found = False
        for frame in self._frames():
            found = True
            low, high = RECORDED_RATES
            if not low <= frame.sample_rate <= high:
                raise UnsupportedAudio(f"a recording's sample rate must be between {low} and {high} Hz, got {frame.sample_rate}")
            out.write(_pcm(frame), frame.sample_rate)
            yield out.take()
        if not found:
            raise CorruptAudio(f"expected {self.codec} audio in the recording, found none that can be decoded")
        out.finish()
        yield out.take()

    def _frames(self) -> Iterator[AudioFrame]:
        broken = 0
        try:
            for packet in self._container.demux(self._stream):
                if not packet.size:
                    continue
                try:
                    frames = self._decoder.decode(packet)
                except FFmpegError as error:
                    broken += 1
                    if broken > TOLERATED:
                        raise CorruptAudio(
                            f"{broken} packets of {self.codec} in a row cannot be decoded: the rest is lost"
                        ) from error
                    continue
                broken = 0
                yield from frames
            self._file.check()
            yield from self._decoder.decode(None)
        except FFmpegError as error:
            self._file.check()
            raise CorruptAudio(f"the recording is damaged or cut off: {error.strerror}") from error


class _Interruptible:
    """A file for FFmpeg, in whose C code an exception would be lost: Ctrl-C is the end of the file there, and raised after it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._interrupted = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def read(self, size: int) -> bytes:
        if self._interrupted:
            return b""
        try:
            return self._file.read(size)
        except KeyboardInterrupt:
            self._interrupted = True
            return b""

    def check(self) -> None:
        """Raises KeyboardInterrupt if ``read`` met it."""
        if self._interrupted:
            raise KeyboardInterrupt


def read_recording(source: str | Path | BinaryIO, *, start: int = 0) -> Iterator[Samples]:
    """The blocks of a recording, as ``Recording.blocks`` gives them. Nothing is opened before the first is asked for."""
    with Recording(source) as recording:
        yield from recording.blocks(start=start)


def duration(source: str | Path | BinaryIO) -> float | None:
    """How long a recording says it is, in seconds, or None if it does not."""
    with Recording(source) as recording:
        return recording.duration


_UNREADABLE = "expected a recording (WAV, MP3, M4A, OGG, WebM, FLAC, ...), found no format that can be read, or a file cut off"


def _refuse_reference(url: str, flags: int, options: object) -> NoReturn:  # noqa: ARG001 - the signature PyAV calls
    raise UnsupportedAudio("playlists that name other files are not supported; send the recording itself")


def _open_codec(stream: AudioStream) -> AudioCodecContext:
    context = stream.codec_context
    if context.name == "opus":
        # The decoder that live audio takes; FFmpeg's own gives other samples.
        opus = CodecContext.create("libopus", "r")
        assert isinstance(opus, AudioCodecContext)
        opus.extradata = context.extradata
        opus.sample_rate = OPUS_RATE
        opus.layout = context.layout
        context = opus
    context.thread_count = 1
    return context


def _pcm(frame: AudioFrame) -> Pcm:
    kind = frame.format.name.removesuffix("p")
    raw = frame.to_ndarray()
    raw = raw.T if frame.format.is_planar else raw.reshape(-1, frame.layout.nb_channels)
    if kind == "s16":
        return raw.astype(np.int16, copy=False)
    if kind == "u8":
        return (raw.astype(np.int16) - 128) << 8
    if kind == "s32":
        return from_int32(raw.astype(np.int32, copy=False))
    if kind in ("flt", "dbl"):
        with np.errstate(over="ignore"):
            return np.nan_to_num(raw.astype(np.float32), posinf=1, neginf=-1)
    raise UnsupportedAudio(f"samples of kind {frame.format.name} are not supported; expected integers up to 32 bits, or floats")
