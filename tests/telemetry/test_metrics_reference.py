from __future__ import annotations

from pathlib import Path

from starling.telemetry.metrics import catalogue
from starling.telemetry.reference import render_metrics_markdown

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_what_the_catalogue_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_metrics_markdown(), (
        "run: python -m starling.telemetry.reference > docs/metrics.md"
    )


def test_the_page_names_every_metric_label_and_value() -> None:
    page = render_metrics_markdown()
    for declared in catalogue().values():
        assert f"## `{declared.name}`" in page
        for label, values in declared.labels.items():
            assert f"`{label}`: " + ", ".join(f"`{value}`" for value in values) in page
