"""Spans as OTLP messages: https://opentelemetry.io/docs/specs/otlp/, protobuf, as OpenTelemetry's own package defines them.

Loaded only where spans are exported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp

from starling.telemetry.attributes import Value
from starling.telemetry.spans import Span, SpanKind
from starling.version import __version__

SCOPE: Final = "starling"

_KINDS: Final = {
    SpanKind.INTERNAL: otlp.Span.SPAN_KIND_INTERNAL,
    SpanKind.SERVER: otlp.Span.SPAN_KIND_SERVER,
    SpanKind.CLIENT: otlp.Span.SPAN_KIND_CLIENT,
    SpanKind.PRODUCER: otlp.Span.SPAN_KIND_PRODUCER,
    SpanKind.CONSUMER: otlp.Span.SPAN_KIND_CONSUMER,
}

_SAMPLED: Final = 1

_NANOSECONDS: Final = 1_000_000_000


def request_of(spans: Iterable[Span], resource: Mapping[str, str]) -> bytes:
    """An ExportTraceServiceRequest of ``spans`` from ``resource``."""
    request = ExportTraceServiceRequest()
    from_here = request.resource_spans.add()
    from_here.resource.attributes.extend(_attributes(resource))
    scope = from_here.scope_spans.add()
    scope.scope.name, scope.scope.version = SCOPE, __version__
    scope.spans.extend(_message(span) for span in spans)
    return request.SerializeToString()


def rejected_by(response: bytes) -> int:
    """How many spans an answer of success says that it did not take; 0 where it says nothing that can be read."""
    try:
        return max(0, ExportTraceServiceResponse.FromString(response).partial_success.rejected_spans)
    except DecodeError:
        return 0


def _message(span: Span) -> otlp.Span:
    context = span.context
    return otlp.Span(
        trace_id=bytes.fromhex(context.trace_id),
        span_id=bytes.fromhex(context.span_id),
        parent_span_id=bytes.fromhex(context.parent_id),
        trace_state=context.state,
        flags=_SAMPLED,
        name=span.name,
        kind=_KINDS[span.kind],
        start_time_unix_nano=_nanoseconds(span.start),
        end_time_unix_nano=_nanoseconds(span.end),
        attributes=_attributes(span.attributes),
        events=[
            otlp.Span.Event(name=event.name, time_unix_nano=_nanoseconds(event.at), attributes=_attributes(event.attributes))
            for event in span.events
        ],
        dropped_events_count=span.unkept,
        status=otlp.Status(code=otlp.Status.STATUS_CODE_ERROR, message=span.error) if span.error else None,
    )


def _attributes(attributes: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items()]


def _value(value: Value) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)


def _nanoseconds(at: float) -> int:
    return max(0, round(at * _NANOSECONDS))
