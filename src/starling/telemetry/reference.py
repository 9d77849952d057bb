"""``docs/metrics.md``, written from the catalogue."""

from __future__ import annotations

from typing import Any

from starling.telemetry.catalogue import Declared, Facts, Spread
from starling.telemetry.metrics import catalogue

PROSE = """\
# Metrics

`GET /metrics` answers in the Prometheus text format. Every name begins with `starling_`, is in base units, and is declared once,
in `src/starling/telemetry/families`. This page is written from there by `python -m starling.telemetry.reference`, and a test
compares the two. The usual `process_*` metrics (CPU, memory, open files) are there too.

A histogram `x` is three series: `x_bucket{le="..."}`, `x_sum` and `x_count`. Series whose labels are known exist from the start,
at zero, so that an alert can tell "nothing happened" from "not measured".

Two numbers together are what a person waits for after the last word. `starling_endpoint_wait_seconds` is the silence that had to
pass before the end of speech was sure: a choice, `session.endpoint_silence_ms`. `starling_final_latency_seconds` is the computing
that followed: the machine's share. They are never added up here, because they have different cures.

Some questions and their queries:

| question | PromQL |
|---|---|
| Are finals on time? | `histogram_quantile(0.95, sum by (le) (rate(starling_final_latency_seconds_bucket[5m])))` |
| Finalization rate | `sum(rate(starling_segments_total[5m]))` |
| Share of audio the gate saved | `rate(starling_audio_gated_seconds_total[5m]) / rate(starling_audio_in_seconds_total[5m])` |
| Who is turned away, and why? | `sum by (reason) (rate(starling_sessions_refused_total[5m]))` |
| Is the engine full? | `histogram_quantile(0.95, sum by (le) (rate(starling_queue_wait_seconds_bucket{kind="final"}[5m])))` |
"""


def render_metrics_markdown() -> str:
    """The whole page."""
    return "\n".join([PROSE, *(_section(declared) for declared in catalogue().values())])


def _section(declared: Declared[Any]) -> str:
    facts = [declared.kind]
    if declared.unit:
        facts.append(f"unit: {declared.unit}")
    if isinstance(declared, Facts):
        facts.append("labels: " + ", ".join(f"`{fact}`" for fact in declared.facts))
    facts += [f"`{label}`: " + ", ".join(f"`{value}`" for value in values) for label, values in declared.labels.items()]
    if isinstance(declared, Spread):
        facts.append("buckets: " + ", ".join(f"{bound:g}" for bound in declared.buckets))
    return f"## `{declared.name}`\n\n{declared.measures} ({'; '.join(facts)})\n\n**What to do:** {declared.action}\n"


if __name__ == "__main__":
    print(render_metrics_markdown(), end="")  # noqa: T201 (printing the page is what running this module is for)
