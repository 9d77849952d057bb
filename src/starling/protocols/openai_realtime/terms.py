"""What of OpenAI's Realtime protocol is spoken here."""

from __future__ import annotations

from typing import Final

from starling.protocols.conformance import ignored, refused, supported

EVENTS: Final = {
    "`session.update`": supported("`session.updated` answers with the whole session; absent fields stay, null clears"),
    "`input_audio_buffer.append`": supported("base64; what comes before the first `session.update` has its defaults"),
    "`input_audio_buffer.commit`": supported("less than 100 ms is an error; silence is an item with an empty transcript"),
    "`input_audio_buffer.clear`": supported("what was appended since the last item is forgotten"),
    "`conversation.item.*`": refused("items cannot be asked for, changed or deleted"),
    "`response.*`": refused("nobody answers"),
    "`transcription_session.update`": refused("it is the beta's; say session.update"),
}
"""Events of a client. Any other is answered with `error`, and the session goes on."""

SESSION: Final = {
    "type": supported("`transcription`; `realtime`, a conversation, is refused"),
    "audio.input.format": supported("audio/pcm (24000 Hz, or the rate that is named), audio/pcmu, audio/pcma; not after audio"),
    "audio.input.turn_detection": supported("null for commits by hand; `server_vad`, the default; `semantic_vad`"),
    "audio.input.turn_detection.silence_duration_ms": supported("100 to 10000; the server's own where it is not named"),
    "audio.input.turn_detection.threshold": ignored("the detectors have their own"),
    "audio.input.turn_detection.prefix_padding_ms": ignored("what precedes speech is always heard"),
    "audio.input.turn_detection.eagerness": ignored("a turn ends when its text looks finished, or after a second"),
    "audio.input.turn_detection.idle_timeout_ms": ignored("there is nobody to break the silence"),
    "audio.input.turn_detection.create_response": ignored("nobody answers"),
    "audio.input.turn_detection.interrupt_response": ignored("nobody answers"),
    "audio.input.transcription.model": ignored("there is one model"),
    "audio.input.transcription.language": supported("what the model speaks; anything else is refused"),
    "audio.input.transcription.keywords": supported("hot words"),
    "audio.input.transcription.prompt": ignored("the model takes none"),
    "audio.input.transcription.languages": ignored("there is one language"),
    "audio.input.transcription.delay": ignored("deltas come as soon as their words are sure"),
    "audio.input.noise_reduction": ignored("the model hears what comes"),
    "include": ignored("there are no logprobs, which are optional in every event"),
}
"""Fields of a session. Others are ignored."""
