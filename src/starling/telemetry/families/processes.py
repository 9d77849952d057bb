"""The processes of the platform, on one host and on several, and the one that is asked."""

from __future__ import annotations

from starling.telemetry.catalogue import Counted, Facts, Level, Spread
from starling.telemetry.families.buckets import COMPUTE, LATENCY

FAILURE_CAUSES = ("crash", "exit", "hang", "stuck", "start", "memory", "stopped", "killed")


class OfProcesses:
    """What fails, what replaces it, and what each runs."""

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
