"""What Starling runs on: processes on one host, and the bus between several."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from starling.config.groups.group import Group, setting


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


class BusAcks(StrEnum):
    """What Kafka waits for."""

    ALL = "all"
    LEADER = "1"


class Sasl(StrEnum):
    """How a password is shown to Kafka."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class Bus(Group):
    """What carries sessions from `starling gateway` to `starling recognizer`. `starling serve` needs none."""

    url: str | None = setting(
        None,
        "Redis, as `redis://host:6379/0`, `rediss://` for TLS or `unix:///path`; the same for all. It must not evict keys. Or "
        "Kafka, as `kafka://host:9092,host:9092`, or `kafka+ssl://` for TLS, which then carries the audio, and `bus.store` all "
        "else",
        secret=True,
    )
    store: str | None = setting(None, "Redis, as above, beside a Kafka", secret=True)
    kafka_user: str | None = setting(None, "user of Kafka, where it asks for one (SASL)")
    kafka_password: str | None = setting(None, "password of that user", secret=True)
    kafka_sasl: Sasl = setting(
        Sasl.SCRAM_SHA_512, "how the password is shown; `PLAIN` shows it as it is, so it needs a `bus.url` with `kafka+ssl://`"
    )
    kafka_ca: Path | None = setting(
        None, "file of certificates, in PEM, by which brokers may be vouched for; without it those that the system knows"
    )
    kafka_cert: Path | None = setting(None, "file of this client's certificate and its chain, in PEM, for brokers that want one")
    kafka_key: Path | None = setting(
        None, "file of its private key, in PEM, without a passphrase, where the certificate's file does not have it"
    )
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
