"""Whether traces arrive: the finding for `starling doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starling.config.doctor import Check
    from starling.config.settings import Settings


def check_collector(settings: Settings) -> Check:
    """The collector of ``telemetry.otlp_endpoint`` takes a message, one that says nothing. A server needs none to work."""
    from starling.app.tracing import collector_options
    from starling.config.doctor import Check, Status
    from starling.core.errors import StarlingError
    from starling.telemetry.collector import Collector, NotTaken

    try:
        options = collector_options(settings)
        assert options is not None
        collector = Collector(options)
    except StarlingError as error:
        return Check("traces", Status.FAIL, error.message)
    try:
        collector.post(b"")
    except NotTaken as error:
        found = f"{options.url}: {error.reason}"
        remedy = "start the collector, or look at telemetry.otlp_endpoint and otlp_headers; servers work without it, untraced"
        return Check("traces", Status.WARN, found, remedy)
    finally:
        collector.close()
    share = settings.telemetry.sampling_ratio
    return Check("traces", Status.OK, f"{options.url} takes them" + ("" if share == 1 else f", {share:.3g} of new ones are told"))
