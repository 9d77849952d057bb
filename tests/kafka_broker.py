"""A Kafka broker of one's own: a single node in KRaft mode, in a temporary directory on free ports, gone with whoever started it.

Apache Kafka's jars come by their Maven coordinates (``kafka_pom.xml``). As a program it runs a broker until it is interrupted,
which is ``make run-kafka``.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from maven import JarsMissing, jars
from patience import PATIENCE
from processes import free_ports

POM: Final = Path(__file__).with_name("kafka_pom.xml")

QUICK: Final = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""Java that starts quickly and takes little."""

QUIET: Final = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=error",)


@dataclass(frozen=True, slots=True)
class Door:
    """A further listener, on loopback. ``protocol``: as ``SASL_SSL``. ``settings``: what Kafka calls them, without its prefix."""

    name: str
    protocol: str
    settings: Mapping[str, object]


def _properties(place: Path, address: str, control: int, extra: tuple[str, ...], doors: Sequence[tuple[Door, int]]) -> str:
    listeners = {"BROKER": address} | {door.name: f"127.0.0.1:{at}" for door, at in doors}
    protocols = {"BROKER": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"} | {door.name: door.protocol for door, _ in doors}
    advertised = ",".join(f"{name}://{address}" for name, address in listeners.items())
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{control}",
        "listeners": f"{advertised},CONTROLLER://127.0.0.1:{control}",
        "advertised.listeners": advertised,
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "log.dirs": place / "data",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 2,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 2_097_152,
    }
    for door, _ in doors:
        settings |= {f"listener.name.{door.name.lower()}.{name}": value for name, value in door.settings.items()}
    return "".join(f"{line}\n" for line in (*(f"{name}={value}" for name, value in settings.items()), *extra))


def _answers(admin: AdminClient) -> bool:
    """Whether there is a broker that takes part; one listens before it does."""
    try:
        return bool(admin.list_topics(timeout=1).brokers)
    except KafkaException:
        return False


def _id() -> str:
    """As Kafka writes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class KafkaBroker:
    """``address``: ``host:port``. ``stop`` and ``start`` in turn are a restart, with what it had written down.

    ``extra``: settings, as ``name=value``. ``host``: the address on which it listens; ``within``: words of a command that runs it
    somewhere else, such as in another network. ``doors``: where it listens besides, ``behind`` says at which address. ``java``:
    what that is told.
    """

    def __init__(
        self,
        *extra: str,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
        doors: Sequence[Door] = (),
        java: Sequence[str] = QUICK,
    ) -> None:
        self._jars = jars(POM, "kafka", "kafka_*.jar")
        self._directory = tempfile.TemporaryDirectory(prefix="starling-kafka-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        place = Path(self._directory.name)
        self._port, control, *ports = free_ports(2 + len(doors))
        known = list(zip(doors, ports, strict=True))
        self._doors = {door.name: f"127.0.0.1:{at}" for door, at in known}
        self._log = place / "log"
        self._within = within
        self._java = java
        self.address = f"{host}:{self._port}"
        (place / "data").mkdir()
        (place / "server.properties").write_text(_properties(place, self.address, control, extra, known))
        (place / "data" / "meta.properties").write_text(f"version=1\ncluster.id={_id()}\nnode.id=1\ndirectory.id={_id()}\n")

    @property
    def url(self) -> str:
        return f"kafka://{self.address}"

    def behind(self, door: str) -> str:
        """``host:port``."""
        return self._doors[door]

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker runs"
        return self._process.pid

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [*self._within, "java", *self._java, *QUIET, "-cp", f"{self._jars}/*", "kafka.Kafka", "server.properties"],
                cwd=self._directory.name,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + PATIENCE
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0, "reconnect.backoff.max.ms": 200})
        while not _answers(admin):
            assert self._process.poll() is None, f"the broker ended at once: {self._log.read_text()[-2000:]}"
            assert time.monotonic() < until, f"the broker does not answer: {self._log.read_text()[-2000:]}"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop(signal.SIGKILL)
        self._directory.cleanup()


def kafka_broker(*extra: str, host: str = "127.0.0.1", within: Sequence[str] = (), doors: Sequence[Door] = ()) -> KafkaBroker:
    """For a test: one that is not started. Skips it where there can be none, and fails where there must be one."""
    try:
        return KafkaBroker(*extra, host=host, within=within, doors=doors)
    except JarsMissing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with KafkaBroker() as broker:
            print(f"Kafka listens: --bus {broker.url}  (Ctrl-C ends it, and what it holds)", flush=True)  # noqa: T201 - a program
            signal.pause()
    except JarsMissing as reason:
        sys.exit(str(reason))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
