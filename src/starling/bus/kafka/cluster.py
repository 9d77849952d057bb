"""The way to Kafka: what is asked of it at the start, and whether it answers now."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from logging import ERROR, INFO
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource  # which the package passes on without saying that it does
from confluent_kafka.cimpl import NewTopic

from starling.bus.kafka.complaints import Complaints
from starling.bus.kafka.security import Security
from starling.core.errors import InvalidOption, ServerError
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

ATTEMPT: Final = 5.0
"""Seconds after which one attempt has failed."""

QUESTION: Final = 1.0
"""Seconds of one question within an attempt; after each it is looked whether Kafka said why not."""

MAKING: Final = 60.0
"""Seconds that making the topic may take, of a Kafka that answers."""

LOOK: Final = 1.0
"""Seconds between two looks at whether Kafka answers."""

SEGMENTS: Final = 6
"""Pieces in which a partition is kept; the oldest goes when all of it is older than the retention."""


LEAST_SILENCE: Final = "group.min.session.timeout.ms"
"""How brokers call the least silence after which they may take a member of a group for dead."""

USUAL_SILENCE: Final = 6.0
"""Seconds that it is where nobody changed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """``brokers``: as ``host:port,host:port``. ``partitions``: of the audio log, the same in every process.

    ``acks``: ``all`` replicas have a record before it counts, or ``1``. ``retention``: seconds for which Kafka keeps audio.
    ``silence``: seconds after which a recognizer that gives no sign of life is taken for dead. ``security``: how it is reached.
    """

    brokers: str
    topic: str = "starling-audio"
    partitions: int = 16
    acks: str = "all"
    retention: float = 3600.0
    silence: float = USUAL_SILENCE
    security: Security = field(default_factory=Security)

    @property
    def group(self) -> str:
        return f"{self.topic}-recognizers"

    @property
    def client(self) -> dict[str, str | int | float | bool]:
        """What every client of librdkafka is told."""
        return {
            **self.security.client,
            "bootstrap.servers": self.brokers,
            "client.id": "starling",
            "log_level": 0,  # `Cluster` says what matters
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 2000,
            "socket.keepalive.enable": True,
            "socket.nagle.disable": True,
            "socket.connection.setup.timeout.ms": 5000,
        }


class Cluster:
    """``options``: once checked, with the ``silence`` that the brokers insist on if that is longer.

    ``up`` is None before the first attempt; ``run`` keeps it true. ``failures``: attempts that failed. ``attempt``: seconds that
    the first one may take.
    """

    def __init__(self, options: KafkaOptions, *, attempt: float = ATTEMPT) -> None:
        self.options = options
        self.up: bool | None = None
        self.failures = 0
        self._thread = ThreadPoolExecutor(1, "kafka")
        self._attempt = attempt
        self._complaints = Complaints()
        self._admin = AdminClient(options.client, error_cb=self._complaints.add)

    @property
    def address(self) -> str:
        return f"{self.options.security.scheme}://{self.options.brokers}"

    @property
    def trouble(self) -> str:
        """Why sessions are better not begun now; empty if nothing speaks against it."""
        return "" if self.up else f"Kafka at {self.address} {self._refusal() or 'does not answer'}"

    async def check(self) -> None:
        """Whether Starling can work there; its topic is made where there is none.

        Raises InvalidOption for one that differs and where Kafka lets nobody in, ServerError where nobody answers.
        """
        loop = asyncio.get_running_loop()
        try:
            least = await loop.run_in_executor(self._thread, self._check)
        except KafkaException as error:
            if self._complaints.hung_up:
                why = self.options.security.silence
                raise ServerError(f"Kafka at {self.address} ends every connection without a word: {why}") from None
            reason = _reason(error)
            raise ServerError(f"Kafka at {self.address} does not answer ({reason}): is it running, and bus.url right?") from None
        self.options = replace(self.options, silence=max(self.options.silence, least))
        self.up = True

    def _check(self) -> float:
        """The least silence that the brokers allow."""
        options = self.options
        topic = self._first().topics.get(options.topic)
        if topic is None or topic.error is not None:
            kept = max(1000, round(options.retention * 1000))
            config = {
                "cleanup.policy": "delete",
                "compression.type": "uncompressed",
                "retention.ms": str(kept),
                "segment.ms": str(max(1000, kept // SEGMENTS)),
            }
            made = self._admin.create_topics([NewTopic(options.topic, options.partitions, -1, config=config)])
            error = made[options.topic].exception(MAKING)
            if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                topic = self._ask().topics.get(options.topic)
            elif error is not None:
                raise error
        agreed = options.partitions if topic is None or topic.error is not None else len(topic.partitions)
        if agreed != options.partitions:
            raise InvalidOption(
                f"bus.partitions is {options.partitions} here, and the topic {options.topic} has {agreed} in Kafka at "
                f"{self.address}: they must be the same everywhere"
            )
        return self._least_silence()

    def _least_silence(self) -> float:
        brokers = [ConfigResource(ConfigResource.Type.BROKER, str(number)) for number in self._ask().brokers]
        answers = self._admin.describe_configs(brokers).values()
        try:
            return max(int(answer.result(ATTEMPT)[LEAST_SILENCE].value) / 1000 for answer in answers)
        except (KafkaException, KeyError, ValueError, TimeoutError):  # it may be nobody's to know
            return USUAL_SILENCE

    def _first(self) -> Any:
        """The first answer. Raises InvalidOption as soon as it is known why there will be none."""
        until = time.monotonic() + self._attempt
        while True:
            try:
                return self._ask(QUESTION)
            except KafkaException:
                if refusal := self._refusal():
                    raise InvalidOption(f"Kafka at {self.address} {refusal}") from None
                if time.monotonic() >= until:
                    raise

    def _refusal(self) -> str:
        return self.options.security.refusal(self._complaints.texts)

    def _ask(self, limit: float = ATTEMPT) -> Any:
        """Of all topics: brokers may make one that is asked for by its name."""
        try:
            answer = self._admin.list_topics(timeout=limit)
        finally:
            self._admin.poll(0)  # it complains now
        self._complaints.clear()
        return answer

    async def run(self) -> None:
        """Look, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._thread, self._ask)
                self._note(up=True)
            except KafkaException:
                self._note(up=False)
            await asyncio.sleep(LOOK)

    def _note(self, *, up: bool) -> None:
        self.failures += not up
        if up != self.up:
            if self.up is not None:
                log.log(INFO if up else ERROR, "kafka is back" if up else "kafka is away", address=self.address)
            self.up = up

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _reason(error: KafkaException) -> str:
    first = error.args[0] if error.args else None
    return first.name() if isinstance(first, KafkaError) else type(error).__name__
