"""One stream over a WebSocket, in the words of each protocol."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from starling.client.load.line import Garbled, Hear, NoRoom, Place, Said
from starling.core.audio import Samples

Frame: TypeAlias = str | bytes

PATIENCE: Final = 60.0
"""Seconds for the answer to the end of the audio."""

NO_ROOM: Final = (401, 403, 429, 503)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message means. ``ready``: audio may come; ``over``: all is said."""

    text: bool = False
    final: bool = False
    ready: bool = False
    over: bool = False


NOTHING: Final = Heard()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A protocol, as a client speaks it. ``read``: a new reader for each stream, which may count.

    ``waits``: audio only after a message that says so. ``ends``: by closing the connection, which is no error then.
    """

    path: str = "/"
    opening: Sequence[Frame] = ()
    audio: Callable[[Samples], Frame] = lambda audio: audio.tobytes()
    ending: Sequence[Frame] = ()
    read: Callable[[], Callable[[Frame], Heard]]
    authorization: Callable[[str], str] = "Bearer {}".format
    subprotocols: Sequence[str] = field(default=())
    waits: bool = False

    async def speak(self, place: Place, said: AsyncIterator[Said], hear: Hear) -> None:
        """See ``line.Speak``."""
        url = f"ws{'' if place.tls is None else 's'}://{place.authority}{self.path}"
        headers = {} if place.api_key is None else {"Authorization": self.authorization(place.api_key)}
        try:
            async with connect(
                url,
                ssl=place.tls,
                additional_headers=headers,
                subprotocols=[Subprotocol(name) for name in self.subprotocols] or None,
                compression=None,
                ping_interval=None,
                max_size=None,
                open_timeout=PATIENCE,
                proxy=None,
            ) as socket:
                await self._converse(socket, said, hear)
        except InvalidStatus as refused:
            if refused.response.status_code in NO_ROOM:
                raise NoRoom(f"HTTP {refused.response.status_code}") from None
            raise Garbled(f"HTTP {refused.response.status_code} to the upgrade") from None
        except (InvalidHandshake, ConnectionClosed) as error:
            raise Garbled(str(error)) from None

    async def _converse(self, socket: ClientConnection, said: AsyncIterator[Said], hear: Hear) -> None:
        ready, ended = asyncio.Event(), asyncio.Event()
        if not self.waits:
            ready.set()
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen(socket, hear, ready, ended))
            for frame in self.opening:
                await socket.send(frame)
            async with asyncio.timeout(PATIENCE):
                await ready.wait()
            async for one in said:
                await socket.send(self.audio(one.audio))
            ended.set()
            for frame in self.ending:
                await socket.send(frame)
            async with asyncio.timeout(PATIENCE):
                await listening

    async def _listen(self, socket: ClientConnection, hear: Hear, ready: asyncio.Event, ended: asyncio.Event) -> None:
        read = self.read()
        async for message in socket:
            heard = read(message)
            if heard.ready:
                ready.set()
            if heard.text:
                hear(final=heard.final)
            if heard.over and ended.is_set():
                return
        if not ended.is_set():
            raise Garbled(f"the server left: {socket.close_code} {socket.close_reason}")


def _floats(audio: Samples) -> bytes:
    return (audio.astype("<f4") / np.float32(32_768)).tobytes()


def _appended(audio: Samples) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": b64encode(audio.tobytes()).decode()})


def _objects(read: Callable[[Mapping[str, Any]], Heard]) -> Callable[[], Callable[[Frame], Heard]]:
    return lambda: lambda frame: read(json.loads(frame))


def _native(message: Mapping[str, Any]) -> Heard:
    match message:
        case {"type": "ready"}:
            return Heard(ready=True)
        case {"type": "result", "text": text, "is_final": final}:
            return Heard(text=bool(text), final=final)
        case {"type": "error", "code": code}:
            raise Garbled(code)
        case {"type": "done"}:
            return Heard(over=True)
        case _:
            return NOTHING


def _vosk(message: Mapping[str, Any]) -> Heard:
    if "text" in message:
        return Heard(text=bool(message["text"]), final=True, over=True)
    return Heard(text=bool(message.get("partial")))


def _funasr(message: Mapping[str, Any]) -> Heard:
    if message.get("error"):
        raise Garbled(str(message["error"]))
    return Heard(text=bool(message.get("text")), final=message.get("mode") == "2pass-offline", over=bool(message.get("is_end")))


def _sherpa() -> Callable[[Frame], Heard]:
    def read(frame: Frame) -> Heard:
        if frame == "Done!":
            return Heard(over=True)
        message = json.loads(frame)
        again = bool(message.get("is_eof"))  # the last text once more
        return Heard(text=bool(message["text"]) and not again, final=bool(message.get("is_final")))

    return read


def _whisperlive() -> Callable[[Frame], Heard]:
    completed: set[str] = set()

    def read(frame: Frame) -> Heard:
        message = json.loads(frame)
        if message.get("status") == "WAIT":
            raise NoRoom("WAIT")
        if message.get("status") == "ERROR":
            raise Garbled(str(message.get("message")))
        done = {segment["start"] for segment in message.get("segments", ()) if segment["completed"]} - completed
        completed.update(done)
        return Heard(text=bool(message.get("segments")), final=bool(done), ready=message.get("message") == "SERVER_READY")

    return read


def _deepgram(message: Mapping[str, Any]) -> Heard:
    match message:
        case {"type": "Results", "is_final": final, "channel": {"alternatives": [{"transcript": text}, *_]}}:
            return Heard(text=bool(text), final=final)
        case {"type": "Metadata"}:
            return Heard(over=True)
        case {"type": "Error"}:
            raise Garbled(str(message.get("description")))
        case _:
            return NOTHING


def _assemblyai(message: Mapping[str, Any]) -> Heard:
    match message:
        case {"type": "Turn", "transcript": text, "end_of_turn": final}:
            return Heard(text=bool(text), final=final)
        case {"type": "Termination"}:
            return Heard(over=True)
        case {"type": "Error"} | {"error": _}:
            raise Garbled(str(message.get("error")))
        case _:
            return NOTHING


def _openai() -> Callable[[Frame], Heard]:
    open_items = 0

    def read(frame: Frame) -> Heard:
        nonlocal open_items
        message = json.loads(frame)
        match message["type"].removeprefix("conversation.item.input_audio_transcription."):
            case "session.updated":
                return Heard(ready=True)
            case "input_audio_buffer.committed":
                open_items += 1
            case "delta":
                return Heard(text=True)
            case "completed" | "failed":
                open_items -= 1
                return Heard(text=bool(message.get("transcript")), final=True, over=open_items <= 0)
            case "error":
                raise Garbled(str(message["error"].get("message")))
        return NOTHING

    return read


_SESSION: Final = {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}}

SOCKETS: Final[Mapping[str, Words]] = {
    "native": Words(
        path="/v1/stream", opening=['{"type":"start"}'], ending=['{"type":"end"}'], read=_objects(_native), waits=True
    ),
    "vosk": Words(opening=['{"config":{"sample_rate":16000}}'], ending=['{"eof" : 1}'], read=_objects(_vosk)),
    "funasr": Words(
        opening=['{"mode":"2pass","chunk_size":[5,10,5],"chunk_interval":10,"wav_name":"bench","is_speaking":true}'],
        ending=['{"is_speaking":false,"is_end":true}'],
        read=_objects(_funasr),
        subprotocols=["binary"],
    ),
    "sherpa-onnx": Words(audio=_floats, ending=["Done"], read=_sherpa),
    "whisperlive": Words(
        opening=['{"uid":"bench","language":"en","task":"transcribe","model":"small","use_vad":true}'],
        audio=_floats,
        ending=[b"END_OF_AUDIO"],
        read=_whisperlive,
        waits=True,
    ),
    "deepgram": Words(
        path="/v1/listen?encoding=linear16&sample_rate=16000&interim_results=true",
        ending=['{"type":"CloseStream"}'],
        read=_objects(_deepgram),
        authorization="Token {}".format,
    ),
    "assemblyai": Words(
        path="/v3/ws?sample_rate=16000&encoding=pcm_s16le",
        ending=['{"type":"Terminate"}'],
        read=_objects(_assemblyai),
        authorization="{}".format,
    ),
    "openai-realtime": Words(
        path="/v1/realtime?intent=transcription",
        opening=[json.dumps({"type": "session.update", "session": _SESSION})],
        audio=_appended,
        ending=['{"type":"input_audio_buffer.commit"}'],
        read=_openai,
        waits=True,
    ),
}
"""Starling's own protocol, and those of other servers."""
