from __future__ import annotations

import random

from bench.hotwords import ONLY_WRONG, WITHOUT, Tally, lists


def test_lists_are_as_long_as_asked_for() -> None:
    found = dict(lists({"own"}, ["other", "another"], [0, 100], random.Random(1)))
    assert found[WITHOUT] == set()
    assert found["own + 0"] == {"own"}
    assert {"own", "other", "another"} <= found["own + 100"]
    assert "own" not in found[ONLY_WRONG]
    assert len(found["own + 100"]) > 90


def test_rare_words_are_found_and_listed_words_are_inserted() -> None:
    tally = Tally()
    listed = {"xylophone", "zither", "organ"}
    tally.add(["the", "xylophone", "plays"], ["the", "xylophone", "zither", "organ"], ["an", "organ"], {"xylophone"}, listed)
    tally.add(["a", "bassoon"], ["a", "balloon"], ["a", "balloon"], {"bassoon"}, {"bassoon"})
    assert (tally.rare, tally.found, tally.inserted, tally.words) == (2, 1, 1, 5)
