"""What `starling doctor` finds of the collector that traces go to."""

from __future__ import annotations

from span_collector import Answer, SpanCollector
from starling.cli.tracing import check_collector
from starling.config.doctor import Check, Status
from starling.config.groups.telling import Telemetry
from starling.config.settings import Settings


def check(url: str, **more: object) -> Check:
    return check_collector(Settings(telemetry=Telemetry.model_validate({"otlp_endpoint": url, **more})))


def test_a_collector_that_answers_is_well() -> None:
    with SpanCollector() as collector:
        found = check(collector.url, sampling_ratio=0.1)
        assert (found.status, found.detail) == (Status.OK, f"{collector.url}/v1/traces takes them, 0.1 of new ones are told")
        assert not collector.spans


def test_one_that_does_not_is_a_warning_for_servers_work_without() -> None:
    with SpanCollector(lambda _: Answer(status=401)) as collector:
        found = check(collector.url, otlp_headers="x-api-key=s3cret")
        assert (found.status, found.detail) == (Status.WARN, f"{collector.url}/v1/traces: status 401")
        assert "otlp_headers" in found.remedy
        assert "s3cret" not in str(found)
    assert check(collector.url).status is Status.WARN, "nobody is there"


def test_settings_with_which_no_server_starts_are_a_failure() -> None:
    assert check("localhost:4317").status is Status.FAIL
