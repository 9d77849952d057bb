"""A client whose bytes end gateways that are brittle."""

from __future__ import annotations

import json
from typing import Any

from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed

from chaos.brittle_gateway import DEADLY


async def deadly(url: str) -> dict[str, Any]:
    """The last words to who sends what ends a brittle gateway."""
    message: dict[str, Any] = {}
    async with dial(f"{url.replace('http', 'ws', 1)}v1/stream", compression=None, open_timeout=None) as socket:
        await socket.send('{"type":"start","audio":{"encoding":"ogg_opus"}}')
        try:
            message = json.loads(await socket.recv())
            await socket.send(DEADLY)
            while True:
                message = json.loads(await socket.recv())
        except ConnectionClosed:
            return message
