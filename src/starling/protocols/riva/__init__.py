"""Speech recognition of NVIDIA Riva over gRPC (``docs/protocols/riva.md``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starling.protocols.calls import Service
from starling.protocols.dialects import Dialect
from starling.protocols.foreign import Head, authorization
from starling.protocols.verbs import Adapter, Offer

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor

# Protobuf is imported once somebody calls: it would make every process that knows this dialect larger and slower to start.
# ruff: noqa: PLC0415


def _adapter(offer: Offer, head: Head) -> Adapter:
    from starling.protocols.riva.adapter import adapter

    return adapter(offer, head)


def _configurations(offer: Offer, request: bytes) -> bytes:
    from starling.protocols.riva.adapter import configurations

    return configurations(offer, request)


def _definition() -> FileDescriptor:
    from starling.protocols.wire import riva_asr_pb2

    return riva_asr_pb2.DESCRIPTOR


def credential(head: Head) -> str | None:
    """The key in ``authorization: Bearer KEY`` or ``x-api-key: KEY`` of the call's metadata."""
    return authorization(head) or head.headers.get("x-api-key")


RIVA: Final = Dialect(
    name="riva",
    adapter=_adapter,
    port=50051,
    credential=credential,
    service=Service(
        "nvidia.riva.asr.RivaSpeechRecognition",
        sessions=("Recognize", "StreamingRecognize"),
        recordings=("Recognize",),
        questions={"GetRivaSpeechRecognitionConfig": _configurations},
        definition=_definition,
    ),
)
