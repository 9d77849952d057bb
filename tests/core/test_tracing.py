from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.tracing import LONGEST_STATE, TRACEPARENT, SpanContext, Trace, trace_of, unrecorded_headers

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_request_says_of_which_trace_it_is_part() -> None:
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=a, other@tenant=b"}
    assert trace_of(headers) == Trace(trace_id=TRACE, parent_id=SPAN, sampled=True, state="vendor=a,other@tenant=b")
    assert trace_of({"traceparent": f"00-{TRACE}-{SPAN}-00"}).sampled is False
    assert trace_of({"traceparent": f"01-{TRACE}-{SPAN}-03-later"}).sampled is True, "of a later version what is known counts"


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "garbage",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(traceparent: str) -> None:
    new = trace_of({"traceparent": traceparent, "tracestate": "vendor=a"})
    assert re.fullmatch(r"[0-9a-f]{32}", new.trace_id)
    assert new.trace_id != TRACE
    assert (new.parent_id, new.sampled, new.state) == ("", None, "")
    assert trace_of({"traceparent": traceparent}, TRACE).trace_id == TRACE


@given(st.text() | st.lists(st.from_regex(r"[a-z]{1,20}=[!-+]{1,200}", fullmatch=True)).map(",".join))
def test_a_tracestate_is_kept_whole_in_its_members_and_bounded(state: str) -> None:
    kept = trace_of({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": state}).state
    assert len(kept) <= LONGEST_STATE
    assert kept.isascii()
    assert kept.isprintable()
    assert set(filter(None, kept.split(","))) <= {member.strip() for member in state.split(",")}


def test_what_is_handed_on_can_be_read_again() -> None:
    span = SpanContext(trace_id=TRACE, span_id=SPAN, state="vendor=a")
    assert trace_of(span.headers) == Trace(trace_id=TRACE, parent_id=SPAN, sampled=True, state="vendor=a")
    child = span.child()
    assert (child.trace_id, child.parent_id, child.state) == (TRACE, SPAN, "vendor=a")
    assert child.span_id != SPAN
    assert TRACEPARENT.fullmatch(unrecorded_headers(TRACE)["traceparent"])
    assert trace_of(unrecorded_headers(TRACE)).sampled is False
