"""What a client of ``/api/v1`` may ask of a recording, as fields of a form or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from starling.auth.tenants import Tenant
from starling.core.config import Quality
from starling.core.errors import InvalidMessage, InvalidOption
from starling.core.hotwords import MAX_HOTWORDS, HotWord, hot_words
from starling.core.jobs import Callback, Channels, JobOptions
from starling.core.load import Priority
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.formats import Format
from starling.gateway.recordings.intake import Wish

Model = TypeVar("Model", bound=BaseModel)

LISTS: Final = frozenset({"hotwords", "formats"})
"""Fields that may come more than once, with one entry, or a JSON list."""

MIN_SECRET: Final = 16
FILES: Final = tuple(form for form in Format if form is not Format.JSON)


class Expected(BaseModel):
    """A word or phrase that is expected, and how much."""

    model_config = ConfigDict(extra="forbid")

    phrase: str = Field(max_length=1000)
    weight: float = 1.0


class Wanted(BaseModel):
    """Options of a job. What is left out is as this server has it."""

    model_config = ConfigDict(extra="forbid")

    language: str | None = Field(None, max_length=35, description="BCP 47 tag of the speech")
    model: str | None = Field(None, max_length=64, description="there is one; another is refused")
    quality: Quality | None = Field(None, description="how hard texts are searched for")
    priority: Priority = Field(Priority.NORMAL, description="whose job comes first")
    words: bool = Field(default=True, description="times of words")
    hotwords: list[str | Expected] = Field([], max_length=MAX_HOTWORDS, description="words and phrases that are expected")
    channels: Channels = Field(Channels.MIXED, description="one text, or one for each channel")
    formats: list[Format] = Field([], max_length=len(Format), description="files that the result has besides")
    callback: str | None = Field(None, max_length=2048, description="URL to tell when the job is over, where that is allowed")
    callback_secret: str | None = Field(
        None, min_length=MIN_SECRET, max_length=256, description="signs what the callback is told (HMAC-SHA256)"
    )


class Named(Wanted):
    """A recording to be fetched, where that is allowed."""

    url: Annotated[str, Field(min_length=1, max_length=2048)]
    name: str | None = Field(None, max_length=500, description="what to call it")


def from_fields(fields: Sequence[tuple[str, str]]) -> Wanted:
    """The fields of a form. Raises InvalidOption for one that is unknown or wrong, and for one too many."""
    given: dict[str, Any] = {}
    for name, value in fields:
        if name in LISTS:
            given.setdefault(name, []).extend(_entries(value) if name == "hotwords" else _names(value))
        elif name in given:
            raise InvalidOption(f"expected {name[:40]} once, got it again: leave one of them out")
        else:
            given[name] = value
    return _checked(Wanted, given)


def from_json(body: bytes) -> Named:
    """A JSON object. Raises InvalidMessage for what is none, InvalidOption for what is wrong in it."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InvalidMessage("expected a form (multipart/form-data) with audio, or a JSON object with url")
    return _checked(Named, given)


def wish(wanted: Wanted, desk: Desk, tenant: Tenant) -> Wish:
    """What ``wanted`` comes to for ``tenant``. Raises InvalidOption, and Forbidden for a callback where there are none."""
    able = desk.offered(tenant)
    if wanted.model not in {None, able.model}:
        raise InvalidOption(f"model must be {able.model}, got {(wanted.model or '')[:64]!r}: leave it out")
    defaults = desk.defaults
    config = defaults.updated(
        language=wanted.language or defaults.language,
        quality=wanted.quality or defaults.quality,
        words=wanted.words,
        hotwords=hot_words([one if isinstance(one, str) else HotWord(one.phrase, one.weight) for one in wanted.hotwords]),
    )
    options = JobOptions(
        config=able.serve(config),
        channels=wanted.channels,
        callback=_callback(wanted, desk),
        formats=tuple(form for form in FILES if form in wanted.formats),
    )
    return Wish(options=options, priority=wanted.priority)


def _callback(wanted: Wanted, desk: Desk) -> Callback | None:
    if wanted.callback is None:
        return None
    desk.intake.check_callback(wanted.callback)
    if wanted.callback_secret is None and not desk.options.callback_secret:
        raise InvalidOption("callback needs callback_secret beside it, by which the message can be known as ours")
    return Callback(url=wanted.callback, secret=wanted.callback_secret or "")


def _names(value: str) -> list[Any]:
    """As ``_entries``, and several with commas between them, which names do not hold as phrases may."""
    return _entries(value) if value.lstrip().startswith("[") else [name.strip() for name in value.split(",")]


def _entries(value: str) -> list[Any]:
    """One entry, or a JSON list of some."""
    if value.lstrip().startswith("["):
        try:
            listed = json.loads(value)
        except (ValueError, RecursionError):
            return [value]
        return listed if isinstance(listed, list) else [value]
    return [value]


def _checked(kind: type[Model], given: Mapping[str, Any]) -> Model:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))[:80]}: {one['msg']}" for one in error.errors()[:5])
        raise InvalidOption(f"expected options as in /docs, got others: {said}"[:1000]) from None
