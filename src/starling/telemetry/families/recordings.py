"""Recorded audio: how it comes in, waits and is transcribed."""

from __future__ import annotations

from starling.telemetry.catalogue import Counted, Level, Spread

WAITS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0)
"""Seconds that a recording may wait for its turn."""

SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0)
"""Seconds of sound that were transcribed in one of computing."""


class OfRecordings:
    """Jobs, from the upload to the callback."""

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
