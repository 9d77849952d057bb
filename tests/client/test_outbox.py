from __future__ import annotations

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from starling.client.outbox import LIMIT, Outbox

FINALIZE = '{"type":"finalize"}'
sendings = st.lists(st.binary(min_size=1, max_size=5) | st.just(FINALIZE), max_size=20)


@given(sendings, st.data())
def test_whatever_is_confirmed_the_rest_is_sent_again_in_its_place(sent: list[bytes | str], data: st.DataObject) -> None:
    outbox = Outbox()
    sound = b""
    controls: set[int] = set()
    for frame in sent:
        if isinstance(frame, str):
            outbox.control(frame)
            controls.add(len(sound))
        else:
            outbox.audio(frame)
            sound += frame
    confirmed = data.draw(st.integers(0, len(sound)))
    received = data.draw(st.integers(confirmed, len(sound)))
    outbox.confirm(confirmed)
    again = outbox.after(received)
    assert again is not None
    position = received
    repeated: set[int] = set()
    for frame in again:
        if isinstance(frame, str):
            repeated.add(position)
        else:
            assert sound[position : position + len(frame)] == frame
            position += len(frame)
    assert position == len(sound) == outbox.sent
    assert repeated == {place for place in controls if place >= received}


def test_changes_of_options_at_one_place_are_one() -> None:
    outbox = Outbox()
    for number in range(1000):
        outbox.control(json.dumps({"type": "configure", "partial_interval_ms": 100 + number}))
        outbox.control(FINALIZE)
    outbox.control('{"type":"configure","words":true}')
    assert outbox.after(0) == [FINALIZE, '{"type":"configure","partial_interval_ms":1099,"words":true}']


@pytest.mark.parametrize("received", [-1, 3, 11])
def test_what_is_not_kept_cannot_be_sent_again(received: int) -> None:
    outbox = Outbox()
    for _ in range(2):
        outbox.audio(b"01234")
    outbox.confirm(7)
    assert outbox.after(received) is None
    assert outbox.after(7) == [b"234"]


def test_it_is_full_at_its_limit_and_not_when_something_is_confirmed() -> None:
    outbox = Outbox()
    outbox.audio(bytes(LIMIT))
    assert outbox.full
    outbox.audio(b"0")
    outbox.confirm(LIMIT)
    assert not outbox.full
