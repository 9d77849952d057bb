"""One stream in NVIDIA Riva's protocol, over gRPC. Each has a connection of its own, as clients of different people have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import grpc

from starling.client.load.line import Garbled, Hear, NoRoom, Place, Said
from starling.protocols.wire import riva_asr_pb2 as wire

METHOD: Final = "/nvidia.riva.asr.RivaSpeechRecognition/StreamingRecognize"

NO_ROOM: Final = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE)

OPTIONS: Final = (("grpc.use_local_subchannel_pool", 1),)


async def speak(place: Place, said: AsyncIterator[Said], hear: Hear) -> None:
    """See ``line.Speak``."""
    if place.tls is None:
        channel = grpc.aio.insecure_channel(place.authority, OPTIONS)
    else:
        channel = grpc.aio.secure_channel(place.authority, grpc.ssl_channel_credentials(place.ca), OPTIONS)
    metadata = () if place.api_key is None else (("authorization", f"Bearer {place.api_key}"),)
    async with channel:
        call = channel.stream_stream(
            METHOD,
            request_serializer=wire.StreamingRecognizeRequest.SerializeToString,
            response_deserializer=wire.StreamingRecognizeResponse.FromString,
        )(metadata=metadata)
        sending = asyncio.create_task(_send(call, said), name="requests")
        try:
            while (response := await call.read()) is not grpc.aio.EOF:
                _tell(response, hear)
            if await call.code() is not grpc.StatusCode.OK:
                raise _fault(await call.code(), await call.details())
        except grpc.aio.AioRpcError as error:
            raise _fault(error.code(), error.details()) from None
        finally:
            sending.cancel()
            await asyncio.wait([sending])


async def _send(call: Any, said: AsyncIterator[Said]) -> None:
    config = wire.RecognitionConfig(encoding=wire.LINEAR_PCM, sample_rate_hertz=16_000, language_code="en-US")
    streaming = wire.StreamingRecognitionConfig(config=config, interim_results=True)
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # who reads the answers hears of it
        await call.write(wire.StreamingRecognizeRequest(streaming_config=streaming))
        async for one in said:
            await call.write(wire.StreamingRecognizeRequest(audio_content=one.audio.tobytes()))
        await call.done_writing()


def _fault(code: grpc.StatusCode, details: str | None) -> Exception:
    return NoRoom(details) if code in NO_ROOM else Garbled(f"{code.name}: {details}")


def _tell(response: wire.StreamingRecognizeResponse, hear: Hear) -> None:
    if any(result.alternatives and result.alternatives[0].transcript for result in response.results):
        hear(final=response.results[-1].is_final)
