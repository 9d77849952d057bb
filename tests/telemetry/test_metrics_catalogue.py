from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from starling.config.settings import Settings
from starling.config.tree import leaves
from starling.core.records import EndReason
from starling.gateway.admission import Reason
from starling.gateway.door import REASONS
from starling.scheduler.job import Kind
from starling.session.nonspeech import Nonspeech
from starling.supervisor.deaths import Cause
from starling.supervisor.launch import Role
from starling.telemetry.catalogue import Counted, Declared, Facts, Spread
from starling.telemetry.metrics import Metrics, catalogue, render

BASE_UNITS = ("seconds", "bytes", "ratio")
DECLARED = list(catalogue().values())


def names(declared: Declared[Any]) -> str:
    return declared.attribute


def test_names_are_unique() -> None:
    assert len({declared.name for declared in DECLARED}) == len(DECLARED)


@pytest.mark.parametrize("declared", DECLARED, ids=names)
def test_each_declaration_keeps_the_naming_rules(declared: Declared[Any]) -> None:
    assert re.fullmatch(r"starling(_[a-z]+)+", declared.name)
    assert declared.name.endswith("_total") == isinstance(declared, Counted)
    assert declared.name.endswith("_info") == isinstance(declared, Facts)
    stem = declared.name.removesuffix("_total")
    assert (declared.unit in BASE_UNITS) == any(stem.endswith(f"_{unit}") for unit in BASE_UNITS)
    if declared.unit in BASE_UNITS:
        assert stem.endswith(f"_{declared.unit}")
    assert declared.measures.endswith(".")
    assert declared.action.endswith(".")
    assert all(re.fullmatch(r"[a-z]+", label) for label in declared.labels)


@pytest.mark.parametrize("declared", DECLARED, ids=names)
def test_advice_names_settings_and_metrics_that_exist(declared: Declared[Any]) -> None:
    settings = leaves(Settings)
    groups = "|".join({path.partition(".")[0] for path in settings})
    assert set(re.findall(rf"\b(?:{groups})\.[a-z_]+\b", declared.action)) <= set(settings)
    known = {other.name for other in DECLARED}
    assert set(re.findall(r"\bstarling_\w+", declared.action)) <= known
    attributes = {other.attribute for other in DECLARED if "_" in other.attribute}
    assert not attributes & set(re.findall(r"\b\w+\b", declared.action)), "people see the whole name only"


def test_labels_have_the_values_that_are_given_to_them() -> None:
    assert {*get_args(Reason), *REASONS.values()} == set(Metrics.sessions_refused.labels["reason"])
    assert set(Nonspeech) == set(Metrics.texts_withheld.labels["reason"])
    assert set(Cause) - {Cause.REPLACED} == set(Metrics.process_failures.labels["cause"])
    assert {Role.GATEWAY, Role.WORKER} == set(Metrics.process_failures.labels["role"])
    assert set(Kind) == set(Metrics.decodes.labels["kind"])


@pytest.mark.parametrize("declared", [d for d in DECLARED if isinstance(d, Spread)], ids=names)
def test_buckets_rise(declared: Spread) -> None:
    assert list(declared.buckets) == sorted(set(declared.buckets))


def test_latency_buckets_span_what_a_person_notices() -> None:
    for declared in (Metrics.first_partial_latency, Metrics.final_latency, Metrics.endpoint_wait, Metrics.partial_interval):
        assert (declared.buckets[0], declared.buckets[-1]) == (0.01, 10.0)


def families(metrics: Metrics) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(render(metrics).decode())}


def test_the_page_has_every_metric_before_anything_happened() -> None:
    page = families(Metrics())
    for declared in DECLARED:
        assert declared.name.removesuffix("_total") in page, declared.name


def test_series_of_known_labels_start_at_zero() -> None:
    ended = families(Metrics())["starling_sessions_ended"].samples
    assert {(sample.labels["reason"], sample.value) for sample in ended} == {(reason.value, 0.0) for reason in EndReason}
    decodes = families(Metrics())["starling_decodes"].samples
    assert len(decodes) == 2 * 7


def test_observations_reach_the_page() -> None:
    metrics = Metrics()
    metrics.sessions_active.inc()
    metrics.decode_time.labels(kind="final").observe(0.08)
    metrics.model_info.info({"model": "m", "version": "1"})
    page = families(metrics)
    assert page["starling_sessions_active"].samples[0].value == 1.0
    (count,) = [s for s in page["starling_decode_seconds"].samples if s.name.endswith("_count") and s.labels == {"kind": "final"}]
    assert count.value == 1.0
    assert page["starling_model_info"].samples[0].labels == {"model": "m", "version": "1"}


def test_the_page_has_no_created_series() -> None:
    assert b"_created" not in render(Metrics())


def test_instances_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.sessions_opened.inc()
    assert families(other)["starling_sessions_opened"].samples[0].value == 0.0


def test_the_class_holds_declarations_and_an_instance_collectors() -> None:
    assert isinstance(Metrics.sessions_opened, Counted)
    assert not isinstance(Metrics().sessions_opened, Declared)


def test_a_declaration_without_a_collector_says_so() -> None:
    class Late:
        requests = Counted("late_total", "requests", "Requests.", action="None.")

    with pytest.raises(AttributeError, match=r"Late\.requests was read before it was registered"):
        _ = Late().requests
    Late.requests.register(CollectorRegistry()).inc()
