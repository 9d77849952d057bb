from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from client.scripted_server import result
from starling.client.inbox import Inbox
from starling.protocols.native.messages import Error, ServerMessage, SpeechEnded, SpeechStarted


def session(segments: list[int]) -> list[ServerMessage]:
    """What a server says of segments with so many partials each."""
    said: list[ServerMessage] = []
    for number, partials in enumerate(segments):
        said.append(SpeechStarted(sequence=0, at=0.0, segment_id=number))
        said += [result("text", segment_id=number, version=version) for version in range(partials)]
        said.append(SpeechEnded(sequence=0, at=0.0, segment_id=number, noticed=0.0))
        said.append(Error(sequence=0, code="engine_failed", message="broken", retryable=True, segment_id=number))
        said.append(result("text", segment_id=number, version=partials, final=True))
    return said


@given(st.lists(st.integers(0, 3), max_size=5), st.data())
def test_however_often_it_begins_again_everything_comes_once(segments: list[int], data: st.DataObject) -> None:
    said = session(segments)
    inbox = Inbox()
    heard: list[ServerMessage] = []
    at = 0
    for _ in range(data.draw(st.integers(0, 4))):
        upto = data.draw(st.integers(at, len(said)))
        heard += [message for message in said[at:upto] if inbox.is_new(message)]
        finals = [place for place in range(upto) if getattr(said[place], "is_final", False)]
        at = finals[-1] + 1 if finals else 0  # a server repeats what follows the last final that came
    heard += [message for message in said[at:] if inbox.is_new(message)]
    assert heard == said


def test_what_names_no_segment_is_always_new() -> None:
    inbox = Inbox()
    message = SpeechStarted(sequence=0, at=1.0)
    assert inbox.is_new(message)
    assert inbox.is_new(message)
