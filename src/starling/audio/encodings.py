"""Which reader understands which encoding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starling.audio.decoder import AudioDecoder
from starling.audio.flac import read_flac
from starling.audio.matroska import read_webm_opus
from starling.audio.normalise import Normaliser, check_layout
from starling.audio.ogg import read_ogg_opus
from starling.audio.pcm import PCM_ALAW, PCM_F32LE, PCM_MULAW, PCM_S16LE, read_pcm
from starling.audio.reading import Reader
from starling.audio.wav import read_wav
from starling.core.audio import AudioFormat, Encoding, WaveLayout

_HEADERLESS = {
    Encoding.PCM_S16LE: PCM_S16LE,
    Encoding.PCM_F32LE: PCM_F32LE,
    Encoding.MULAW: PCM_MULAW,
    Encoding.ALAW: PCM_ALAW,
}

_CONTAINERS: dict[Encoding, Callable[[Normaliser], Reader]] = {
    Encoding.WEBM_OPUS: read_webm_opus,
    Encoding.OGG_OPUS: read_ogg_opus,
    Encoding.FLAC: read_flac,
}


def open_decoder(
    fmt: AudioFormat, note: Callable[[WaveLayout], None] = lambda _: None, *, wave: WaveLayout | None = None, at: int = 0
) -> AudioDecoder:
    """A decoder for a client that sends ``fmt``. A container's own header wins over the declared rate and channels.

    ``note`` is told what a WAV header says; with that as ``wave``, the decoder goes on at byte ``at`` of such a stream.

    Raises UnsupportedAudio, naming the range, for a rate or channel count of headerless audio that is out of it.
    """
    if fmt.encoding is Encoding.WAV:
        return AudioDecoder(partial(read_wav, note=note, layout=wave, at=at))
    container = _CONTAINERS.get(fmt.encoding)
    if container is not None:
        return AudioDecoder(container)
    check_layout(fmt.sample_rate, fmt.channels)
    return AudioDecoder(partial(read_pcm, _HEADERLESS[fmt.encoding], fmt.channels, fmt.sample_rate))
