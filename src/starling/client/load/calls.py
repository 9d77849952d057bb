"""One stream in NVIDIA Riva's protocol, over gRPC. Each has a connection of its own, as clients of different people have."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
        )
        try:
            async for response in call(_requests(said), metadata=metadata):
                _tell(response, hear)
        except grpc.aio.AioRpcError as error:
            if error.code() in NO_ROOM:
                raise NoRoom(error.details()) from None
            raise Garbled(f"{error.code().name}: {error.details()}") from None


async def _requests(said: AsyncIterator[Said]) -> AsyncIterator[Any]:
    config = wire.RecognitionConfig(encoding=wire.LINEAR_PCM, sample_rate_hertz=16_000, language_code="en-US")
    yield wire.StreamingRecognizeRequest(streaming_config=wire.StreamingRecognitionConfig(config=config, interim_results=True))
    async for one in said:
        yield wire.StreamingRecognizeRequest(audio_content=one.audio.tobytes())


def _tell(response: wire.StreamingRecognizeResponse, hear: Hear) -> None:
    if any(result.alternatives and result.alternatives[0].transcript for result in response.results):
        hear(final=response.results[-1].is_final)
