"""One stream in Wyoming's protocol, over plain TCP: each turn is an utterance, which the client ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from starling.client.load.line import Garbled, Hear, Place, Said
from starling.client.load.sockets import PATIENCE

FORMAT: Final = {"rate": 16_000, "width": 2, "channels": 1}


async def speak(place: Place, said: AsyncIterator[Said], hear: Hear) -> None:
    """See ``line.Speak``."""
    reader, writer = await asyncio.open_connection(place.host, place.port, ssl=place.tls)
    over = asyncio.Event()
    listening = asyncio.create_task(_listen(reader, hear, over))
    try:
        async for one in said:
            if one.pause:  # clients of this protocol send what their own detector took for speech
                continue
            writer.write(_event("audio-chunk", FORMAT, one.audio.tobytes()))
            if one.last:
                over.clear()
                writer.write(_event("audio-stop"))
            await writer.drain()
            if listening.done():
                break
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([listening, ending := asyncio.ensure_future(over.wait())], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if listening.done():
            listening.result()
            raise Garbled("the server left before its last transcript")
    finally:
        listening.cancel()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _listen(reader: asyncio.StreamReader, hear: Hear, over: asyncio.Event) -> None:
    with suppress(asyncio.IncompleteReadError):
        while True:
            line = json.loads(await reader.readuntil(b"\n"))
            data: dict[str, Any] = json.loads(await reader.readexactly(length)) if (length := line.get("data_length")) else {}
            match line["type"]:
                case "transcript-chunk":
                    hear(final=False)
                case "transcript":
                    if data.get("text"):
                        hear(final=True)
                case "transcript-stop":
                    over.set()
                case "error":
                    raise Garbled(str(data.get("text")))


def _event(kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
    line: dict[str, Any] = {"type": kind, "payload_length": len(payload)} | ({"data": data} if data else {})
    return json.dumps(line).encode() + b"\n" + payload
