"""What of Riva's speech recognition is spoken here."""

from __future__ import annotations

from typing import Final

from starling.protocols.conformance import ignored, refused, supported

METHODS: Final = {
    "`StreamingRecognize`": supported(
        "`streaming_config` first, then `audio_content`, cut anywhere; the end of it ends the stream"
    ),
    "`Recognize`": supported("a recording in one message of up to 4 MiB; `results` has each of its sentences or segments"),
    "`GetRivaSpeechRecognitionConfig`": supported("the model, once as `online` and once as `offline`"),
    "`grpc.health.v1.Health/Check`, `Watch`": supported(
        "whether recognition is ready, now or whenever that changes; asks for no key"
    ),
    "`grpc.reflection.v1`, `v1alpha`": supported(
        "the definitions of these services, for `grpcurl` and the like; asks for no key"
    ),
}
"""Methods that a client may call. Others are UNIMPLEMENTED."""

CONFIG: Final = {
    "encoding": supported("LINEAR_PCM, FLAC, MULAW, ALAW, OGGOPUS; unspecified and LINEAR_PCM: also a file of WAV, FLAC or Ogg"),
    "sample_rate_hertz": supported(
        "8000 to 96000; needed for LINEAR_PCM without a header, 8000 is understood for MULAW and ALAW"
    ),
    "audio_channel_count": supported("1 to 8, mixed to one"),
    "language_code": supported("what the model speaks, `en-US` is served by `en`; anything else is refused"),
    "max_alternatives": supported("there is one, which is as many as asked for at most"),
    "enable_automatic_punctuation": supported("case and punctuation, which are the model's own; without it there is neither"),
    "enable_word_time_offsets": supported("`words` of finals, with times in milliseconds and confidences"),
    "speech_contexts": supported(
        "hot words; a `boost` of 20 or none is weight 1, 100 is 2, the most; one below 0 leaves them out"
    ),
    "endpointing_config.stop_history": supported("milliseconds of silence that end a final, from 300 on"),
    "endpointing_config.stop_history_eou": supported("those that do where the text looks finished"),
    "endpointing_config.start_history": ignored("the detectors have their own"),
    "endpointing_config.start_threshold": ignored("the detectors have their own"),
    "endpointing_config.stop_threshold": ignored("the detectors have their own"),
    "endpointing_config.stop_threshold_eou": ignored("the detectors have their own"),
    "model": ignored("there is one model"),
    "verbatim_transcripts": ignored("numbers stay words"),
    "custom_configuration": ignored("it names parts of another server's pipeline"),
    "diarization_config.max_speaker_count": ignored("speakers are not told apart"),
    "diarization_config.enable_speaker_diarization": refused("speakers are not told apart", (False,)),
    "enable_separate_recognition_per_channel": refused("channels are not told apart; with one channel it is ignored", (False,)),
    "profanity_filter": refused("nothing is taken out of texts", (False,)),
}
"""Fields of ``RecognitionConfig``."""

STREAMING: Final = {
    "interim_results": supported("the text so far, about three times a second: what will stay has stability 0.9, the rest 0.1"),
    "runtime_config": ignored("options stay as they were"),
    "id": supported("comes back in every response; where there is none, the trace id of Starling's logs does"),
}
"""Fields of ``StreamingRecognitionConfig`` and of requests."""
