"""Settings by the names that OpenTelemetry gave them, for whoever sets the same for all programs. Pure.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

ENDPOINT: Final = "telemetry.otlp_endpoint"

_EXPORTER: Final = {
    "HEADERS": "telemetry.otlp_headers",
    "PROTOCOL": "telemetry.otlp_protocol",
    "COMPRESSION": "telemetry.otlp_compression",
    "CERTIFICATE": "telemetry.otlp_ca",
    "TIMEOUT": "telemetry.otlp_timeout",
}

_GENERAL: Final = {"OTEL_SERVICE_NAME": "telemetry.service_name", "OTEL_RESOURCE_ATTRIBUTES": "telemetry.resource"}

_RATIOS: Final = {"always_on": "1", "always_off": "0", "parentbased_always_on": "1", "parentbased_always_off": "0"}

_DRAWN: Final = frozenset({"traceidratio", "parentbased_traceidratio"})

RATIO: Final = "telemetry.sampling_ratio"


def settings_of(variables: Mapping[str, str], *, exporter: bool) -> dict[str, tuple[Any, str]]:
    """By its path, what ``variables`` set, and which of them does. Empty ones do not count, as the standard has it.

    ``exporter``: also those of the exporter. Its headers are no good for another endpoint than its own.
    """
    given = {name: value for name, value in variables.items() if value}
    found = {path: (given[name], name) for name, path in _GENERAL.items() if name in given}
    found |= dict(_sampling(given))
    off = given.get("OTEL_SDK_DISABLED", "").lower() == "true" or given.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp"
    if exporter and not off:
        found |= dict(_exporter(given))
    return found


def _sampling(given: Mapping[str, str]) -> Iterator[tuple[str, tuple[Any, str]]]:
    """A sampler that is not known leaves all as it is."""
    name, argument = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
    sampler = given.get(name, "")
    if sampler in _RATIOS:
        yield RATIO, (_RATIOS[sampler], name)
    elif sampler in _DRAWN and argument in given:
        yield RATIO, (given[argument], argument)


def _exporter(given: Mapping[str, str]) -> Iterator[tuple[str, tuple[Any, str]]]:
    def either(name: str) -> str | None:
        return next((full for full in (f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}") if full in given), None)

    endpoint = either("ENDPOINT")
    if endpoint is None:
        return
    yield ENDPOINT, (given[endpoint], endpoint)
    for name, path in _EXPORTER.items():
        if (full := either(name)) is not None:
            yield path, (_seconds(given[full]) if name == "TIMEOUT" else given[full], full)


def _seconds(milliseconds: str) -> Any:
    """What is no number stays as it is, to be refused with its name."""
    return str(int(milliseconds) / 1000) if milliseconds.isascii() and milliseconds.isdecimal() else milliseconds
