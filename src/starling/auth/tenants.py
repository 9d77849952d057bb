"""Whom a key speaks for, and what that tenant may use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starling.core.errors import InvalidOption
from starling.core.load import Priority

MAX_NAME: Final = 64


class Feature(StrEnum):
    """What a tenant may be kept from asking for."""

    WORDS = "words"
    HOTWORDS = "hotwords"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant and its limits; None is no limit.

    ``priority``: who keeps partial results longest under load. ``max_sessions``: open at once. ``audio_seconds_per_minute``: of
    all its sessions, also the most at a stroke; who sends more is slowed down. ``audio_seconds_per_day``: from midnight to
    midnight UTC; then sessions end and none begins. ``features``: those it may use. Raises InvalidOption for a bad value.
    """

    name: str
    priority: Priority = Priority.NORMAL
    max_sessions: int | None = None
    audio_seconds_per_minute: float | None = None
    audio_seconds_per_day: float | None = None
    features: tuple[Feature, ...] | None = None

    def __post_init__(self) -> None:
        check_name("tenant", self.name)
        for limit in ("max_sessions", "audio_seconds_per_minute", "audio_seconds_per_day"):
            value = getattr(self, limit)
            if value is not None and not 0 < value < float("inf"):
                raise InvalidOption(f"{limit} of tenant {self.name} must be more than 0, got {value}")

    def may(self, feature: Feature) -> bool:
        """Whether this tenant may use ``feature``."""
        return self.features is None or feature in self.features

    @property
    def described(self) -> str:
        """Its limits in a line for a person."""
        said = [f"{self.priority} priority"]
        if self.max_sessions is not None:
            said.append(f"{self.max_sessions} sessions")
        if self.audio_seconds_per_minute is not None:
            said.append(f"{self.audio_seconds_per_minute:g} s of audio a minute")
        if self.audio_seconds_per_day is not None:
            said.append(f"{self.audio_seconds_per_day:g} s of audio a day")
        if self.features is not None:
            said.append("features: " + (" ".join(self.features) or "none"))
        return ", ".join(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a request is from. ``key_id``: of its key, empty in open mode. ``operator``: it may see and end all sessions.

    ``by_ticket``: it showed no key but what stands for one; ``ticket``: the number of the ticket, which opens one connection.
    """

    tenant: Tenant
    key_id: str = ""
    operator: bool = False
    by_ticket: bool = False
    ticket: str = ""


def check_name(what: str, name: str) -> None:
    """Raises InvalidOption unless ``name`` is one that can stand in a log line and in a table."""
    if not (0 < len(name) <= MAX_NAME and name.isascii() and all(letter.isalnum() or letter in "-_." for letter in name)):
        raise InvalidOption(
            f"expected a {what} name of at most {MAX_NAME} letters, digits, '-', '_' and '.', got {name[:MAX_NAME]!a}"
        )


def read_features(text: str) -> tuple[Feature, ...] | None:
    """``all``, ``none`` or names with commas. Raises InvalidOption for another."""
    if text == "all":
        return None
    names = [] if text == "none" else [name.strip() for name in text.split(",")]
    if wrong := [name for name in names if name not in set(Feature)]:
        raise InvalidOption(f"expected all, none, or features among {', '.join(Feature)}, got {wrong[0][:MAX_NAME]!a}")
    return tuple(Feature(name) for name in names)


ANYBODY: Final = Principal(tenant=Tenant(name="default"))
"""Who everybody is where no keys are asked for."""
