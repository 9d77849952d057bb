from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.audio import Samples
from starling.session.buffer import SampleBuffer

operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 30_000)),
        st.tuples(st.just("drop"), st.integers(-100, 40_000)),
        st.tuples(st.just("slice"), st.integers(0, 2**32)),
    ),
    max_size=40,
)


@given(st.integers(0, 10**9), operations)
def test_it_equals_a_plain_concatenation(start: int, steps: list[tuple[str, int]]) -> None:
    buffer = SampleBuffer(start)
    model: Samples = np.empty(0, np.int16)
    handed_out: list[tuple[Samples, Samples]] = []
    random = np.random.default_rng(len(steps))
    for step, amount in steps:
        if step == "append":
            block = random.integers(-32768, 32767, amount, np.int16)
            buffer.append(block)
            model = np.concatenate((model, block))
        elif step == "drop":
            buffer.drop_before(start + amount)
            kept = min(max(amount, 0), len(model))
            start += max(amount, 0)
            model = model[kept:]
        else:
            left, right = sorted((amount % (len(model) + 1), amount // 7 % (len(model) + 1)))
            view = buffer.slice(start + left, start + right)
            handed_out.append((view, view.copy()))
            assert np.array_equal(view, model[left:right])
        assert (buffer.start, buffer.end) == (start, start + len(model))
    assert np.array_equal(buffer.slice(buffer.start, buffer.end), model)
    for view, copy in handed_out:
        assert np.array_equal(view, copy)


@pytest.mark.parametrize(("left", "right"), [(99, 110), (100, 111), (105, 104)])
def test_there_is_nothing_outside_of_it(left: int, right: int) -> None:
    buffer = SampleBuffer(100)
    buffer.append(np.arange(10, dtype=np.int16))
    with pytest.raises(IndexError, match="within 100 and 110"):
        buffer.slice(left, right)


def test_a_long_session_takes_no_more_memory_than_a_short_one() -> None:
    buffer = SampleBuffer()
    block = np.ones(16_000, np.int16)
    for _ in range(3600):
        buffer.append(block)
        buffer.drop_before(buffer.end - 4_000)
    assert len(buffer._store) <= 4 * (16_000 + 4_000)
