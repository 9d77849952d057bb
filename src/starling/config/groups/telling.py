"""What Starling tells of itself: events and traces."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from starling.config.groups.group import Group, setting
from starling.telemetry.logs import LogFormat, LogLevel


class Log(Group):
    """Events on stderr. They never hold speech."""

    level: LogLevel = setting(LogLevel.INFO, "least important events that are shown")
    format: LogFormat = setting(LogFormat.AUTO, "`auto` is text on a terminal and JSON elsewhere")


class OtlpProtocol(StrEnum):
    """How OTLP may be spoken."""

    HTTP_PROTOBUF = "http/protobuf"


class Compression(StrEnum):
    """What is done to messages before they are sent."""

    NONE = "none"
    GZIP = "gzip"


class Telemetry(Group):
    """Traces, for a collector of OpenTelemetry; see [tracing.md](tracing.md). Without `otlp_endpoint` nothing is recorded.

    OpenTelemetry's own variables count where none of Starling's says otherwise: `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`,
    `_PROTOCOL`, `_TIMEOUT` (in milliseconds, as everywhere), `_COMPRESSION` and `_CERTIFICATE`, the same with `OTLP_TRACES_`, and
    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`, `OTEL_TRACES_EXPORTER`,
    `OTEL_SDK_DISABLED`. Those of the exporter count only where one of them says the endpoint, too.
    """

    otlp_endpoint: str | None = setting(
        None, "URL of a collector that takes OTLP over HTTP, as `http://localhost:4318`; `/v1/traces` is added"
    )
    otlp_headers: str | None = setting(
        None, "what is sent with it, as `name=value,name=value`, percent-encoded; keys belong here", secret=True
    )
    otlp_protocol: OtlpProtocol = setting(OtlpProtocol.HTTP_PROTOBUF, "how it is spoken to; there is no other")
    otlp_timeout: float = setting(
        10.0, "after which an attempt to connect, to send or to get an answer is over", unit="seconds", low=0.1, high=60
    )
    otlp_compression: Compression = setting(Compression.NONE, "of what is sent")
    otlp_ca: Path | None = setting(None, "file of certificates, in PEM, by which an `https` collector may be vouched for")
    sampling_ratio: float = setting(
        1.0,
        "share of sessions and jobs that are traced; of those that come with a `traceparent`, what that says",
        unit="ratio",
        low=0,
        high=1,
    )
    service_name: str = setting("starling", "what this platform is called in traces")
    resource: tuple[str, ...] = setting((), "what else is said of it, as `deployment.environment.name=production`")
