"""Which of the open sessions count: those that may ask for something before long.

Who is open and says nothing costs nothing, and is no reason to turn anybody away. So a session counts from when it opens for the
moment in which its first sound must come, from that for the seconds in which its first words must, and from whatever it asks for
until it has been quiet for a while.
"""

from __future__ import annotations

from typing import Final

OPENING: Final = 0.5
"""Seconds after its opening within which the sound of a session is expected."""

LISTENING: Final = 2.0
"""Seconds after its first sound within which a session is expected to ask for something: who is silent so long does not speak."""

TALKING: Final = 10.0
"""Seconds after what it last asked for that a session still counts: people who talk pause, and go on."""


class Company:
    """The sessions of one recognizer. Pure: the time is told, in seconds."""

    def __init__(self) -> None:
        self._expected: dict[str, float] = {}  # new ones, and until when they are waited for
        self._silent: set[str] = set()  # of whom nothing has come yet
        self._asked: dict[str, float] = {}  # when those that ask in time last asked
        self._hurried: dict[str, float] = {}  # the same of those that send faster than speech

    def opened(self, session_id: str, now: float) -> None:
        """A session came, from its client or from another recognizer."""
        self._expected[session_id] = now + OPENING
        self._silent.add(session_id)

    def heard(self, session_id: str, now: float) -> None:
        """Sound of a session came; only the first matters."""
        if session_id in self._silent:
            self._silent.remove(session_id)
            self._expected[session_id] = now + LISTENING

    def asked(self, session_id: str, now: float, *, hurried: bool = False) -> None:
        """A session asked for a decode."""
        self._silent.discard(session_id)
        self._expected.pop(session_id, None)
        (self._hurried if hurried else self._asked)[session_id] = now

    def left(self, session_id: str) -> None:
        """A session is over. Unknown ones are ignored."""
        self._silent.discard(session_id)
        for of_session in (self._expected, self._asked, self._hurried):
            of_session.pop(session_id, None)

    def look(self, now: float) -> tuple[int, int]:
        """How many count at ``now``, and how many of these talk, in time: what they ask is what a session usually asks."""
        for of_session, last in ((self._expected, now), (self._asked, now - TALKING), (self._hurried, now - TALKING)):
            for session_id in [session_id for session_id, at in of_session.items() if at <= last]:
                del of_session[session_id]
        hurried = sum(session_id not in self._asked for session_id in self._hurried)
        return len(self._expected) + len(self._asked) + hurried, len(self._asked)
