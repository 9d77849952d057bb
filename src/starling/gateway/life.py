"""Where a session is in its life at a gateway: which event leads from which stage to which. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from starling.core.errors import IllegalTransition


class Stage(StrEnum):
    """What operators see of it. The console's own session (``session.js``) has the same names for the same things."""

    OPENING = "opening"
    """Its client has not said yet what it wants."""
    LIVE = "live"
    AWAY = "away"
    """Its client lost its connection, and is waited for."""
    ENDING = "ending"
    """No more audio comes, and the last results go out."""
    LEAVING = "leaving"
    """Both: no more audio comes, and the client is waited for to hear the rest."""
    MOVED = "moved"
    """Another gateway goes on with it."""
    OVER = "over"


class Event(StrEnum):
    """What happens to a session."""

    OPENED = "opened"
    LOST = "lost"
    """The connection is over, and the client may come back."""
    BACK = "back"
    ENDED = "ended"
    """No more audio comes, for whatever reason."""
    MOVED = "moved"
    SAID = "said"
    """The last word reached the client."""
    SETTLED = "settled"


TRANSITIONS: Final[dict[tuple[Stage, Event], Stage]] = {
    (Stage.OPENING, Event.OPENED): Stage.LIVE,
    (Stage.OPENING, Event.SETTLED): Stage.OVER,
    (Stage.LIVE, Event.LOST): Stage.AWAY,
    (Stage.LIVE, Event.ENDED): Stage.ENDING,
    (Stage.LIVE, Event.MOVED): Stage.MOVED,
    (Stage.LIVE, Event.SETTLED): Stage.OVER,
    (Stage.AWAY, Event.BACK): Stage.LIVE,
    (Stage.AWAY, Event.MOVED): Stage.MOVED,
    (Stage.AWAY, Event.SETTLED): Stage.OVER,
    (Stage.ENDING, Event.LOST): Stage.LEAVING,
    (Stage.ENDING, Event.MOVED): Stage.MOVED,
    (Stage.ENDING, Event.SAID): Stage.ENDING,
    (Stage.ENDING, Event.SETTLED): Stage.OVER,
    (Stage.LEAVING, Event.BACK): Stage.ENDING,
    (Stage.LEAVING, Event.MOVED): Stage.MOVED,
    (Stage.LEAVING, Event.SETTLED): Stage.OVER,
    (Stage.MOVED, Event.LOST): Stage.MOVED,
    (Stage.MOVED, Event.BACK): Stage.MOVED,
    (Stage.MOVED, Event.ENDED): Stage.MOVED,
    (Stage.MOVED, Event.SAID): Stage.ENDING,  # before it could move: it is this gateway's to clear away
    (Stage.MOVED, Event.SETTLED): Stage.OVER,
}
"""Where an event leads. A missing row is a mistake of the caller."""

ABSENT: Final = frozenset({Stage.AWAY, Stage.LEAVING})
"""The client is not there, and may come back."""

MOVABLE: Final = frozenset({Stage.LIVE, Stage.AWAY, Stage.LEAVING})
"""Another gateway has something to go on with: audio may still come, or the client is away and has not heard the rest."""


class Life:
    """The stage of one session. ``stage``: where it begins, as another gateway left it for instance."""

    def __init__(self, stage: Stage = Stage.OPENING) -> None:
        self.stage = stage

    def go(self, event: Event) -> None:
        """``event`` happened. Raises IllegalTransition for one that the stage has no place for; then nothing has changed."""
        after = TRANSITIONS.get((self.stage, event))
        if after is None:
            raise IllegalTransition(f"a session that is {self.stage} cannot take '{event}'")
        self.stage = after
