from __future__ import annotations

from pathlib import Path

import pytest

from starling.cli.hotwords import chosen, parse_hotword
from starling.core.errors import InvalidOption
from starling.core.hotwords import HotWord


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kaldi", HotWord("Kaldi")),
        (" Moonshine tiny :1.5 ", HotWord("Moonshine tiny", 1.5)),
        ("10:30", HotWord("10:30")),
        ("ratio :2", HotWord("ratio", 2.0)),
    ],
)
def test_a_weight_follows_a_space_and_a_colon(text: str, expected: HotWord) -> None:
    assert parse_hotword(text) == expected


def test_a_file_has_one_to_a_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("# people\nAda Lovelace\n\nKaldi :0.5\n")
    assert chosen(["Riva"], path) == (HotWord("Riva"), HotWord("Ada Lovelace"), HotWord("Kaldi", 0.5))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Kaldi\n...\n", "names.txt, line 2: a hot word must have a letter"),
        (b"Kaldi :1.2.3\n", "line 1: expected a weight such as :1.5"),
        (b"Kaldi :5\n", "line 1: the weight of a hot word must be between 0.1 and 2, got 5"),
        (b"\xff\xfe", "it is not UTF-8"),
        (None, "No such file"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidOption, match=message):
        chosen([], path)
