from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from starling.telemetry.exposition import merged
from starling.telemetry.metrics import Metrics, render


def test_every_sample_says_whose_it_is_and_families_stand_together() -> None:
    one, other = Metrics(), Metrics()
    one.sessions_opened.inc(2)
    other.sessions_opened.inc(3)
    other.decode_time.labels(kind="final").observe(0.08)
    page = merged({"gateway": render(one), "worker-0": render(other)}).decode()
    families = list(text_string_to_metric_families(page))
    assert len({family.name for family in families}) == len(families)
    samples = {(sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples}
    assert samples["starling_sessions_opened_total", ("process", "gateway")] == 2
    assert samples["starling_sessions_opened_total", ("process", "worker-0")] == 3
    assert samples["starling_decode_seconds_count", ("kind", "final"), ("process", "worker-0")] == 1
    assert page.count("# TYPE starling_sessions_opened_total ") == 1


def test_nothing_is_an_empty_page() -> None:
    assert merged({}) == b""
    assert merged({"gateway": b""}) == b""
