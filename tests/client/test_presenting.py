"""What a reader sees of a session, in each of the three ways."""

from __future__ import annotations

import json

from client.scripted_server import DONE, READY, result
from starling.client.presenting import FinalLines, JsonLines, LiveCaptions, Presenter
from starling.client.terminal import LiveText, Size
from starling.protocols.native.messages import Error, ServerMessage, decode_server

FAILED = Error(sequence=3, code="engine_failed", message="the decode raised", retryable=True, segment_id=1)
MESSAGES: list[ServerMessage] = [
    READY,
    result("it was", version=0),
    result("It was the best.", version=1, final=True),
    FAILED,
    result("", segment_id=1, final=True),
    result("it was the worst", segment_id=2),
    DONE,
]


def play(presenter: Presenter) -> None:
    for message in MESSAGES:
        presenter.show(message)
    presenter.close()


def test_a_pipe_gets_finals_only() -> None:
    out: list[str] = []
    complaints: list[str] = []
    play(FinalLines(out.append, complaints.append))
    assert out == ["It was the best.\n"]
    assert complaints == ["segment 1 has no text: the decode raised (engine_failed)"]


def test_a_pipe_gets_no_control_sequence_of_the_server() -> None:
    out: list[str] = []
    FinalLines(out.append, out.append).show(result("hi\x1b]0;title\x07 \x9b31mthere", final=True))
    assert out == ["hi ]0;title 31mthere\n"]


def test_json_lines_are_the_messages_themselves() -> None:
    out: list[str] = []
    play(JsonLines(out.append))
    assert [decode_server(line) for line in out] == MESSAGES
    assert all(line.endswith("\n") and json.loads(line)["type"] for line in out)


def test_a_terminal_gets_both_and_a_complaint_has_a_line_of_its_own() -> None:
    out: list[str] = []
    play(LiveCaptions(LiveText(out.append, lambda: Size(80, 24)), lambda said: out.append(f"!{said}\n")))
    assert "".join(out) == (
        "\r\x1b[2mit was\x1b[0m\x1b[J"
        "\rIt was the best.\x1b[K\n\x1b[J"
        "\r\x1b[J!segment 1 has no text: the decode raised (engine_failed)\n\r\x1b[J"
        "\r\x1b[J"
        "\r\x1b[2mit was the worst\x1b[0m\x1b[J"
        "\n"
    )
