from __future__ import annotations

import pytest

from starling.core.errors import InvalidOption
from starling.core.languages import match_language


@pytest.mark.parametrize(
    ("wanted", "match"), [("en", "en"), ("EN-us", "en"), ("pt-br", "pt-BR"), ("pt-BR-x-home", "pt-BR"), ("zh-Hant-TW", "zh-Hant")]
)
def test_a_language_is_served_by_itself_or_a_more_general_one(wanted: str, match: str) -> None:
    assert match_language(wanted, ["en", "pt-BR", "zh-Hant"]) == match


@pytest.mark.parametrize("wanted", ["", "de", "pt", "zh", "eng", "en_US", "-en"])
def test_others_are_refused_and_told_what_is_spoken(wanted: str) -> None:
    with pytest.raises(InvalidOption, match="one of en, pt-BR, zh-Hant"):
        match_language(wanted, ["en", "pt-BR", "zh-Hant"])


def test_a_tag_of_any_length_is_quoted_only_in_part() -> None:
    with pytest.raises(InvalidOption) as caught:
        match_language("x" * 10_000, ["en"])
    assert len(caught.value.message) < 200
