"""Failures of Redis on order: of the answers that this process gets of it some are others, or do not come."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import pytest
from redis._parsers.base import BaseParser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

LOST, LATE, CLOSED = "connection lost", "timed out", "transport closed"

REFUSALS = (
    "LOADING Redis is loading the dataset in memory",
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "NOREPLICAS Not enough good replicas to write.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "MOVED 3999 127.0.0.1:6381",
    "ASK 3999 127.0.0.1:6381",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "NOSCRIPT No matching script. Please use EVAL.",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "NOPERM User default has no permissions to run the 'evalsha' command",
    "NOAUTH Authentication required.",
    "ERR max number of clients reached",
    "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when used memory > 'maxmemory'.",
)
"""As Redis says them."""

FAULTS = (*REFUSALS, LOST, LATE, CLOSED)


def error_of(fault: str) -> Exception:
    """What the library makes of it."""
    if fault == CLOSED:
        return RuntimeError("unable to perform operation on <UnixTransport closed=True>; the handler is closed")
    if fault in {LOST, LATE}:
        return (RedisConnectionError if fault == LOST else RedisTimeoutError)(fault)
    parsed: Exception = BaseParser.parse_error(fault)  # type: ignore[no-untyped-call]
    return parsed


class Faults:
    """While ``share`` is not 0, so much of all answers are ``kinds`` in turn instead. ``made``: how many were.

    Redis has done what it was asked then: an answer that is lost is the hardest case.
    """

    def __init__(self, kinds: Sequence[str] = FAULTS, *, seed: int = 0) -> None:
        self.share = 0.0
        self.made = 0
        self._kinds = cycle(kinds)
        self._random = random.Random(seed)

    @contextmanager
    def injected(self) -> Iterator[None]:
        """For as long as the block runs."""
        read = AbstractConnection.read_response

        async def read_response(connection: AbstractConnection, *args: Any, **named: Any) -> Any:
            answer = await read(connection, *args, **named)
            if answer is None or self._random.random() >= self.share:
                return answer
            self.made += 1
            fault = next(self._kinds)
            if fault not in REFUSALS:
                await connection.disconnect(nowait=True)
            raise error_of(fault)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AbstractConnection, "read_response", read_response)
            yield
