"""What librdkafka complained of since Kafka answered last."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError

KEPT: Final = 64
"""Different ones that are kept; librdkafka repeats itself."""


class Complaints:
    """Give ``add`` to a client as its ``error_cb``. It is called while that client is polled."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._down = False

    def add(self, error: KafkaError) -> None:
        """One of them."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its name there
            self._down = True
        elif len(self._texts) < KEPT:
            self._texts[error.str().partition(" (after ")[0]] = None

    def clear(self) -> None:
        """Kafka has answered."""
        self._texts.clear()
        self._down = False

    @property
    def texts(self) -> tuple[str, ...]:
        """In its words."""
        return tuple(self._texts)

    @property
    def hung_up(self) -> bool:
        """Connections were made, and ended by the other side for no reason that it told."""
        return self._down and not self._texts
