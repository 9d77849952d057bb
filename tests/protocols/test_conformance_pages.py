"""Each dialect has a page, and its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from starling.core.errors import InvalidOption
from starling.protocols.assemblyai import terms as assemblyai
from starling.protocols.conformance import check, ignored, refused, supported, table
from starling.protocols.deepgram import parameters as deepgram
from starling.protocols.deepgram import recorded
from starling.protocols.funasr import terms as funasr
from starling.protocols.openai_audio import terms as openai_audio
from starling.protocols.openai_realtime import terms as openai_realtime
from starling.protocols.registry import DIALECTS
from starling.protocols.riva import terms as riva
from starling.protocols.sherpa import terms as sherpa
from starling.protocols.vosk import terms as vosk
from starling.protocols.whisperlive import terms as whisperlive
from starling.protocols.wyoming import terms as wyoming

PAGES = Path(__file__).parents[2] / "docs" / "protocols"

TABLES = {
    "assemblyai": (assemblyai.SESSION, assemblyai.CONNECTION, assemblyai.MESSAGES),
    "openai-realtime": (openai_realtime.EVENTS, openai_realtime.SESSION),
    "deepgram": (deepgram.PARAMETERS, deepgram.MESSAGES, recorded.RECORDED),
    "funasr": (funasr.FIELDS, funasr.COMMANDS),
    "riva": (riva.METHODS, riva.CONFIG, riva.STREAMING),
    "sherpa-onnx": (sherpa.ONLINE, sherpa.OFFLINE),
    "vosk": (vosk.CONFIG, vosk.MESSAGES),
    "whisperlive": (whisperlive.OPTIONS, whisperlive.MESSAGES),
    "wyoming": (wyoming.MESSAGES, wyoming.TRANSCRIBE),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_adapter_s_tables(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    for terms in TABLES[name]:
        assert table(terms) in page, f"docs/protocols/{name}.md must have this table:\n{table(terms)}"


def test_the_page_on_recordings_has_openai_s_tables() -> None:
    page = (PAGES.parent / "recordings.md").read_text()
    for terms in (openai_audio.ROUTES, openai_audio.TRANSCRIPTION):
        assert table(terms) in page, f"docs/recordings.md must have this table:\n{table(terms)}"


def test_a_refused_field_is_refused_unless_it_asks_for_nothing() -> None:
    terms = {"a": supported(""), "b": ignored(""), "c": refused("it cannot", ("no", 0))}
    check(terms, {"a": 1, "b": 1, "c": 0, "d": 1})
    check(terms, {"c": "no"})
    check(terms, {"c": None})
    asked: list[object] = [True, False, 1, "yes", [], {}]
    for value in asked:
        with pytest.raises(InvalidOption, match="it cannot"):
            check(terms, {"c": value})


def test_the_overview_names_every_dialect() -> None:
    rows = re.findall(r"^\| \[.*\]\((.*)\.md\).* \| `(.*)` \| (.*) \|$", (PAGES / "README.md").read_text(), re.MULTILINE)
    where = {d.name: "the server's own port" if d.port is None else f"port {d.port}" for d in DIALECTS}
    assert {name: place for _, name, place in rows} == where
    assert {page for page, _, _ in rows} == set(TABLES) == set(where)
