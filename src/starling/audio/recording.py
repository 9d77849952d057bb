"""Recordings: any file that FFmpeg reads, in blocks of one second, whatever its length.

The same mixing, resampling and Opus decoder as live audio, so that a WAV file streamed and the same file read here give the same
samples. What a file is, is found by looking into it; its name does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from av import AudioFrame, AudioStream, Packet
from av.error import FFmpegError

from starling.audio.containers import duration_of, open_codec, open_container, pcm_of, sound_track, type_of
from starling.audio.normalise import Normaliser, Pcm
from starling.audio.promises import head_of, promised, unfinished
from starling.audio.source import Source
from starling.core.audio import SAMPLE_RATE, Samples
from starling.core.errors import CorruptAudio, UnsupportedAudio

BLOCK = SAMPLE_RATE
"""Samples in one block of a recording."""

RECORDED_RATES = (1_000, 768_000)
"""Lowest and highest sample rate of a recording, in Hz: wider than live audio, for archives and instruments."""

MOST_CHANNELS = 8
"""Channels that can be kept apart."""

TOLERATED = 50
"""Packets in a row that may be broken. One or two at the start or after a cut are common (MP3) and cost milliseconds."""


class Recording:
    """An open recording. Use it as a context manager.

    ``source``: a path, or a binary file object, which may be a pipe (standard input) and is left open. ``budget``: bytes that may
    be read of it, or None. ``media_type``: what it is, for the web. ``codec``: FFmpeg's name of it. ``sample_rate`` and
    ``channels`` are as its header says, and so is ``duration``: seconds, or FFmpeg's estimate, or None; never decoded for.
    ``promised``: seconds that its header counts exactly, or None. ``unfinished``: it lacks the mark that ends files of its kind.
    ``lost``: pieces that could not be decoded so far.

    Raises OSError as ``open`` does; CorruptAudio for what no demuxer knows; UnsupportedAudio for a file without a sound track, a
    playlist that names other files, a codec that is not built in, or a sample rate beyond RECORDED_RATES.
    """

    def __init__(self, source: str | Path | BinaryIO, *, budget: int | None = None) -> None:
        with ExitStack() as opened:
            file = opened.enter_context(Path(source).open("rb")) if isinstance(source, (str, Path)) else source
            self._file = Source(file, budget=budget)
            head = head_of(file)
            self.unfinished = head.startswith(b"OggS") and unfinished(file)
            self._container = opened.enter_context(open_container(self._file))
            self._file.check()
            self._stream = sound_track(self._container)
            self._decoder = open_codec(self._stream)
            self.media_type = type_of(self._container)
            self.codec = self._stream.codec_context.name
            self.sample_rate = self._stream.codec_context.sample_rate
            if self.sample_rate:  # some codecs say it with their first frame only
                _check_rate(self.sample_rate)
            self.channels = self._stream.codec_context.channels
            self.duration = duration_of(self._container, self._stream)
            self.promised = promised(head, self._container.format.name, self.duration, tracks=len(self._container.streams))
            self.lost = 0
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened. Again does nothing."""
        self._opened.close()

    def check_readable(self) -> None:
        """Raise CorruptAudio unless there is a packet of sound, UnsupportedAudio if it is encrypted. It is not heard any more."""
        try:
            if next(self._packets(), None) is None:
                raise CorruptAudio(_silent(self.codec))
        except (FFmpegError, IndexError) as error:
            self._file.check()
            raise _damaged(error) from error

    def blocks(self, *, start: int = 0) -> Iterator[Samples]:
        """The audio from sample position ``start`` on, once, channels mixed: blocks of ``BLOCK`` samples, the last one shorter.

        What precedes ``start`` is decoded and dropped: seeking would not be exact. Raises CorruptAudio, after the blocks before
        it, where the recording cannot be decoded further, and if it holds no audio at all; UnsupportedAudio if it is encrypted.
        """
        return (block for (block,) in self._cut([Normaliser()], start))

    def channel_blocks(self, *, start: int = 0) -> Iterator[list[Samples]]:
        """As ``blocks``, with one of each channel, of equal lengths. A channel that is missing for a while is silent.

        Raises UnsupportedAudio for more than ``MOST_CHANNELS``.
        """
        if self.channels > MOST_CHANNELS:
            raise UnsupportedAudio(f"expected at most {MOST_CHANNELS} channels to keep apart, found {self.channels}: mix them")
        return self._cut([Normaliser() for _ in range(self.channels)], start)

    def _cut(self, outs: Sequence[Normaliser], start: int) -> Iterator[list[Samples]]:
        waiting: list[list[Samples]] = []
        count, dropped = 0, 0
        for pieces in self._pieces(outs):
            length = len(pieces[0])
            drop = min(length, start - dropped)
            dropped += drop
            waiting.append([piece[drop:] for piece in pieces])
            count += length - drop
            if count >= BLOCK:
                joined = _joined(waiting)
                whole = count // BLOCK * BLOCK
                for at in range(0, whole, BLOCK):
                    yield [channel[at : at + BLOCK] for channel in joined]
                waiting, count = [[channel[whole:] for channel in joined]], count - whole
        if count:
            yield _joined(waiting)

    def _pieces(self, outs: Sequence[Normaliser]) -> Iterator[list[Samples]]:
        found = False
        for frame in self._frames():
            found = True
            _check_rate(frame.sample_rate)
            for out, pcm in zip(outs, _channels(pcm_of(frame), len(outs)), strict=True):
                out.write(pcm, frame.sample_rate)
            yield [out.take() for out in outs]
        if not found:
            raise CorruptAudio(_silent(self.codec))
        for out in outs:
            out.finish()
        yield [out.take() for out in outs]

    def _frames(self) -> Iterator[AudioFrame]:
        broken = 0
        try:
            for packet in self._packets():
                try:
                    frames = self._decoder.decode(packet)
                except FFmpegError as error:
                    broken += 1
                    self.lost += 1
                    if broken > TOLERATED:
                        raise CorruptAudio(
                            f"{broken} packets of {self.codec} in a row cannot be decoded: the rest is lost"
                        ) from error
                    continue
                broken = 0
                yield from frames
            self._file.check()
            yield from self._decoder.decode(None)
        except (FFmpegError, IndexError) as error:
            self._file.check()
            raise _damaged(error) from error

    def _packets(self) -> Iterator[Packet[AudioStream]]:
        for packet in self._container.demux(self._stream):
            if packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info"):
                raise UnsupportedAudio("the recording is encrypted, so nobody can listen to it: send it without copy protection")
            if packet.size:
                yield packet


def read_recording(source: str | Path | BinaryIO, *, start: int = 0) -> Iterator[Samples]:
    """The blocks of a recording, as ``Recording.blocks`` gives them. Nothing is opened before the first is asked for."""
    with Recording(source) as recording:
        yield from recording.blocks(start=start)


def duration(source: str | Path | BinaryIO) -> float | None:
    """How long a recording says it is, in seconds, or None if it does not."""
    with Recording(source) as recording:
        return recording.duration


def _channels(pcm: Pcm, count: int) -> Sequence[Pcm]:
    """What each of ``count`` listeners hears of ``[n, channels]``: all of it, if there is one."""
    if count == 1:
        return [pcm]
    silence = np.zeros_like(pcm[:, :1])
    return [pcm[:, [channel]] if channel < pcm.shape[1] else silence for channel in range(count)]


def _joined(pieces: Sequence[Sequence[Samples]]) -> list[Samples]:
    return [np.concatenate(channel) for channel in zip(*pieces, strict=True)]


def _check_rate(rate: int) -> None:
    low, high = RECORDED_RATES
    if not low <= rate <= high:
        raise UnsupportedAudio(f"a recording's sample rate must be between {low} and {high} Hz, got {rate}")


def _silent(codec: str) -> str:
    return f"expected {codec} audio in the recording, found none that can be decoded"


def _damaged(error: FFmpegError | IndexError) -> CorruptAudio:
    if isinstance(error, IndexError):  # of PyAV's list of tracks
        return CorruptAudio("the recording gains a track in the middle, which cannot be read, or is damaged there")
    if isinstance(error, MemoryError):
        return CorruptAudio("the recording asks for more memory than there is: it is damaged, or built to do that")
    return CorruptAudio(f"the recording is damaged or cut off: {error.strerror}")
