"""The engine: its queue, its cost, its room."""

from __future__ import annotations

from starling.core.load import Priority
from starling.telemetry.catalogue import Counted, Level, Spread
from starling.telemetry.families.buckets import COMPUTE

DECODE_KINDS = ("partial", "final")

COST_OF = ("1", "10")
"""Seconds of sound whose expected cost is shown."""


class OfDecoding:
    """What recognition takes, and how much more of it there could be."""

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
