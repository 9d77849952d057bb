"""Which of a server's messages say something new: one that a client comes back to repeats some. Pure."""

from __future__ import annotations

from starling.protocols.native.messages import Error, Result, ServerMessage, SpeechEnded, SpeechStarted


class Inbox:
    """``last_final``: segment of the last final that came. Finals come in order, so only what follows it needs remembering."""

    def __init__(self) -> None:
        self.last_final: int | None = None
        self._seen: set[tuple[type[ServerMessage], int]] = set()
        self._newest: tuple[int, int] = (-1, -1)  # segment and version of the last result

    def is_new(self, message: ServerMessage) -> bool:
        """Whether ``message`` says something new; it is remembered."""
        if isinstance(message, Result):
            return self._is_new_result(message)
        if isinstance(message, SpeechStarted | SpeechEnded | Error) and isinstance(message.segment_id, int):
            key = (type(message), message.segment_id)
            if self._is_settled(message.segment_id) or key in self._seen:
                return False
            self._seen.add(key)
        return True

    def _is_new_result(self, result: Result) -> bool:
        if self._is_settled(result.segment_id):
            return False
        if not result.is_final and (result.segment_id, result.version) <= self._newest:
            return False
        self._newest = (result.segment_id, result.version)
        if result.is_final:
            self.last_final = result.segment_id
            self._seen = {(kind, segment_id) for kind, segment_id in self._seen if segment_id > result.segment_id}
        return True

    def _is_settled(self, segment_id: int) -> bool:
        return self.last_final is not None and segment_id <= self.last_final
