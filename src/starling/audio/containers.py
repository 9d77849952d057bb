"""FFmpeg's containers and codecs, opened the way Starling wants them."""

from __future__ import annotations

from typing import NoReturn

import av
import numpy as np
from av import AudioCodecContext, AudioFrame, AudioStream, CodecContext
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition

from starling.audio.media_types import media_type
from starling.audio.normalise import Pcm
from starling.audio.opus import OPUS_RATE
from starling.audio.pcm import from_int32
from starling.audio.source import Source
from starling.core.errors import CorruptAudio, UnsupportedAudio

_MICROSECONDS = 1_000_000

_OFFLINE = {"protocol_whitelist": "none"}
"""Some demuxers open connections by themselves, without asking ``io_open``: a session description (SDP) makes FFmpeg listen for
RTP and send to whomever it names. None of FFmpeg's protocols is needed to read a file that we read for it.
"""

_UNREADABLE = "expected a recording (WAV, MP3, M4A, OGG, WebM, FLAC, ...), found no format that can be read, or a file cut off"


def open_container(source: Source) -> InputContainer:
    """Raises CorruptAudio for what no demuxer knows, UnsupportedAudio for a playlist that names other files."""
    try:
        # A playlist could make FFmpeg open any file or address; io_open is asked first. Tags may be in any charset.
        return av.open(source, mode="r", io_open=_refuse_reference, options=_OFFLINE, metadata_errors="replace")
    except FFmpegError as error:
        source.check()
        raise CorruptAudio(_UNREADABLE) from error


def sound_track(container: InputContainer) -> AudioStream:
    """The one that FFmpeg thinks best; the others are not read. Raises UnsupportedAudio where there is none, or no codec."""
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise UnsupportedAudio(f"expected a recording with a sound track, found {container.format.long_name} without one")
    if stream.codec_context is None:
        raise UnsupportedAudio(
            "expected sound in a known encoding, found one without a name: convert it to FLAC or MP3 and send that"
        )
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    return stream


def type_of(container: InputContainer) -> str:
    """The media type of what is inside."""
    film = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    contexts: list[CodecContext | None] = [one.codec_context for one in container.streams.audio]
    contexts += [one.codec_context for one in film]
    codecs = {context.name for context in contexts if context is not None}
    return media_type(container.format.name, codecs=codecs, video=bool(film))


def duration_of(container: InputContainer, stream: AudioStream) -> float | None:
    """Seconds, as the container or its track says; None where neither says what can be."""
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    else:
        seconds = (container.duration or 0) / _MICROSECONDS
    return seconds if seconds > 0 else None


def open_codec(stream: AudioStream) -> AudioCodecContext:
    """The decoder of a track, on one thread."""
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


def pcm_of(frame: AudioFrame) -> Pcm:
    """Its samples. Raises UnsupportedAudio for kinds that no codec of sound makes."""
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


def _refuse_reference(url: str, flags: int, options: object) -> NoReturn:  # noqa: ARG001 - the signature PyAV calls
    raise UnsupportedAudio("playlists that name other files are not supported; send the recording itself")
