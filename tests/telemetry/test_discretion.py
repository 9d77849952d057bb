from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.errors import InvalidOption
from starling.core.records import EndReason
from starling.core.transcript import Hypothesis, Word
from starling.telemetry.discretion import MAX_ITEMS, MAX_TEXT, REDACTED, SPEECH_KEYS, described, discreet, printable

SPEECH = "it was the best of times"

speech_holders = st.sampled_from(
    [
        SPEECH.encode(),
        bytearray(SPEECH.encode()),
        memoryview(SPEECH.encode()),
        np.frombuffer(SPEECH.encode(), dtype=np.uint8),
        Word(SPEECH, 0, 1),
        Hypothesis(text=SPEECH, end=1),
        ValueError(SPEECH),
        KeyError(SPEECH),
        UnicodeDecodeError("utf-8", SPEECH.encode(), 0, 1, SPEECH),
        object(),
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
keys = st.text(min_size=1) | st.sampled_from(["event", "session_id", "token", "elapsed"])
harmless = st.recursive(scalars | speech_holders, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=8)


@given(st.dictionaries(keys, harmless), st.dictionaries(st.sampled_from(sorted(SPEECH_KEYS)), st.just(SPEECH) | speech_holders))
def test_no_speech_gets_through_and_what_does_is_json(fields: dict[str, Any], speech: dict[str, Any]) -> None:
    kept = discreet(fields | {"nested": [speech]} | speech)
    line = json.dumps(kept, allow_nan=False)
    assert SPEECH not in line
    if speech and len(fields) + len(speech) < MAX_ITEMS:
        assert set(speech) <= set(kept["refused"])


@pytest.mark.parametrize("key", ["text", "Stable_Text", "audio", "samples", "words", "hotwords"])
def test_speech_keys_are_dropped_and_named(key: str) -> None:
    kept = discreet({"event": "decoded", key: SPEECH})
    assert kept["event"] == "decoded"
    assert kept["refused"] == [key]
    assert key not in kept


@pytest.mark.parametrize(
    "key", ["token", "resume_token", "Authorization", "api_key", "apikey", "X-Api-Key", "password", "set-cookie"]
)
def test_secrets_are_redacted(key: str) -> None:
    assert discreet({"headers": {key: "s3cret"}}) == {"headers": {key: REDACTED}}


@pytest.mark.parametrize("key", ["tokens", "token_count", "keyboard", "session_id"])
def test_counts_and_ids_are_no_secrets(key: str) -> None:
    assert discreet({key: 3}) == {key: 3}


def test_plain_values_pass() -> None:
    fields = {
        "reason": EndReason.CLIENT,
        "path": Path("a/b"),
        "load": np.float32(0.5),
        "n": np.int64(3),
        "ok": True,
        "none": None,
    }
    assert discreet(fields) == {"reason": "client", "path": "a/b", "load": 0.5, "n": 3, "ok": True, "none": None}
    assert discreet({"rate": float("nan"), "most": float("inf")}) == {"rate": "nan", "most": "inf"}


def test_everything_is_bounded() -> None:
    loop: list[Any] = []
    loop.append(loop)
    kept = discreet({"long": "x" * 10_000, "many": range(3), "list": list(range(1000)), "loop": loop})
    assert len(kept["long"]) == MAX_TEXT
    assert len(kept["list"]) == MAX_ITEMS
    assert len(discreet({str(n): n for n in range(1000)})) == MAX_ITEMS
    assert kept["refused"] == ["<range>", "<list>"]


def test_nobody_can_forge_a_line_or_a_colour() -> None:
    assert printable('a\n{"event": "b"}\x1b[31m') == 'a\\n{"event": "b"}\\x1b[31m'
    assert printable("Grüße 你好") == "Grüße 你好"


def fail(error: Exception, cause: Exception | None) -> None:
    raise error from cause


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as caught:
        fail(error, cause)
    return caught.value


def test_an_error_is_described_with_frames_and_cause() -> None:
    field = described(raised(RuntimeError("the engine stopped"), cause=InvalidOption("expected 1, got 2")))
    assert (field["type"], field["message"]) == ("RuntimeError", "the engine stopped")
    assert field["frames"][-1].endswith("in fail")
    assert field["cause"]["message"] == "expected 1, got 2"


def test_messages_that_may_quote_their_input_are_withheld() -> None:
    field = described(raised(ExceptionGroup("two", [ValueError(SPEECH), OSError(2, "No such file")])))
    assert SPEECH not in json.dumps(field)
    assert field["errors"][1]["message"] == "[Errno 2] No such file"


def test_a_long_chain_of_causes_is_cut() -> None:
    chain: BaseException = RuntimeError("end")
    for _ in range(50):
        nearer = RuntimeError("link")
        nearer.__cause__ = chain
        chain = nearer
    assert json.dumps(described(chain)).count("link") < 10
