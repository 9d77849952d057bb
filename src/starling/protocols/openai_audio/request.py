"""The form of a transcription to what it asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption
from starling.core.hotwords import HotWord
from starling.core.languages import match_language
from starling.core.ports import Capabilities
from starling.protocols.foreign import expected
from starling.protocols.openai_audio.errors import FieldRefused, ModelNotFound

ALIAS: Final = "whisper-1"
"""The name under which clients know a model, which is the default here."""

GRANULARITIES: Final = ("segment", "word")
TRUE: Final = frozenset({"true", "1"})
FALSE: Final = frozenset({"false", "0", ""})
TERM_WORDS: Final = 4
"""Words that an entry of a list of terms has at most; what has more is prose."""


class Form(StrEnum):
    """Shapes of an answer."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VERBOSE = "verbose_json"
    VTT = "vtt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcription:
    """What is asked for. ``granularities``: of times, in a verbose answer."""

    config: SessionConfig
    form: Form = Form.JSON
    stream: bool = False
    granularities: frozenset[str] = frozenset({"segment"})


class Fields:
    """The fields of a form, in order; where a name comes twice and may not, its last value counts."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._fields = [(name.removesuffix("[]"), value) for name, value in fields]

    def all(self, name: str) -> list[str]:
        """Every value of ``name`` that is not empty."""
        return [value for given, value in self._fields if given == name and value]

    def last(self, name: str) -> str | None:
        """Its value, None if it has none."""
        return next(reversed(self.all(name)), None)


def known_models(capabilities: Capabilities) -> tuple[str, ...]:
    """The names that can be asked for."""
    return capabilities.model, ALIAS


def check_model(name: str, capabilities: Capabilities) -> None:
    """Raises ModelNotFound for a model that is not served here."""
    names = known_models(capabilities)
    if name not in names:
        raise ModelNotFound(f"expected model to be one of {', '.join(names)}, got {name[:64]!r}: see GET /v1/models")


def transcription(fields: Sequence[tuple[str, str]], capabilities: Capabilities, defaults: SessionConfig) -> Transcription:
    """What ``fields`` ask for. Raises FieldRefused, which names the field, and ModelNotFound."""
    given = Fields(fields)
    model = given.last("model")
    if model is None:
        raise FieldRefused("model", f"expected a model, got none: say {capabilities.model} or {ALIAS}")
    check_model(model, capabilities)
    _refuse(given)
    form = _form(given)
    stream = _flag(given, "stream")
    if stream and form not in {Form.JSON, Form.TEXT}:
        raise FieldRefused("stream", f"stream goes with response_format json or text, got {form}: leave one of them out")
    granularities = frozenset(given.all("timestamp_granularities"))
    if unknown := granularities - frozenset(GRANULARITIES):
        raise FieldRefused("timestamp_granularities", f"expected segment or word, got {min(unknown)[:40]!r}: ask for one of them")
    if granularities and form is not Form.VERBOSE:
        raise FieldRefused(
            "timestamp_granularities", f"timestamp_granularities goes with response_format verbose_json, got {form}"
        )
    config = defaults.updated(
        language=_language(given, capabilities, defaults),
        partials=False,
        words="word" in granularities,
        partial_words=False,
        hotwords=hot_words(given),
    )
    return Transcription(
        config=capabilities.serve(config),
        form=form,
        stream=stream,
        granularities=granularities or frozenset({"segment"}),
    )


def hot_words(given: Fields) -> tuple[HotWord, ...]:
    """Of the keywords, and of a prompt that is a list of terms. Prose gives none: it is a style to imitate, and none is here."""
    found = given.all("keywords")
    for prompt in given.all("prompt"):
        entries = [entry.strip(" .") for entry in prompt.replace("\n", ",").replace(";", ",").split(",")]
        terms = [entry for entry in entries if entry]
        if all(len(term.split()) <= TERM_WORDS for term in terms):
            found += terms
    return expected(found)


def _refuse(given: Fields) -> None:
    if given.all("include"):
        raise FieldRefused("include", "include is not offered here (there are no log probabilities of tokens): leave it out")
    for name in ("known_speaker_names", "known_speaker_references"):
        if given.all(name):
            raise FieldRefused(name, f"{name} is not offered here (speakers are not told apart): leave it out")
    temperature = given.last("temperature")
    if temperature is not None:
        try:
            number = float(temperature)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            raise FieldRefused("temperature", f"temperature must be from 0 to 1, got {temperature[:40]!r}")


def _form(given: Fields) -> Form:
    name = given.last("response_format") or Form.JSON.value
    if name == "diarized_json":
        raise FieldRefused("response_format", "diarized_json is not offered here (speakers are not told apart): say verbose_json")
    if name not in set(Form):
        raise FieldRefused("response_format", f"response_format must be one of {', '.join(Form)}, got {name[:40]!r}")
    return Form(name)


def _flag(given: Fields, name: str) -> bool:
    value = (given.last(name) or "").lower()
    if value not in TRUE | FALSE:
        raise FieldRefused(name, f"{name} must be true or false, got {value[:40]!r}")
    return value in TRUE


def _language(given: Fields, capabilities: Capabilities, defaults: SessionConfig) -> str:
    wanted = given.last("language")
    if wanted is not None:
        try:
            return match_language(wanted, capabilities.languages)
        except InvalidOption as error:
            raise FieldRefused("language", error.message) from None
    languages = given.all("languages")
    for tag in languages:
        try:
            return match_language(tag, capabilities.languages)
        except InvalidOption:
            continue
    if languages:
        raise FieldRefused("languages", f"the model speaks {', '.join(capabilities.languages)}, and none of the languages named")
    return defaults.language
