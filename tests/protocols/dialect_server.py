"""The whole server with the real model, speaking dialects of other servers, and what its own protocol says of the audio."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

import uvloop
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial

from starling.app import Running, running
from starling.client import connect
from starling.config.settings import Settings
from starling.core.audio import Samples
from starling.protocols.native.messages import Result
from starling.protocols.registry import DIALECTS


def speaking(protocol: str, scenario: Callable[[Running, str], Coroutine[Any, Any, None]], **server: Any) -> None:
    """Run ``scenario`` against a server that speaks ``protocol``; it gets the URL of the port on which it does."""
    (spoken,) = (dialect for dialect in DIALECTS if dialect.name == protocol)
    entry = protocol if spoken.port is None else f"{protocol}:0"
    chosen = {"server": {"port": 0, "protocols": [entry], **server}, "log": {"level": "error"}, "jobs": {"workers": 0}}
    settings = Settings.model_validate(chosen)

    async def main() -> None:
        async with running(settings) as running_server:
            port = running_server.ports.get(protocol) or urlsplit(running_server.url).port
            await scenario(running_server, f"ws://127.0.0.1:{port}")

    uvloop.run(main())


async def native_texts(server: Running, sound: Samples) -> list[str]:
    """The texts of the finals of a session in Starling's own protocol."""
    async with connect(server.stream_url) as session:
        await session.send(sound)
        await session.end()
        return [message.text async for message in session if isinstance(message, Result) and message.is_final and message.text]
    raise AssertionError("unreachable")


def client(url: str, **options: Any) -> dial:
    """A plain WebSocket client."""
    return dial(url, **{"compression": None, "max_size": None, **options})


__all__ = ["ClientConnection", "client", "native_texts", "speaking"]
