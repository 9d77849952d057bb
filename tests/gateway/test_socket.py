from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState

from starling.gateway.socket import Gone, Socket


def socket(*arriving: Message) -> Socket:
    """A socket to which these messages come, and then none."""
    messages = list(arriving)

    async def receive() -> Message:
        if not messages:
            await asyncio.get_running_loop().create_future()
        return messages.pop(0)

    async def send(message: Message) -> None:
        del message

    websocket = WebSocket({"type": "websocket"}, receive, send)
    websocket.client_state = websocket.application_state = WebSocketState.CONNECTED
    return Socket(websocket, send_timeout=1)


async def heard_by_receiving(it: Socket) -> None:
    await it.receive()


async def heard_by_looking_ahead(it: Socket) -> None:
    await it.approach()


async def heard_between_slices(it: Socket) -> None:
    await it.pause()


async def heard_by_nobody(it: Socket) -> None:
    await it.close(1000)
    raise Gone


@pytest.mark.parametrize("hear", [heard_by_receiving, heard_by_looking_ahead, heard_between_slices, heard_by_nobody])
@pytest.mark.parametrize(("code", "deliberate"), [(1000, True), (1001, True), (1006, False)])
def test_a_goodbye_is_known_whoever_heard_it(hear: Callable[[Socket], Awaitable[None]], code: int, deliberate: bool) -> None:  # noqa: FBT001
    async def scenario() -> None:
        it = socket({"type": "websocket.disconnect", "code": code})
        with pytest.raises(Gone):
            await hear(it)
        await it.close(1000)
        assert await it.farewell(1) is deliberate

    asyncio.run(scenario())


def test_what_is_still_on_its_way_before_the_goodbye_is_passed_over() -> None:
    async def scenario() -> None:
        it = socket({"type": "websocket.receive", "bytes": b"x"}, {"type": "websocket.disconnect", "code": 1000})
        await it.close(1000)
        assert await it.farewell(1)

    asyncio.run(scenario())


def test_one_that_says_no_goodbye_is_waited_for_only_so_long() -> None:
    async def scenario() -> None:
        assert not await socket().farewell(0.01)

    asyncio.run(scenario())
