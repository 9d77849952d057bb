from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.tracing import SpanContext, Trace, new_trace_id
from starling.core.transcript import Hypothesis, Word
from starling.telemetry.attributes import Attributes, plain
from starling.telemetry.otlp import request_of
from starling.telemetry.spans import MOST_EVENTS, NO_TRACER, Span, SpanName, Tracer

SPEECH = "it was the best of times"
KEY = "key with = in it, and blanks"

PARENT = SpanContext(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331", state="vendor=a")

names = st.sampled_from(sorted(Attributes.__annotations__)) | st.sampled_from(["text", "starling.text", "token"]) | st.text()
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.just(SPEECH),
    st.just(KEY),
    st.sampled_from(
        [SPEECH.encode(), [SPEECH], {"text": SPEECH}, Word(SPEECH, 0, 1), Hypothesis(text=SPEECH, end=1), ValueError(SPEECH)]
    ),
    st.just(np.frombuffer(SPEECH.encode(), np.uint8)),
)


@given(st.dictionaries(names, values), st.dictionaries(names, values), st.sampled_from(["", SPEECH, "engine_failed"]))
def test_no_speech_and_no_secret_gets_into_a_span(given_: dict[str, Any], more: dict[str, Any], error: str) -> None:
    spans: list[Span] = []
    span = Tracer(spans.append).below(PARENT, SpanName.SEGMENT)
    span.set(cast("Attributes", given_))
    span.event("resumed", cast("Attributes", more))
    span.end(error=error)
    message = request_of(spans, {"service.name": "starling"})
    assert SPEECH.encode() not in message
    assert KEY.encode() not in message
    for kept in (spans[0].attributes, spans[0].events[0].attributes):
        assert kept.keys() <= Attributes.__annotations__.keys()
        assert not any(
            isinstance(value, str) and (len(value) > 128 or any(c.isspace() for c in value)) for value in kept.values()
        )


def test_what_fits_is_kept() -> None:
    fits = {
        "starling.segment.id": np.int64(3),
        "starling.latency_seconds": 1,
        "starling.takeover": True,
        "starling.model": "a-1.2",
    }
    assert plain(cast("Attributes", fits)) == fits
    misfits = {"starling.segment.id": True, "starling.takeover": 1, "starling.latency_seconds": float("nan"), "starling.codec": 7}
    assert plain(cast("Attributes", misfits)) == {}


def test_a_span_ends_once_and_not_before_it_began() -> None:
    spans: list[Span] = []
    tracer = Tracer(spans.append, wall=lambda: 50.0)
    span = tracer.below(PARENT, SpanName.SEGMENT, at=100.0)
    span.end()
    span.end(error="again")
    assert [(it.start, it.end, it.error) for it in spans] == [(50.0, 50.0, "")]
    assert spans[0].context.parent_id == PARENT.span_id
    left = tracer.below(PARENT, SpanName.SEGMENT)
    left.abandon()
    left.end()
    assert len(spans) == 1


def test_events_are_bounded() -> None:
    spans: list[Span] = []
    span = Tracer(spans.append).below(PARENT, SpanName.SESSION)
    for _ in range(3 * MOST_EVENTS):
        span.event("resumed")
    span.end()
    assert (len(spans[0].events), spans[0].unkept) == (MOST_EVENTS, 2 * MOST_EVENTS)


@pytest.mark.parametrize("sampled", [True, False])
def test_what_the_caller_records_is_recorded(*, sampled: bool) -> None:
    trace = Trace(trace_id=PARENT.trace_id, parent_id=PARENT.span_id, sampled=sampled, state="vendor=a")
    for ratio in (0.0, 1.0):
        context = Tracer(lambda _: None, ratio=ratio).root(trace)
        if sampled:
            assert context is not None
            assert (context.trace_id, context.parent_id, context.state) == (PARENT.trace_id, PARENT.span_id, "vendor=a")
        else:
            assert context is None


def test_of_new_traces_a_share_is_recorded_the_same_one_everywhere() -> None:
    traces = [Trace(trace_id=new_trace_id()) for _ in range(2000)]
    one, other = (Tracer(lambda _: None, ratio=0.25) for _ in range(2))
    chosen = [one.root(trace) is not None for trace in traces]
    assert 350 < sum(chosen) < 650
    assert chosen == [other.root(trace) is not None for trace in traces]
    assert not any(Tracer(lambda _: None, ratio=0.0).root(trace) for trace in traces)
    assert all(Tracer(lambda _: None).root(trace) for trace in traces)


def test_without_an_export_nothing_is_recorded() -> None:
    assert NO_TRACER.root(Trace(trace_id=PARENT.trace_id, sampled=True)) is None
    span = NO_TRACER.below(PARENT, SpanName.SEGMENT)
    assert span.context is None
    span.set({"starling.segment.id": 1})
    span.event("resumed")
    span.end()
