from __future__ import annotations

import json

import pytest
from bench.endings import Ending, endings, first_after


def said(second: int, event: str, **about: str) -> str:
    return json.dumps({"timestamp": f"2030-01-01T00:00:{second:02}.500+00:00", "event": event, **about})


LOG = [
    "Traceback (most recent call last):",
    said(1, "process condemned", member="worker-1"),
    said(2, "process ended", member="worker-1"),
    said(3, "template ended", template="template-worker"),
    said(9, "process ended", member="gateway"),
]


def test_processes_and_templates_end_in_their_roles() -> None:
    ended = endings(LOG)
    assert [one.role for one in ended] == ["worker", "template", "gateway"]
    assert [one.at - ended[0].at for one in ended] == [0.0, 1.0, 7.0]


def test_what_a_blow_took_is_until_the_next_end_in_its_role_and_not_later_ones() -> None:
    ended = [Ending(10.0, "worker"), Ending(11.0, "gateway"), Ending(20.0, "worker")]
    assert first_after(ended, "worker", 9.25, 3.0) == pytest.approx(0.75)
    assert first_after(ended, "worker", 10.5, 3.0) is None
    assert first_after(ended, "gateway", 9.0, 3.0) == pytest.approx(2.0)
