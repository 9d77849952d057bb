"""Every number Starling counts, declared once. ``docs/metrics.md`` is written from this file.

The class body is the catalogue; an instance has a registry of its own, so that several servers can live in one process::

    metrics = Metrics()
    metrics.sessions_opened.inc()
    metrics.decode_time.labels(kind="final").observe(0.08)
    page = render(metrics)
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client import Metric as Family

from starling.core.load import Priority
from starling.core.records import EndReason
from starling.telemetry.catalogue import Counted, Declared, Facts, Level, Spread
from starling.version import __version__

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""The ``Content-Type`` of what ``render`` returns."""

LATENCY = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds that a person can notice: dense where captions go from instant to late."""

COMPUTE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)
"""Seconds that one piece of work takes."""

WAITS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0)
"""Seconds that a recording may wait for its turn."""

SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0)
"""Seconds of sound that were transcribed in one of computing."""

FAILURE_CAUSES = ("crash", "exit", "hang", "stuck", "start", "memory", "stopped", "killed")

DECODE_KINDS = ("partial", "final")

COST_OF = ("1", "10")
"""Seconds of sound whose expected cost is shown."""

PROTOCOLS: Final = (
    "native",
    "funasr",
    "vosk",
    "sherpa-onnx",
    "whisperlive",
    "wyoming",
    "riva",
    "assemblyai",
    "deepgram",
    "openai-realtime",
)
"""Starling's own, and those of other servers."""


class Metrics:
    """The catalogue (as a class) and one set of live metrics (as an instance)."""

    # --- sessions ---
    sessions_active = Level(
        "starling_sessions_active",
        "sessions",
        "Sessions that are open now.",
        action="Scale on it. Near server.max_sessions new clients are refused: add hosts or raise the limit if CPU is free.",
    )
    sessions_opened = Counted(
        "starling_sessions_opened_total",
        "sessions",
        "Sessions that were admitted.",
        action="Nothing by itself; its rate is the load that the other numbers explain.",
    )
    sessions_by_protocol = Counted(
        "starling_protocol_sessions_total",
        "sessions",
        "Sessions that were admitted, by the protocol of their clients.",
        action="Nothing by itself: it says which of `server.protocols` anybody uses, and whose clients a change would meet.",
        labels={"protocol": PROTOCOLS},
    )
    sessions_ended = Counted(
        "starling_sessions_ended_total",
        "sessions",
        "Sessions that are over, by what ended them.",
        action="Many `disconnected`: look at the network and at proxies' idle timeouts. Any `error`: read that session's log.",
        labels={"reason": tuple(EndReason)},
    )
    sessions_detached = Level(
        "starling_sessions_detached",
        "sessions",
        "Sessions whose client lost its connection and may come back.",
        action="Many at once: look at the network and at proxies between clients and this server.",
    )
    sessions_resumed = Counted(
        "starling_sessions_resumed_total",
        "attempts",
        "Clients that came back to their session, and those that could not.",
        action="Many `refused`: clients come back later than `server.resume_grace`, or guess tokens.",
        labels={"outcome": ("resumed", "refused")},
    )
    sessions_refused = Counted(
        "starling_sessions_refused_total",
        "sessions",
        "Sessions that were turned away, by the reason given to the client.",
        action="`capacity`, `lag`, `engine`: add hosts. `address`, `rate`, `tenant`: one client has or wants much. "
        "`unauthenticated`, `attempts`: wrong keys. `keys`: their file cannot be read. `forbidden`: see server.allowed_origins. "
        "`other`: what has no name here yet; please report it.",
        labels={
            "reason": (
                "forbidden",
                "unauthenticated",
                "attempts",
                "keys",
                "other",
                "rate",
                "tenant",
                "capacity",
                "address",
                "lag",
                "engine",
                "starting",
                "draining",
            )
        },
    )
    sessions_dismissed = Counted(
        "starling_sessions_dismissed_total",
        "sessions",
        "Sessions that an operator ended.",
        action="Nothing by itself; the log names the operator's key.",
    )
    connections = Level(
        "starling_connections",
        "connections",
        "Sockets of clients that are open, those without a session included.",
        action="Far above starling_sessions_active for long: somebody connects and says nothing; see server.max_connections.",
    )
    connections_banned = Counted(
        "starling_connections_banned_total",
        "connections",
        "Sockets that were closed as soon as they opened, since bytes from there ended two gateways.",
        action="See `sender banned` in the log, and report what crashed. Whoever it is may come again after ten minutes.",
    )
    connections_cut = Counted(
        "starling_connections_cut_total",
        "connections",
        "Sockets that were closed as soon as they opened, since all were taken.",
        action="Raise server.max_connections if memory and open files allow it; else find who opens so many.",
    )

    # --- audio in ---
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

    # --- decoding ---
    queue_wait = Spread(
        "starling_queue_wait_seconds",
        "seconds",
        "Time that a decode waited for its turn.",
        action="`final` above 0.2 s: the engine is full, captions settle late; add capacity. `partial` may wait for finals.",
        buckets=COMPUTE,
        labels={"kind": DECODE_KINDS},
    )
    decode_time = Spread(
        "starling_decode_seconds",
        "seconds",
        "Time that the engine took for one batch.",
        action="A jump without more audio per segment: another process takes the CPU, or the CPU is throttled.",
        buckets=COMPUTE,
        labels={"kind": DECODE_KINDS},
    )
    decode_batch_size = Spread(
        "starling_decode_batch_size",
        "streams",
        "Streams that were decoded together.",
        action="1 where the engine gains nothing by batches. Always 1 under load where it does: see scheduler.max_batch.",
        buckets=(1, 2, 4, 8, 16, 32, 64),
    )
    decodes = Counted(
        "starling_decodes_total",
        "decodes",
        "Decodes that were asked for, by what became of them.",
        action="Any `failed`: read the log. `early`: of clients faster than speech. Many others: add capacity.",
        labels={"kind": DECODE_KINDS, "outcome": ("ok", "failed", "superseded", "expired", "refused", "early", "stretched")},
    )
    engine_in_flight = Level(
        "starling_engine_in_flight",
        "decodes",
        "Decodes that run now.",
        action="Never 0 over minutes: the engine has no pause; add capacity before starling_queue_wait_seconds of finals grows.",
    )
    decode_cost = Level(
        "starling_decode_cost_seconds",
        "seconds",
        "What a decode of an utterance of 1 and of 10 seconds is expected to take, learned from those before it.",
        action="starling_session_cost_ratio follows from it. It grows when something else takes the CPU.",
        labels={"kind": DECODE_KINDS, "audio": COST_OF},
    )
    engine_demand = Level(
        "starling_engine_demand_ratio",
        "ratio",
        "Seconds of engine time per second that the open sessions ask for, were all partials decoded as often as they wish.",
        action="Above scheduler.capacity partials are spaced further. Far above: add cores or hosts.",
    )
    partial_cadence = Level(
        "starling_partial_cadence_seconds",
        "seconds",
        "Seconds of speech between partial results as planned now, by the session's priority; +Inf: it gets finals only.",
        action="Above session.partial_interval_ms the engine is full; add capacity if it stays there.",
        labels={"priority": tuple(Priority)},
    )
    load_rung = Level(
        "starling_load_rung",
        "rungs",
        "What gives way: 0 nothing, 1 some partials, 2 also all partials of low priority, 3 also new sessions.",
        action="Alert on 3: clients are turned away; add cores or hosts.",
    )
    session_cost = Level(
        "starling_session_cost_ratio",
        "ratio",
        "Seconds of engine time per second that a session is expected to need while it talks, with half its partials.",
        action="scheduler.capacity over this is how many may talk at once: plan hosts with it. It grows as people pause less.",
    )
    cores_lost = Level(
        "starling_cores_lost_ratio",
        "ratio",
        "Share of the time in which this recognizer had work and others, or a quota, had its core; over some seconds.",
        action="There is room for so much fewer sessions. Find out who else runs on the host, or raise the quota.",
    )
    engine_room = Level(
        "starling_engine_room_ratio",
        "ratio",
        "Seconds of engine time per second that are left for more sessions; those that say nothing take none of it.",
        action="Below starling_session_cost_ratio clients are sent away. Scale on it: it falls before starling_load_rung rises.",
    )
    real_time_factor = Spread(
        "starling_real_time_factor_ratio",
        "ratio",
        "Seconds of engine time per second of audio, per segment, partials included.",
        action="One core serves about 1 / this many speakers who talk all the time. Above 1 captions fall behind for good.",
        buckets=(0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0),
    )

    # --- what a person notices ---
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

    # --- results out ---
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

    # --- other hosts ---
    bus_failures = Counted(
        "starling_bus_failures_total",
        "attempts",
        "Attempts to reach what gateways and recognizers share, or to write there, that failed and were made again.",
        action="Any rate: look at Redis, its log and its memory, and the network to it. Sessions wait meanwhile; none is lost.",
    )
    partitions_held = Level(
        "starling_partitions_held",
        "partitions",
        "Partitions of the audio log that this recognizer has; 0 in every other process.",
        action="The sum over recognizers is bus.partitions, but for moments. Less: some are nobody's, look for recognizers.",
    )
    partitions_moved = Counted(
        "starling_partitions_moved_total",
        "partitions",
        "Partitions that this recognizer got or gave up, and how.",
        action="`taken` and `released` when recognizers come and go. Any `lost`: it stood still, or did not reach Redis, for "
        "longer than bus.lease, and others took over: look for a starved machine.",
        labels={"how": ("taken", "released", "lost")},
    )

    # --- processes ---
    workers_ready = Level(
        "starling_workers_ready",
        "workers",
        "Recognizer processes that take sessions, as their supervisor sees it; 0 in every other process.",
        action="Below processes.workers for longer than a start takes: see starling_process_failures_total and the log.",
    )
    process_failures = Counted(
        "starling_process_failures_total",
        "processes",
        "Processes that ended unasked, by their role and why. Each was replaced.",
        action="`crash`, `stuck`: report it, with the log around it. `memory`: see processes.memory_limit_mb. `hang`, with a "
        "busy machine: fewer workers than cores. `killed`: somebody did it, or the kernel short of memory did.",
        labels={"role": ("gateway", "worker"), "cause": FAILURE_CAUSES},
    )
    takeover_time = Spread(
        "starling_takeover_seconds",
        "seconds",
        "From the last sign of life of a worker that failed until its sessions were given to others.",
        action="Above 1.5 s: processes.hang_timeout is long, or the machine too busy to notice in time.",
        buckets=LATENCY,
    )
    sessions_moved = Counted(
        "starling_sessions_moved_total",
        "sessions",
        "Sessions that were taken from a worker that ended, to be replayed by another.",
        action="Nothing by itself: no result is lost. Its causes are in starling_process_failures_total.",
    )
    sessions_quarantined = Counted(
        "starling_sessions_quarantined_total",
        "sessions",
        "Sessions whose audio ended two recognizers, and which were ended for it.",
        action="Any: a bug in a model or its runtime, or an attack. The log has `process ended` of both.",
    )

    # --- recorded audio ---
    job_attempts = Counted(
        "starling_job_attempts_total",
        "attempts",
        "Attempts at jobs of recorded audio, by what became of them.",
        action="`failed` is the recording's fault, or was tried too often: the job says why. `postponed`, `lost`: see the log of "
        "the transcriber; `lost` is also a job that was cancelled. `released`: a transcriber ended in good order.",
        labels={"outcome": ("done", "failed", "postponed", "lost", "released")},
    )
    jobs_in_work = Level(
        "starling_jobs_in_work",
        "jobs",
        "Recordings that transcribers work on now.",
        action="At jobs.workers all the time, with jobs that wait: add transcribers, here or on other hosts.",
    )
    job_wait = Spread(
        "starling_job_wait_seconds",
        "seconds",
        "From the submission of a job until an attempt at it began.",
        action="Growth means that more comes than is done: add transcribers, or live sessions leave them no time on this host.",
        buckets=WAITS,
    )
    job_audio = Counted(
        "starling_job_audio_seconds_total",
        "seconds",
        "Sound in the jobs that were done.",
        action="Nothing by itself; its rate is what transcribers achieve together.",
    )
    job_speed = Spread(
        "starling_job_speed_ratio",
        "ratio",
        "Seconds of sound that were transcribed in a second of computing on one core, by job.",
        action="Low with `best` is its price. Lower than it was: another machine, or one short of memory bandwidth.",
        buckets=SPEEDS,
    )

    # --- the process ---
    event_loop_lag = Spread(
        "starling_event_loop_lag_seconds",
        "seconds",
        "How late a timer of the event loop fires.",
        action="Above 50 ms: something blocks the loop, or the machine has fewer free cores than Starling was given.",
        buckets=COMPUTE,
    )
    log_fields_refused = Counted(
        "starling_log_fields_refused_total",
        "fields",
        "Log fields that were left out because they could hold speech.",
        action="Any: a line of code tries to log speech. Nothing leaked; its log line names the field under `refused`: fix it.",
    )
    spans = Counted(
        "starling_spans_total",
        "spans",
        "Spans of traces, by what became of them.",
        action="`dropped`: the collector did not take them in time; look for it, the log says since when. `refused`: it does not "
        "want them: its key, its path or its limits. All stay 0 where telemetry.otlp_endpoint is not set.",
        labels={"outcome": ("exported", "refused", "dropped")},
    )

    # --- recordings ---
    jobs_submitted = Counted(
        "starling_jobs_submitted_total",
        "jobs",
        "Recordings that were taken in as jobs.",
        action="Its rate is the load on the transcribers: add some when what waits grows for long.",
    )
    jobs_refused = Counted(
        "starling_jobs_refused_total",
        "recordings",
        "Recordings that were not taken in.",
        action="`capacity`: add hosts. `quota`: a tenant's limit or too quick a client. `audio`: what nobody can decode came.",
        labels={"reason": ("capacity", "quota", "size", "audio", "invalid", "other")},
    )
    uploads = Level(
        "starling_uploads",
        "uploads",
        "Recordings that are coming in now.",
        action="Near jobs.max_uploads for long: slow clients, or many. More are refused with `Retry-After`.",
    )
    upload_bytes = Counted(
        "starling_upload_bytes_total",
        "bytes",
        "Bytes of recordings that were taken in.",
        action="Its rate is what the network and the directory of recordings must carry.",
    )
    callbacks = Counted(
        "starling_callbacks_total",
        "attempts",
        "Attempts to tell a callback that its job is over.",
        action="`refused` and `failed` are tried again; `given_up`: somebody waits for what does not come; see the log.",
        labels={"outcome": ("told", "refused", "failed", "given_up")},
    )
    model_info = Facts(
        "starling_model_info",
        "The model that is loaded.",
        action="Compare across hosts: two versions at once give two qualities. One that ends in `-shipped` runs the "
        "graphs of the wheel, slower and without word times, since those made from it would not do: `starling doctor` says why.",
        facts=("model", "version"),
    )
    build_info = Facts(
        "starling_build_info",
        "The running build.",
        action="Compare across hosts after a rollout.",
        facts=("version", "python"),
    )

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for attribute, declared in catalogue().items():
            self.__dict__[attribute] = declared.register(self.registry)
        ProcessCollector(registry=self.registry)
        self.build_info.info({"version": __version__, "python": platform.python_version()})


def catalogue() -> dict[str, Declared[Any]]:
    """Every declaration by its attribute's name, in the order of the file."""
    return {attribute: value for attribute, value in vars(Metrics).items() if isinstance(value, Declared)}


def render(metrics: Metrics) -> bytes:
    """The page that Prometheus scrapes: text format 0.0.4, UTF-8, served as ``CONTENT_TYPE``."""
    return generate_latest(_WithoutCreated(metrics.registry))


class _WithoutCreated:
    """The client adds a ``_created`` series to each counter and histogram; Prometheus has no use for them in this format."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Family]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family
