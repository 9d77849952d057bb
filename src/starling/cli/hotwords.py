"""Hot words as people write them: a phrase, and after a colon that follows a space its weight, as in sherpa-onnx.

Kaldi
Moonshine tiny :1.5
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from starling.core.errors import InvalidOption
from starling.core.hotwords import HotWord, hot_words

_WEIGHTED = re.compile(r"(?P<phrase>.*)\s:(?P<weight>[0-9.]+)")


def parse_hotword(text: str) -> HotWord:
    """The hot word that ``text`` says. Raises InvalidOption for what HotWord refuses."""
    found = _WEIGHTED.fullmatch(text.strip())
    if not found:
        return HotWord(text)
    try:
        weight = float(found["weight"])
    except ValueError:
        raise InvalidOption(f"expected a weight such as :1.5 after a hot word, got :{found['weight']}") from None
    return HotWord(found["phrase"], weight)


def read_hotwords(path: Path) -> tuple[HotWord, ...]:
    """The hot words in a file, one to a line; empty lines and those that begin with # are skipped.

    Raises InvalidOption for a file that cannot be read or a line that is none, which it names by its number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidOption(f"cannot read hot words from {path}: {reason}") from None
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(parse_hotword(line))
            except InvalidOption as error:
                raise InvalidOption(f"{path}, line {number}: {error.message}") from None
    return hot_words(found)


def chosen(given: Iterable[str], file: Path | None) -> tuple[HotWord, ...]:
    """Those given on the command line, then those of ``file``. Raises InvalidOption as above, and for too many together."""
    return hot_words([*map(parse_hotword, given), *(read_hotwords(file) if file else ())])
