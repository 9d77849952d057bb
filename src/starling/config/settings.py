"""Every setting of Starling, declared once: type, default, range, unit and what it is for.

``docs/configuration.md`` is written from this file. No package sees this tree: the composition root hands each its own Options.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from starling.core.config import ENDPOINT_SILENCE_RANGE, PARTIAL_INTERVAL_RANGE, Quality, VadMode
from starling.telemetry.logs import LogFormat, LogLevel


class EngineName(StrEnum):
    """The engines that come with Starling."""

    MOONSHINE_TINY_EN = "moonshine-tiny-en"
    SCRIPTED = "scripted"


class AuthMode(StrEnum):
    """Whether clients must show an API key."""

    AUTO = "auto"
    KEYS = "keys"
    OPEN = "open"


class Precision(StrEnum):
    """In which numbers the embedded model computes."""

    INT8 = "int8"
    EXACT = "exact"


def setting(
    default: Any, purpose: str, *, unit: str = "", low: float | None = None, high: float | None = None, secret: bool = False
) -> Any:
    """One setting. ``low`` and ``high`` are the ends of its range, inclusive. A ``secret`` is never shown."""
    return Field(default, description=purpose, ge=low, le=high, json_schema_extra={"unit": unit, "secret": secret})


class Group(BaseModel):
    """Settings that belong together; the class's docstring introduces them in the docs."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_min_length=1)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """TOML's ``true`` is not the number 1."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("a truth value where none belongs")
        return value


class Server(Group):
    """Where the server listens, whom it lets in, and how long it is patient."""

    host: str = setting("127.0.0.1", "address to listen on; `0.0.0.0` for every network, which needs API keys")
    port: int = setting(8000, "TCP port; 0 takes any free one", low=0, high=65535)
    tls_cert: Path | None = setting(
        None, "file of the certificate and its chain, in PEM; with it the server speaks `https` and `wss` only"
    )
    tls_key: Path | None = setting(None, "file of its private key, in PEM, where the certificate's file does not have it")
    allowed_origins: tuple[str, ...] = setting(
        (), "web pages of other sites that may connect, as `https://example.org`; `*` is any. This server's own always may"
    )
    allowed_hosts: tuple[str, ...] = setting(
        (),
        "names of this server besides `localhost`, `server.host` and addresses; `*` is any. Keeps out DNS rebinding",
    )
    protocols: tuple[str, ...] = setting(
        (),
        "protocols of other servers to speak besides Starling's own, as `vosk`, `vosk:2701` (another port than the other "
        "server's; 0 takes any free one) or `all`; see docs/protocols",
    )
    protocols_host: str = setting(
        "127.0.0.1",
        "address for those that have a port of their own. Most know no keys, so on loopback they ask for none; on any other "
        "address clients show keys as elsewhere",
    )
    max_sessions: int = setting(
        512,
        "sessions open at once, silent ones included; how many may talk is measured. One more is refused with `Retry-After`",
        unit="sessions",
        low=1,
        high=100_000,
    )
    max_sessions_per_address: int = setting(
        64, "the same for one client address; behind a proxy all clients share one", unit="sessions", low=1, high=100_000
    )
    max_connections: int = setting(
        4096, "sockets open at once, with or without a session", unit="connections", low=8, high=1_000_000
    )
    max_frame_bytes: int = setting(1_048_576, "largest WebSocket message", unit="bytes", low=4096, high=16_777_216)
    idle_timeout: float = setting(
        60.0, "close a session that sent neither audio nor a keepalive", unit="seconds", low=1, high=3600
    )
    start_timeout: float = setting(
        10.0, "close a connection that sent nothing since it opened", unit="seconds", low=0.5, high=300
    )
    send_timeout: float = setting(
        10.0, "close a session whose client does not read its results", unit="seconds", low=0.5, high=300
    )
    resume_grace: float = setting(
        30.0, "time for a client to come back after its connection was lost", unit="seconds", low=0.1, high=3_600
    )
    max_session_seconds: float = setting(14_400.0, "longest session, and most audio in one", unit="seconds", low=1, high=604_800)
    drain_grace: float = setting(
        10.0, "time for open segments to finish after SIGTERM or Ctrl-C", unit="seconds", low=0, high=600
    )


class Auth(Group):
    """API keys. `starling keys` makes and revokes them; SECURITY.md says what they protect."""

    mode: AuthMode = setting(
        AuthMode.AUTO,
        "`keys` wants an API key of every client, `open` of nobody; `auto` is `keys` if there are some at the start, "
        "and otherwise `open`, on loopback only",
    )
    keys_file: str = setting("~/.config/starling/keys.json", "where keys and the limits of tenants are; it holds hashes only")


class Limits(Group):
    """How fast clients may come and send. Who sends too fast is slowed down; who comes too often is refused."""

    opens_per_minute: int = setting(
        3000,
        "upgrades of one address, and of one API key; those that come back to their sessions, and recordings that are handed in, "
        "are counted apart",
        unit="sessions",
        low=1,
        high=1_000_000,
    )
    failures_per_minute: int = setting(
        30, "wrong API keys of one address before it is told to wait", unit="attempts", low=1, high=100_000
    )
    messages_per_second: float = setting(
        1000.0, "WebSocket messages of one connection, over some seconds", unit="messages", low=10, high=1_000_000
    )
    audio_speed: float = setting(
        100.0, "audio that one connection may send for long", unit="times real time", low=1, high=1_000_000
    )
    audio_burst: float = setting(600.0, "audio that it may send at a stroke", unit="seconds", low=1, high=86_400)
    max_lag_seconds: float = setting(
        1800.0,
        "audio that recognition has yet to take; beyond it no session begins",
        unit="seconds",
        low=10,
        high=1_000_000,
    )


class Session(Group):
    """What a session gets that does not ask for anything else. Clients may choose their own values within the same ranges."""

    language: str = setting("en", "language of the speech, as a BCP 47 tag")
    partials: bool = setting(True, "send partial results while a person speaks")  # noqa: FBT003 (a default, not an argument)
    partial_interval_ms: int = setting(
        300,
        "new speech between two partial results",
        unit="milliseconds",
        low=round(PARTIAL_INTERVAL_RANGE[0] * 1000),
        high=round(PARTIAL_INTERVAL_RANGE[1] * 1000),
    )
    endpoint_silence_ms: int = setting(
        500,
        "silence that ends a segment; lower is snappier, higher cuts fewer sentences",
        unit="milliseconds",
        low=round(ENDPOINT_SILENCE_RANGE[0] * 1000),
        high=round(ENDPOINT_SILENCE_RANGE[1] * 1000),
    )
    finished_silence_ms: int = setting(
        10_000,
        "silence that does where the text looks finished; shortens `endpoint_silence_ms`, never lengthens it. 250 makes finals "
        "sooner and cuts more sentences",
        unit="milliseconds",
        low=round(ENDPOINT_SILENCE_RANGE[0] * 1000),
        high=round(ENDPOINT_SILENCE_RANGE[1] * 1000),
    )
    vad: VadMode = setting(
        VadMode.BOTH, "detectors that must hear speech before a segment opens; `off` takes all audio for speech"
    )
    quality: Quality = setting(
        Quality.BALANCED, "how hard finals are searched for: `fast` is least computing, `best` is for recordings"
    )
    words: bool = setting(False, "send times and confidences of words, where the engine has them")  # noqa: FBT003 (a default)
    partial_words: bool = setting(False, "send them with partial results too")  # noqa: FBT003 (a default)


class Segmentation(Group):
    """How speech is cut into segments. Change these with a recording at hand to compare."""

    onset_threshold: float = setting(0.5, "speech probability at which speech may begin", unit="probability", low=0.01, high=0.99)
    offset_threshold: float = setting(
        0.35, "speech probability below which it pauses; at most the onset's", unit="probability", low=0.01, high=0.99
    )
    min_speech: float = setting(0.09, "speech that opens a segment", unit="seconds", low=0.03, high=2)
    pre_roll: float = setting(0.3, "audio decoded from before the speech", unit="seconds", low=0, high=2)
    tail: float = setting(0.25, "audio decoded from after the speech", unit="seconds", low=0, high=2)
    max_segment: float = setting(18.0, "a longer segment is cut where its voice is weakest", unit="seconds", low=2, high=28)
    min_segment: float = setting(10.0, "where the search for that place begins", unit="seconds", low=1, high=27)
    first_partial: float = setting(0.25, "speech before the first partial result", unit="seconds", low=0.05, high=5)
    idle_checkpoint: float = setting(5.0, "silence between checkpoints; must exceed `pre_roll`", unit="seconds", low=0.5, high=60)
    nonspeech_guard: bool = setting(
        True,  # noqa: FBT003 (a default, not an argument)
        "withhold texts that nobody can have said: of noise, music, crowds. It judges by the default thresholds",
    )


class Scheduler(Group):
    """In which company and how soon segments are decoded."""

    max_batch: int = setting(
        4, "partials decoded together at most, where the engine gains by it", unit="partials", low=1, high=256
    )
    partial_lifetime: float = setting(2.0, "a partial that waited longer is dropped", unit="seconds", low=0.1, high=30)
    max_pending: int = setting(1024, "partials that may wait", unit="partials", low=1, high=100_000)
    capacity: float = setting(
        0.85,
        "share of the engine's time that is planned for: beyond it partials come less often, then sessions are refused",
        unit="ratio",
        low=0.1,
        high=1,
    )


class Engine(Group):
    """What turns speech into text."""

    name: EngineName = setting(
        EngineName.MOONSHINE_TINY_EN, "`scripted` hears nothing and says made-up words: for tests and load"
    )
    precision: Precision = setting(
        Precision.INT8, "`exact` computes in 32-bit floats: about three times the work, the same text on every machine"
    )


class Gate(Group):
    """The silence gate in front of the recognizer: long silence is counted, not carried."""

    enabled: bool = setting(True, "use the gate")  # noqa: FBT003 (a default, not an argument)
    hangover: float = setting(
        1.5,
        "silence that passes before the gate shuts; longer than the session's endpoint silence",
        unit="seconds",
        low=0.1,
        high=30,
    )
    pre_roll: float = setting(
        1.0, "audio from before the sound that opens the gate, passed on with it", unit="seconds", low=0.1, high=10
    )


class AudioLog(Group):
    """Audio between gateway and recognizer."""

    max_lead_seconds: float = setting(
        60.0,
        "audio that a session may be ahead of its recognition; then its client is slowed down. "
        "Must exceed `segmentation.idle_checkpoint` and `segmentation.max_segment` together",
        unit="seconds",
        low=3,
        high=600,
    )


class Client(Group):
    """What `stream` and `mic` show a server. A key on a command line can be seen by others on the machine: set the variable."""

    api_key: str | None = setting(None, "API key for the server; `STARLING_API_KEY` is short for its variable", secret=True)
    ca: Path | None = setting(None, "file of certificates, in PEM, by which a `wss` server may be vouched for")


class Processes(Group):
    """The processes of `starling serve`: one gateway, and recognizers that share the sessions. What fails is replaced."""

    workers: int | None = setting(
        None,
        "recognizer processes; left out, one per core. 0 does everything in one process, without a supervisor",
        unit="processes",
        low=0,
        high=256,
    )
    pin: bool = setting(
        True,  # noqa: FBT003 (a default, not an argument)
        "keep each recognizer on a core of its own; the gateway runs where there is room",
    )
    start_timeout: float = setting(
        120.0, "until a process must be ready; the first start may build graphs", unit="seconds", low=1, high=3600
    )
    hang_timeout: float = setting(
        1.0,
        "without a sign of life, after which a process is replaced; one that is stopped after a quarter of it",
        unit="seconds",
        low=0.3,
        high=60,
    )
    stuck_timeout: float = setting(
        20.0,
        "that one call into a model may take, and that a process may wait for a core, before it is replaced",
        unit="seconds",
        low=1,
        high=600,
    )
    memory_limit_mb: int = setting(
        1024, "memory that a process may hold, files aside, before it is replaced", unit="MiB", low=256, high=1_048_576
    )


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


class BusAcks(StrEnum):
    """What Kafka waits for."""

    ALL = "all"
    LEADER = "1"


class Bus(Group):
    """What carries sessions from `starling gateway` to `starling recognizer`. `starling serve` needs none."""

    url: str | None = setting(
        None,
        "Redis, as `redis://host:6379/0`, `rediss://` for TLS or `unix:///path`; the same for all. It must not evict keys. Or "
        "Kafka, as `kafka://host:9092,host:9092`, which then carries the audio, and `bus.store` all else",
        secret=True,
    )
    store: str | None = setting(None, "Redis, as above, beside a Kafka", secret=True)
    topic: str = setting("starling-audio", "topic of audio on Kafka, made where there is none; two platforms on one need two")
    acks: BusAcks = setting(BusAcks.ALL, "who has a record before it counts: `all` replicas that are in sync, or `1`")
    retention_minutes: int = setting(
        60,
        "for which Kafka keeps audio in a topic that is made; more than a recognizer will ever be behind",
        unit="minutes",
        low=5,
        high=10_080,
    )
    prefix: str = setting("starling:", "what its keys begin with; two platforms on one Redis need two")
    partitions: int = setting(
        16,
        "parts into which sessions are divided, to be shared by recognizers: at least as many as there will ever be of "
        "these, and the same in every process",
        unit="partitions",
        low=1,
        high=1024,
    )
    lease: float = setting(
        1.5,
        "without a sign of life from a recognizer, after which others take its sessions; on Kafka at least its brokers' "
        "`group.min.session.timeout.ms`",
        unit="seconds",
        low=0.5,
        high=30,
    )
    status_host: str = setting("127.0.0.1", "address on which a recognizer tells of itself: `/readyz`, `/status`, `/metrics`")
    status_port: int = setting(8001, "port for that; 0 takes any free one", low=0, high=65535)


class Log(Group):
    """Events on stderr. They never hold speech."""

    level: LogLevel = setting(LogLevel.INFO, "least important events that are shown")
    format: LogFormat = setting(LogFormat.AUTO, "`auto` is text on a terminal and JSON elsewhere")


class OtlpProtocol(StrEnum):
    """How OTLP may be spoken."""

    HTTP_PROTOBUF = "http/protobuf"


class Compression(StrEnum):
    """What is done to messages before they are sent."""

    NONE = "none"
    GZIP = "gzip"


class Telemetry(Group):
    """Traces, for a collector of OpenTelemetry; see [tracing.md](tracing.md). Without `otlp_endpoint` nothing is recorded.

    OpenTelemetry's own variables count where none of Starling's says otherwise: `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`,
    `_PROTOCOL`, `_TIMEOUT` (in milliseconds, as everywhere), `_COMPRESSION` and `_CERTIFICATE`, the same with `OTLP_TRACES_`, and
    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`, `OTEL_TRACES_EXPORTER`,
    `OTEL_SDK_DISABLED`. Those of the exporter count only where one of them says the endpoint, too.
    """

    otlp_endpoint: str | None = setting(
        None, "URL of a collector that takes OTLP over HTTP, as `http://localhost:4318`; `/v1/traces` is added"
    )
    otlp_headers: str | None = setting(
        None, "what is sent with it, as `name=value,name=value`, percent-encoded; keys belong here", secret=True
    )
    otlp_protocol: OtlpProtocol = setting(OtlpProtocol.HTTP_PROTOBUF, "how it is spoken to; there is no other")
    otlp_timeout: float = setting(
        10.0, "after which an attempt to connect, to send or to get an answer is over", unit="seconds", low=0.1, high=60
    )
    otlp_compression: Compression = setting(Compression.NONE, "of what is sent")
    otlp_ca: Path | None = setting(None, "file of certificates, in PEM, by which an `https` collector may be vouched for")
    sampling_ratio: float = setting(
        1.0,
        "share of sessions and jobs that are traced; of those that come with a `traceparent`, what that says",
        unit="ratio",
        low=0,
        high=1,
    )
    service_name: str = setting("starling", "what this platform is called in traces")
    resource: tuple[str, ...] = setting((), "what else is said of it, as `deployment.environment.name=production`")


class Settings(Group):
    """The whole tree."""

    server: Server = Server()
    auth: Auth = Auth()
    limits: Limits = Limits()
    session: Session = Session()
    segmentation: Segmentation = Segmentation()
    scheduler: Scheduler = Scheduler()
    engine: Engine = Engine()
    gate: Gate = Gate()
    audio_log: AudioLog = AudioLog()
    client: Client = Client()
    processes: Processes = Processes()
    jobs: Jobs = Jobs()
    bus: Bus = Bus()
    log: Log = Log()
    telemetry: Telemetry = Telemetry()
