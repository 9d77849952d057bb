from __future__ import annotations

from dataclasses import replace

import pytest
from bench.page import section
from bench.scaling import Run, gain, row

ONE = Run(
    streams=10,
    seconds=30.0,
    cpu=(9.0,),
    gateway=0.1,
    generator=0.1,
    others=0.0,
    refused=0,
    failed=0,
    partial=100.0,
    final=150.0,
)


def test_two_that_take_as_much_for_as_many_each_are_worth_two() -> None:
    assert gain([ONE], [replace(ONE, streams=20, cpu=(9.0, 9.0))]) == pytest.approx(2.0)


def test_the_busiest_counts_and_not_the_mean() -> None:
    assert gain([ONE], [replace(ONE, streams=20, cpu=(12.0, 6.0))]) == pytest.approx(1.5)


def test_a_round_that_went_astray_does_not() -> None:
    astray = replace(ONE, cpu=(30.0,))
    assert gain([ONE, astray, ONE], [replace(ONE, streams=20, cpu=(10.0, 8.0))]) == pytest.approx(1.8)


def test_what_was_lost_is_said() -> None:
    assert "REFUSED 2" in row(2, replace(ONE, refused=2))
    assert row(1, ONE).split()[:4] == ["1", "10", "busiest", "0.0300,"]
    assert "!" in row(1, replace(ONE, others=0.5))


def test_the_page_has_a_table_of_it() -> None:
    machine = dict.fromkeys(("date", "cpu", "cores", "memory_gb", "system", "python", "onnxruntime", "commit"), "x")
    cpu = {"cpu": [9.0], "streams": 10, "seconds": 30.0, "gateway": 0.1, "generator": 0.2, "others": 0.0}
    one = cpu | {"refused": 0, "failed": 1, "partial": 100, "final": 150}
    written = section("scaling", {"machine": machine, "gain": 1.93, "runs": {"1": [one]}})
    assert "**1.93 times**" in written
    assert "| 1 | 10 | 0.300 | 0.10 | 0.20 | 0.00 | 100, 150 | 1 |" in written
