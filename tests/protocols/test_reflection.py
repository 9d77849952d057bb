"""What a gRPC server says of itself. Questions are written out as bytes: the definitions could be wrong on both sides."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from hypothesis import given
from hypothesis import strategies as st

from starling.core.errors import InvalidMessage
from starling.protocols.calls import Code
from starling.protocols.reflection import Reflection
from starling.protocols.wire import health_pb2, reflection_pb2, riva_asr_pb2
from starling.protocols.wire import reflection_pb2 as wire

RIVA = "nvidia.riva.asr.RivaSpeechRecognition"

DESCRIBED = Reflection([health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR, riva_asr_pb2.DESCRIPTOR])


def asked(field: int, text: str) -> wire.ServerReflectionResponse:
    data = text.encode()
    question = bytes([field << 3 | 2, len(data)]) + data
    return wire.ServerReflectionResponse.FromString(DESCRIBED.answer(question))


def test_it_names_its_services() -> None:
    listed = asked(7, "*")
    assert [service.name for service in listed.list_services_response.service] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        RIVA,
    ]
    assert listed.original_request.list_services == "*"


@pytest.mark.parametrize("symbol", [RIVA, f"{RIVA}.StreamingRecognize", "nvidia.riva.asr.RecognitionConfig"])
def test_a_client_can_build_the_messages_from_what_it_gets(symbol: str) -> None:
    described = asked(4, symbol).file_descriptor_response.file_descriptor_proto
    pool = DescriptorPool()
    for file in reversed(described):
        pool.AddSerializedFile(file)
    service = pool.FindServiceByName(RIVA)
    assert service.methods_by_name["StreamingRecognize"].client_streaming
    assert service.methods_by_name["Recognize"].input_type.full_name == "nvidia.riva.asr.RecognizeRequest"


def test_a_file_is_found_by_its_name() -> None:
    (described,) = asked(3, "health.proto").file_descriptor_response.file_descriptor_proto
    assert FileDescriptorProto.FromString(described).package == "grpc.health.v1"


@pytest.mark.parametrize(("field", "text"), [(3, "other.proto"), (4, "no.such.Thing"), (4, f"{RIVA}.Nothing"), (6, "x.Y")])
def test_what_is_not_here_is_said_to_be_nowhere(field: int, text: str) -> None:
    answer = asked(field, text)
    assert answer.error_response.error_code == Code.NOT_FOUND
    assert text in answer.error_response.error_message


def test_a_question_that_asks_nothing_is_answered_and_what_is_none_refused() -> None:
    answer = wire.ServerReflectionResponse.FromString(DESCRIBED.answer(b""))
    assert answer.error_response.error_code == Code.INVALID_ARGUMENT
    with pytest.raises(InvalidMessage):
        DESCRIBED.answer(b"\xff")


@given(st.binary(max_size=300))
def test_whatever_comes_is_answered_or_refused(message: bytes) -> None:
    try:
        answer = DESCRIBED.answer(message)
    except InvalidMessage:
        return
    assert wire.ServerReflectionResponse.FromString(answer).WhichOneof("message_response")
