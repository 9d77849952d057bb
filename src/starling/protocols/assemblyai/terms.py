"""What of AssemblyAI's streaming protocol is spoken here."""

from __future__ import annotations

from typing import Final

from starling.protocols.conformance import ignored, refused, supported

_FALSE: Final[tuple[object, ...]] = ("false", "0", "", False)
_NOTHING: Final[tuple[object, ...]] = ("", "null", "[]", "{}")

SESSION: Final = {
    "format_turns": supported("a turn that ended comes once more, with case and punctuation"),
    "keyterms_prompt": supported("hot words, as a JSON list; in UpdateConfiguration a list"),
    "max_turn_silence": supported("100 to 10000 ms, others are taken for the nearer end; the server's own where it is not named"),
    "min_turn_silence": supported("the same for a turn whose text looks finished"),
    "min_end_of_turn_silence_when_confident": supported("the older name of min_turn_silence"),
    "language_codes": supported("what the model speaks, as a JSON list; a list without it is refused"),
    "end_of_turn_confidence_threshold": ignored("how sure the text must look finished is fixed"),
    "vad_threshold": ignored("the detectors have their own"),
    "prompt": ignored("the model takes none"),
    "agent_context": ignored("the model takes none"),
    "interruption_delay": ignored("nobody is interrupted"),
    "turn_left_pad_ms": ignored("what precedes speech is always heard"),
    "session_heartbeat": ignored("there are none"),
    "acknowledge_silence": ignored("silence is not told"),
    "filter_profanity": refused("nothing is taken out of texts", _FALSE),
}
"""Options that UpdateConfiguration may change, too."""

CONNECTION: Final = {
    "sample_rate": supported("8000 to 96000; 16000 where it is not named"),
    "encoding": supported("pcm_s16le, pcm_mulaw, ogg_opus; others are refused"),
    "include_partial_turns": supported("false tells of turns that ended only"),
    "language_code": supported("as language_codes, one"),
    "token": supported("the API key, for who cannot send headers"),
    "speech_model": ignored("there is one model"),
    "domain": ignored("there is one model"),
    "mode": ignored("there is one model"),
    "continuous_partials": ignored("they are always continuous"),
    "voice_focus": ignored("the model hears what comes"),
    "voice_focus_threshold": ignored("the model hears what comes"),
    "noise_suppression_model": ignored("the model hears what comes"),
    "noise_suppression_threshold": ignored("the model hears what comes"),
    "inactivity_timeout": ignored("the server has its own, `server.idle_timeout`"),
    "max_speakers": ignored("speakers are not told apart"),
    "speaker_labels_revision_interval_ms": ignored("speakers are not told apart"),
    "customer_support_audio_capture": ignored("no audio is kept"),
    "speaker_labels": refused("speakers are not told apart", _FALSE),
    "language_detection": refused("there is one language", _FALSE),
    "redact_pii": refused("nothing is taken out of texts", _FALSE),
    "webhook_url": refused("results go out on the connection only", _NOTHING),
    "llm_gateway": refused("texts are not sent on", _NOTHING),
}
"""Options of the query besides those. Others are ignored."""

MESSAGES: Final = {
    "binary": supported("audio, cut anywhere"),
    "`UpdateConfiguration`": supported("from the next turn on; no answer, as there"),
    "`ForceEndpoint`": supported("ends the turn, if there is one"),
    "`KeepAlive`": supported("no answer, as there"),
    "`Terminate`": supported("the remaining turns, `Termination`, then the close with 1000"),
}
"""Messages of a client. Any other is answered with `Error` and the close with 3006."""
