"""What follows the status of a call that failed: when to try again, for programs."""

from __future__ import annotations

from typing import Final

from starling.core.errors import Overloaded, StarlingError
from starling.protocols.calls import code_of
from starling.protocols.wire import rpc_status_pb2 as wire

DETAILS: Final = "grpc-status-details-bin"
"""A ``google.rpc.Status``, as richer error model of gRPC has it."""

PUSHBACK: Final = "grpc-retry-pushback-ms"
"""Milliseconds that gRPC's own retries wait, where a client has them switched on."""

RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"


def trailers(error: StarlingError) -> tuple[tuple[str, str | bytes], ...]:
    """Metadata after the status of ``error``: none for what is no matter of time."""
    if not isinstance(error, Overloaded):
        return ()
    milliseconds = round(error.retry_after * 1000)
    whole, rest = divmod(milliseconds, 1000)
    info = wire.RetryInfo(retry_delay=wire.Duration(seconds=whole, nanos=rest * 1_000_000))
    detail = wire.Detail(type_url=RETRY_INFO, value=info.SerializeToString())
    status = wire.Status(code=code_of(type(error)), message=error.message, details=[detail])
    return (PUSHBACK, str(milliseconds)), (DETAILS, status.SerializeToString())
