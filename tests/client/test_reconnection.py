"""What a client that lost its connection puts up with until its session goes on, on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from starling.client.errors import Refused, SessionAborted, SessionLost, Unreachable
from starling.client.reconnection import reconnect
from starling.core.errors import Overloaded, StarlingError
from starling.protocols.native.messages import Error, Resume, Resumed, encode
from virtual_time import run

GRACE = 30.0
LOST = SessionLost("the network broke", closed_with=1006)
ASKED = Resume(token="t", sent=0)  # noqa: S106 - nobody's
STARTING = Overloaded("the server is starting; see /readyz", gate="gateway", retry_after=2.0)


class Connection:
    """Answers with ``frame``."""

    def __init__(self, frame: str) -> None:
        self.frame = frame
        self.closed = False

    async def send(self, _: str) -> None: ...

    async def recv(self) -> str:
        return self.frame

    async def close(self) -> None:
        self.closed = True


async def attempts(*answers: StarlingError | str) -> tuple[list[float], list[Resumed]]:
    """When each attempt was made at a server that gives ``answers``, the last one for ever; and what the session went on with."""
    made: list[float] = []
    resumed: list[Resumed] = []

    async def dial() -> Any:
        made.append(asyncio.get_running_loop().time())
        answer = answers[min(len(made), len(answers)) - 1]
        if isinstance(answer, StarlingError):
            raise answer
        return Connection(answer)

    async def go_on(_: Any, message: Resumed) -> None:
        resumed.append(message)

    await reconnect(dial, lambda: ASKED, go_on, grace=GRACE, lost=LOST)
    return made, resumed


RESUMED = encode(Resumed(sequence=0, session_id="s", received=0, resume_grace=GRACE))


def test_the_first_attempt_is_made_at_once_and_a_server_that_starts_is_asked_again_soon() -> None:
    async def scenario() -> None:
        began = asyncio.get_running_loop().time()
        out_of_breath = [Unreachable("nobody there"), STARTING, Refused("broke off", status=0), Refused("no", status=502)]
        made, resumed = await attempts(*out_of_breath, RESUMED)
        assert len(made) == 5
        assert made[0] - began <= 0.1
        assert made[-1] - began <= 0.1 + 0.2 + 0.4 + 0.8 + 1.6
        assert [message.session_id for message in resumed] == ["s"]

    run(scenario())


def test_a_server_that_never_gets_ready_is_given_up_when_the_session_is_over_anyway() -> None:
    async def scenario() -> None:
        began = asyncio.get_running_loop().time()
        with pytest.raises(SessionLost, match=r"the network broke; no connection could be made again within 30 s"):
            await attempts(STARTING)
        assert asyncio.get_running_loop().time() - began == pytest.approx(GRACE)

    run(scenario())


def test_who_is_turned_away_for_good_does_not_try_again() -> None:
    async def scenario() -> None:
        with pytest.raises(Refused):
            await attempts(Refused("no key", status=401))
        over = Error(sequence=0, code="not_resumable", message="it is over", retryable=False)
        with pytest.raises(SessionAborted, match="it is over"):
            await attempts(encode(over))

    run(scenario())
