"""Recorded files."""

from __future__ import annotations

from starling.config.groups.group import Group, setting


class Jobs(Group):
    """Recorded files: where jobs, their recordings and their texts are kept, for how long, and how often they are tried.

    `~/.local/share` is `$XDG_DATA_HOME` where that is set. Of a job whose recording was deleted the text is still there; deleting
    a job deletes both.
    """

    store: str = setting(
        "sqlite:~/.local/share/starling/jobs.db",
        "where jobs and texts are: `sqlite:PATH`, a file for the processes of one host, or `redis://HOST:PORT/NUMBER`, for many",
    )
    recordings: str = setting(
        "~/.local/share/starling/recordings",
        "where the audio is: a directory, or `s3://BUCKET/PREFIX` for any store of objects that speaks S3. Every host that "
        "transcribes must reach it; of one `jobs.store` only, for what its jobs do not name is deleted after a day",
    )
    s3_endpoint: str | None = setting(None, "URL of that store, where it is not Amazon's")
    workers: int | None = setting(
        None,
        "recordings that are transcribed at once; left out, one beside a server, which live sessions go before, and one per core "
        "by `starling transcriber`. 0 beside a server leaves them to transcribers elsewhere",
        unit="recordings",
        low=0,
        high=256,
    )
    express: int = setting(
        2,
        "recordings of high priority that are begun besides, so that none waits for one of hours to be done; `workers` of all "
        "compute at once, those of high priority first, and the others stand still meanwhile but for a sixth of the time",
        unit="recordings",
        low=0,
        high=64,
    )
    idle_only: bool = setting(
        True,  # noqa: FBT003 (a default, not an argument)
        "transcribe only where nobody else on the host wants to compute (`SCHED_IDLE`), so that live sessions always go first; "
        "jobs of high priority, and requests that wait for their text, get a tenth of a core nevertheless (nice 10)",
    )
    memory_limit_mb: int = setting(
        1024, "memory that one recording may take to be read and transcribed", unit="MiB", low=256, high=1_048_576
    )
    max_queued: int = setting(
        1000, "recordings of one tenant that may wait; one more is refused", unit="jobs", low=1, high=1_000_000
    )
    max_megabytes: int = setting(2048, "largest recording", unit="MiB", low=1, high=1_048_576)
    max_hours: float = setting(12.0, "longest recording", unit="hours", low=0.01, high=1000)
    max_uploads: int = setting(
        64,
        "recordings that come in at once; of one tenant a quarter of that where there are API keys",
        unit="uploads",
        low=1,
        high=10_000,
    )
    wait_timeout: float = setting(
        600.0, "how long a request of OpenAI's or Deepgram's API waits for its text", unit="seconds", low=1, high=86_400
    )
    allow_urls: bool = setting(
        False,  # noqa: FBT003 (a default, not an argument)
        "fetch recordings by their URL, and tell callbacks: at public addresses only, whatever a name or a redirect leads to",
    )
    allowed_networks: tuple[str, ...] = setting((), "networks that may be reached so, besides public addresses, as `10.1.0.0/16`")
    callback_secret: str | None = setting(
        None, "signs what is told to callbacks that come without a secret of their own", secret=True
    )
    lease: float = setting(
        30.0,
        "without a sign of life from its transcriber, after which a job is given to another",
        unit="seconds",
        low=2,
        high=3600,
    )
    max_attempts: int = setting(3, "transcribers that a job is given to before it has failed", unit="attempts", low=1, high=100)
    retry_wait: float = setting(
        10.0,
        "before a job that failed by no fault of its own is tried again; twice as long each time",
        unit="seconds",
        low=0,
        high=3600,
    )
    max_recordings: int = setting(
        10_000, "recordings of jobs that are over to keep, the newest", unit="recordings", low=0, high=100_000_000
    )
    recording_days: float = setting(30.0, "how long each is kept", unit="days", low=0, high=36_500)
    max_results: int = setting(
        100_000, "jobs that are over to keep with their texts, the newest", unit="jobs", low=0, high=100_000_000
    )
    result_days: float = setting(365.0, "how long each is kept", unit="days", low=0, high=36_500)
    log: str = setting(
        "~/.local/share/starling/jobs.jsonl",
        "file for the life of every job, a JSON object per line, without texts and names; `off` for none",
    )
    log_megabytes: int = setting(16, "size at which it is put aside as `.1`, `.2` and so on", unit="MiB", low=1, high=100_000)
    log_files: int = setting(5, "files to keep, that one included", unit="files", low=1, high=1000)
