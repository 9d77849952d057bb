"""What a person notices: when captions come, what is in them, and how they go out."""

from __future__ import annotations

from starling.telemetry.catalogue import Counted, Level, Spread
from starling.telemetry.families.buckets import LATENCY


class OfCaptions:
    """Latency, words and results."""

    first_partial_latency = Spread(
        "starling_first_partial_latency_seconds",
        "seconds",
        "From the onset of speech to the first words on their way to the client.",
        action="Some speech is needed before words exist. Above 1 s: starling_queue_wait_seconds, session.partial_interval_ms.",
        buckets=LATENCY,
    )
    partial_interval = Spread(
        "starling_partial_interval_seconds",
        "seconds",
        "Time between two partial results of one segment.",
        action="Far above session.partial_interval_ms: partials yield to finals because the engine is busy; add capacity.",
        buckets=LATENCY,
    )
    endpoint_wait = Spread(
        "starling_endpoint_wait_seconds",
        "seconds",
        "From the end of speech to the moment that was sure, in seconds of sound. No compute is in it.",
        action="It is session.endpoint_silence_ms by design. Lower that for snappier finals, raise it if sentences are cut.",
        buckets=LATENCY,
    )
    final_latency = Spread(
        "starling_final_latency_seconds",
        "seconds",
        "From the audio that decided a segment's end to its final result on its way to the client.",
        action="The number to promise. Its 95th percentile above 0.5 s: starling_queue_wait_seconds, starling_decode_seconds.",
        buckets=LATENCY,
    )
    segments = Counted(
        "starling_segments_total",
        "segments",
        "Segments that got their final result.",
        action="Its rate is the finalization rate. Many `empty`: noise is taken for speech. Any `failed`: read the log.",
        labels={"outcome": ("text", "empty", "failed")},
    )
    texts_withheld = Counted(
        "starling_texts_withheld_total",
        "segments",
        "Segments whose text was withheld because nobody can have said it; their finals are empty.",
        action="Noise or music reaches microphones. If people miss words: segmentation.nonspeech_guard, and tell us the reason.",
        labels={"reason": ("unvoiced", "unlikely", "stock_phrase", "repetition")},
    )
    speech_seconds = Counted(
        "starling_speech_seconds_total",
        "seconds",
        "Audio that the detector takes for speech, in seconds of sound; what is scored again after an endpoint counts again.",
        action="Words by it are how fast people speak, 2 to 4 a second. Far fewer: music or noise, or words are lost.",
    )
    words = Counted(
        "starling_words_total",
        "words",
        "Words of finals.",
        action="See starling_speech_seconds_total.",
    )
    speech_without_text = Counted(
        "starling_speech_without_text_total",
        "stretches",
        "Times that a session heard speech for longer than a segment may last and had not a word to say.",
        action="Music, a crowd or an unknown language; else recognition is stuck. The log names the session.",
    )
    hotword_segments = Counted(
        "starling_hotword_segments_total",
        "segments",
        "Segments that were searched with hot words.",
        action="The number to divide starling_hotword_hits_total by.",
    )
    hotword_hits = Counted(
        "starling_hotword_hits_total",
        "hot words",
        "Hot words that stood in the finals of such segments, each counted once for a segment.",
        action="Hits for each segment near 0: the lists do not fit what is said, and only cost accuracy; shorten them.",
    )

    results_sent = Counted(
        "starling_results_sent_total",
        "messages",
        "Messages sent to clients, by type.",
        action="Many `error` messages: clients misuse the protocol; the log has their codes.",
        labels={
            "type": ("ready", "speech_started", "speech_ended", "partial", "final", "error", "done", "resumed", "ack", "answer")
        },
    )
    result_backlog = Level(
        "starling_result_backlog",
        "messages",
        "Results that wait for clients to read them, over all sessions.",
        action="Growth means clients that read slowly; each is cut off by server.send_timeout.",
    )
