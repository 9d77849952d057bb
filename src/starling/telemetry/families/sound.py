"""Audio on its way in."""

from __future__ import annotations

from starling.telemetry.catalogue import Counted, Level, Spread
from starling.telemetry.families.buckets import COMPUTE


class OfSound:
    """What clients send, and what of it waits to be recognized."""

    audio_seconds_in = Counted(
        "starling_audio_in_seconds_total",
        "seconds",
        "Audio that clients sent, after decoding, in seconds of sound.",
        action="Its rate is how many are heard at once. Far above starling_sessions_active: clients send faster than real time.",
    )
    audio_seconds_gated = Counted(
        "starling_audio_gated_seconds_total",
        "seconds",
        "Audio that the silence gate kept from the recognizer.",
        action="The more the better. Near zero: noise holds the gate open, nobody pauses, or the gate is off.",
    )
    frames_received = Counted(
        "starling_frames_received_total",
        "frames",
        "WebSocket messages from clients.",
        action="Much more than 50 per session and second: clients cut audio too fine and waste CPU; 20 to 100 ms each is right.",
    )
    bytes_received = Counted(
        "starling_received_bytes_total",
        "bytes",
        "Payload of WebSocket messages from clients.",
        action="Plan the network with it: 32 kB/s per speaker as pcm_s16le at 16 kHz, about a tenth as Opus.",
    )
    slowed_seconds = Counted(
        "starling_slowed_seconds_total",
        "seconds",
        "Time for which clients were left unread because they sent faster than they may.",
        action="Recordings sent at full speed do this. If live clients do: see limits.audio_speed, and their tenants.",
    )
    log_lag = Level(
        "starling_log_lag_seconds",
        "seconds",
        "Audio staged in the audio log and not yet committed, in seconds of sound, over all sessions.",
        action="An open segment's length per session is normal. Steady growth: recognition is slower than speech; add capacity.",
    )
    vad_time = Spread(
        "starling_vad_seconds",
        "seconds",
        "Time to score one batch of voice-activity frames.",
        action="Above 32 ms at the 95th percentile it takes more than its share of a core: fewer sessions per process.",
        buckets=COMPUTE,
    )
