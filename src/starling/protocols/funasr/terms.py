"""What of FunASR's protocols is spoken here."""

from __future__ import annotations

from typing import Final

from starling.protocols.conformance import ignored, refused, supported

FIELDS: Final = {
    "mode": supported("`2pass` (the default), `online`, `offline`"),
    "wav_name": supported("comes back with every result"),
    "wav_format": supported(
        "`pcm`: 16 bits, one channel; any other is a whole file, WAV, FLAC, Ogg/Opus or WebM/Opus, in mode `offline` only"
    ),
    "audio_fs": supported("8000 to 96000, 16000 unless told otherwise; counts from the next utterance on"),
    "is_speaking": supported("`false` ends the utterance; audio after it begins the next one"),
    "is_finished": supported("`true` is the same as `is_speaking` `false`"),
    "is_end": supported("`true` too, and asks for the acknowledgement with `is_end`"),
    "hotwords": supported(
        "an object as text or as it is, with weights of which 20 is plain and 0 or less none; lines with a weight at the end; "
        "phrases with commas between; words"
    ),
    "hotword": supported("the same, as older clients call it"),
    "itn": ignored("texts are as the model writes them"),
    "chunk_size": ignored("how often results come is the server's choice"),
    "chunk_interval": ignored("as `chunk_size`"),
    "encoder_chunk_look_back": ignored("as `chunk_size`"),
    "decoder_chunk_look_back": ignored("as `chunk_size`"),
    "svs_lang": ignored("there is one model"),
    "svs_itn": ignored("as `itn`"),
}
"""Fields of 2pass messages. Others are ignored, as there."""

COMMANDS: Final = {
    "`START`": supported("`started`; while audio comes it begins anew, as there"),
    "binary": supported("16-bit PCM, one channel, 16 kHz; ignored unless started, as there"),
    "`HOTWORDS:a,b`": supported("`hotwords_set`; count at once"),
    "`POSTPROCESS_HOTWORDS:wrong=>right`": supported(
        "`postprocess_hotwords_set`; replaced in sentences, to the letter; a word without `=>` changes nothing"
    ),
    "`LANGUAGE:name`": supported("`language_set`; one that the model does not speak is an `error`; none is the server's own"),
    "`STOP`": supported("what is left, with `is_final`, if audio came; then `stopped`"),
    "`COMMIT`": refused("the server ends utterances by itself, as that one does unless started with `--endpoint-mode client`"),
}
"""Messages of the realtime protocol. Any other text is answered with an `error`."""
