"""What of WhisperLive's protocol is spoken here."""

from __future__ import annotations

from typing import Final

from starling.protocols.conformance import ignored, refused, supported

OPTIONS: Final = {
    "uid": supported("comes back with every message; others are dropped by the client"),
    "language": supported("`null` is the model's own, which a message says then; one that it does not speak is refused"),
    "task": refused("speech is not translated", ("transcribe",)),
    "model": ignored("there is one model"),
    "use_vad": ignored("segments end at pauses in any case"),
    "vad_parameters": ignored("as `use_vad`"),
    "send_last_n_segments": supported("1 to 100; 10 unless told otherwise"),
    "no_speech_thresh": ignored("texts that nobody can have said are withheld by Starling's own rules"),
    "clip_audio": ignored("every segment ends by itself"),
    "same_output_threshold": ignored("a segment is complete when its speech has ended, not when its text repeats"),
    "enable_translation": refused("speech is not translated", (False,)),
    "target_language": ignored("there is no translation"),
    "hotwords": supported("a text with commas between the phrases, or a list"),
    "initial_prompt": ignored("the model takes none"),
    "enable_diarization": refused("speakers are not told apart", (False,)),
    "max_speakers": ignored("there is no diarization"),
    "word_timestamps": supported("completed segments have `words`: `word`, `start`, `end`, `probability`"),
    "audio_format": supported("`float32` (the default), `int16` or `uint8`; 16 kHz, one channel"),
}
"""Fields of the first message. Others are ignored, as there. What is refused is so with `status` `ERROR`."""

MESSAGES: Final = {
    "options": supported("one JSON text, first; `SERVER_READY` answers it, with `backend` `faster_whisper`"),
    "binary": supported("audio"),
    "`END_OF_AUDIO`": supported("as bytes: the last segments, then the close"),
    "other text": refused("`status` `ERROR`, then the close"),
}
"""Messages of a client."""
