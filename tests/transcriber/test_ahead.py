from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from patience import PATIENCE
from starling.transcriber.ahead import ahead


def test_items_come_in_order() -> None:
    with ahead(range(1_000), depth=3) as reading:
        assert list(reading) == list(range(1_000))


def test_no_more_is_read_than_may_wait() -> None:
    read = []
    full = threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            if number == 4:  # one is out, three wait, and one wants to
                full.set()
            yield number

    with ahead(items(), depth=3) as reading:
        assert next(reading) == 0
        assert full.wait(PATIENCE)
        assert len(read) <= 5
    assert len(read) <= 6


def test_an_error_comes_after_what_was_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("gone")

    with ahead(items(), depth=8) as reading:
        assert [next(reading), next(reading)] == [1, 2]
        with pytest.raises(OSError, match="gone"):
            next(reading)


def test_who_leaves_ends_the_reading() -> None:
    threads = threading.active_count()
    with ahead(iter(range(1_000)), depth=1) as reading:
        next(reading)
    assert threading.active_count() == threads
