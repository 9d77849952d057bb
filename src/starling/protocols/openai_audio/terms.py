"""What of OpenAI's transcriptions is spoken here."""

from __future__ import annotations

from typing import Final

from starling.protocols.conformance import ignored, refused, supported

TRANSCRIPTION: Final = {
    "file": supported("anything that FFmpeg reads, whatever it is called"),
    "model": supported("a name of `GET /v1/models`, or `whisper-1` for the default"),
    "language": supported("what the model speaks; anything else is refused"),
    "languages[]": supported("the first that the model speaks"),
    "prompt": supported("a list of names and terms, with commas or on lines of their own, becomes hot words; prose is ignored"),
    "keywords[]": supported("hot words"),
    "response_format": supported("`json`, `text`, `srt`, `verbose_json`, `vtt`"),
    "response_format=diarized_json": refused("speakers are not told apart"),
    "stream": supported("with `json` and `text`: a delta for each segment as soon as it is known"),
    "timestamp_granularities[]": supported("`segment` and `word`, with `verbose_json`"),
    "temperature": ignored("nothing is drawn at random"),
    "chunking_strategy": ignored("speech is always cut at pauses"),
    "include[]": refused("there are no log probabilities of tokens"),
    "known_speaker_names[]": refused("speakers are not told apart"),
    "known_speaker_references[]": refused("speakers are not told apart"),
}
"""Fields of `POST /v1/audio/transcriptions`. Others are ignored."""

ROUTES: Final = {
    "`POST /v1/audio/transcriptions`": supported("waits for the text, or streams it"),
    "`GET /v1/models`, `GET /v1/models/{model}`": supported("what there is, and `whisper-1`"),
    "`POST /v1/audio/translations`": refused("there is no model that translates: transcribe, then translate the text"),
}
