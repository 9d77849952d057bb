"""What stands on the screen: settled lines, and below them one provisional line for each segment still being spoken.

Pure: results go in, lines come out. Delivery may repeat or reorder results; ``(segment_id, version)`` decides what is news.
"""

from __future__ import annotations

from dataclasses import dataclass

from starling.protocols.native.messages import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The words of one segment. ``text[:stable]`` is not expected to change; of a settled line that is all of it."""

    segment_id: int
    version: int
    text: str
    stable: int
    settled: bool


class Captions:
    """The screen's model: feed it every result in the order of arrival."""

    def __init__(self) -> None:
        self._open: dict[int, Line] = {}
        self._closed_below = 0
        self._closed_above: set[int] = set()

    @property
    def provisional(self) -> tuple[Line, ...]:
        """The lines still in motion, in the order of their segments. Segments without text yet have none."""
        return tuple(self._open[segment_id] for segment_id in sorted(self._open) if self._open[segment_id].text)

    def update(self, result: Result) -> Line | None:
        """Take in ``result``; return its line if that is settled now.

        Returns None for a partial, for what is no news (an older version, a segment already settled) and for a final without
        words, which only closes its segment.
        """
        if self._is_closed(result.segment_id):
            return None
        line = _line(result)
        if line.settled:
            self._close(result.segment_id)
            return line if line.text else None
        shown = self._open.get(result.segment_id)
        if shown is None or shown.version < line.version:
            self._open[result.segment_id] = line
        return None

    def _is_closed(self, segment_id: int) -> bool:
        return segment_id < self._closed_below or segment_id in self._closed_above

    def _close(self, segment_id: int) -> None:
        self._open.pop(segment_id, None)
        self._closed_above.add(segment_id)
        while self._closed_below in self._closed_above:  # segments are numbered without holes: what is remembered stays small
            self._closed_above.remove(self._closed_below)
            self._closed_below += 1


def _line(result: Result) -> Line:
    text = result.text.strip()
    agreed = text.startswith(result.stable_text)
    stable = len(text) if result.is_final else len(result.stable_text) if agreed else 0
    return Line(segment_id=result.segment_id, version=result.version, text=text, stable=stable, settled=result.is_final)
