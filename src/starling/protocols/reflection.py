"""What a gRPC server says of itself to clients that have no ``.proto`` file: its services, and the files that define them. Pure.

The protocol is ``grpc.reflection.v1``; ``v1alpha`` has the same messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError

from starling.core.errors import InvalidMessage
from starling.protocols.calls import Code
from starling.protocols.wire import reflection_pb2 as wire


class Reflection:
    """Answers for ``files`` and for what they import."""

    def __init__(self, files: Iterable[FileDescriptor]) -> None:
        self._files = {file.name: file for one in files for file in _with_imports(one)}

    @property
    def services(self) -> list[str]:
        """The full names of the services, sorted."""
        return sorted(service.full_name for file in self._files.values() for service in file.services_by_name.values())

    def answer(self, message: bytes) -> bytes:
        """The answer to one question. Raises InvalidMessage for what is none."""
        try:
            asked = wire.ServerReflectionRequest.FromString(message)
        except DecodeError:
            raise InvalidMessage("expected a ServerReflectionRequest") from None
        answer = wire.ServerReflectionResponse(valid_host=asked.host, original_request=asked)
        match asked.WhichOneof("message_request"):
            case "list_services":
                services = [wire.ServiceResponse(name=name) for name in self.services]
                answer.list_services_response.CopyFrom(wire.ListServiceResponse(service=services))
            case "file_by_filename":
                self._describe(answer, self._files.get(asked.file_by_filename), asked.file_by_filename)
            case "file_containing_symbol":
                self._describe(answer, self._defining(asked.file_containing_symbol), asked.file_containing_symbol)
            case "file_containing_extension":
                self._describe(answer, None, asked.file_containing_extension.containing_type)
            case "all_extension_numbers_of_type":
                self._describe(answer, None, asked.all_extension_numbers_of_type)
            case _:
                _fail(answer, Code.INVALID_ARGUMENT, "expected one question, got none that is known here")
        return answer.SerializeToString()

    def _defining(self, symbol: str) -> FileDescriptor | None:
        for file in self._files.values():  # each may be of another pool
            with suppress(KeyError):
                return file.pool.FindFileContainingSymbol(symbol)
            with suppress(KeyError):
                return file.pool.FindMethodByName(symbol).containing_service.file
        return None

    @staticmethod
    def _describe(answer: wire.ServerReflectionResponse, file: FileDescriptor | None, name: str) -> None:
        if file is None:
            _fail(answer, Code.NOT_FOUND, f"nothing here is called {name[:200]}")
            return
        described = [one.serialized_pb for one in _with_imports(file)]
        answer.file_descriptor_response.CopyFrom(wire.FileDescriptorResponse(file_descriptor_proto=described))


def _fail(answer: wire.ServerReflectionResponse, code: Code, message: str) -> None:
    answer.error_response.CopyFrom(wire.ErrorResponse(error_code=code, error_message=message))


def _with_imports(file: FileDescriptor) -> Iterator[FileDescriptor]:
    yield file
    for imported in file.dependencies:
        yield from _with_imports(imported)
