"""Forms as they come: the same however they are cut, and bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.errors import FrameTooLarge, InvalidMessage
from starling.gateway.recordings.filenames import attachment, shown, with_suffix
from starling.gateway.recordings.multipart import MAX_PARTS, Event, Multipart, PartBegan, PartData, PartEnded, boundary_of
from starling.gateway.recordings.pace import Pace

KIND = "multipart/form-data; boundary=xyz"


def part(name: str, value: bytes, extra: str = "") -> bytes:
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + value + b"\r\n"


def read(pieces: list[bytes]) -> list[Event]:
    """Neighbouring data as one."""
    form, found = Multipart(KIND), list[Event]()
    for piece in pieces:
        for event in form.feed(piece):
            if isinstance(event, PartData) and found and isinstance(found[-1], PartData):
                found[-1] = PartData(found[-1].data + event.data)
            else:
                found.append(event)
    form.close()
    return found


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=40))
def test_cutting_a_form_elsewhere_changes_nothing(sound: bytes, cuts: list[int]) -> None:
    whole = part("language", b"en") + part("audio", sound, '; filename="a \\"b\\".wav"') + b"--xyz--\r\n"
    pieces, rest = [], whole
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    found = read([piece for piece in [*pieces, rest] if piece])
    assert found == read([whole])
    assert b"".join(event.data for event in found if isinstance(event, PartData)) == b"en" + sound
    assert [event.name for event in found if isinstance(event, PartBegan)] == ["language", "audio"]
    assert sum(isinstance(event, PartEnded) for event in found) == 2


@given(st.binary(max_size=400))
def test_what_is_no_form_is_an_error_and_nothing_else(noise: bytes) -> None:
    for body in (noise, b"--xyz\r\n" + noise):
        form = Multipart(KIND)
        try:
            form.feed(body)
            form.close()
        except (InvalidMessage, FrameTooLarge):
            pass


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--xyz\r\n",
        part("audio", b"x"),
        b'--xyz\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--xyz--',
        b"--xyz\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xyz--",
        b"--xyz\r\n\r\nx\r\n--xyz--",
        part("a", b"x", "\r\nContent-Type: multipart/mixed; boundary=abc") + b"--xyz--",
        part("a", b"eA==", "\r\nContent-Transfer-Encoding: base64") + b"--xyz--",
        part("a", b"x", "\r\n" + "\r\n".join(f"X-{n}: y" for n in range(20))) + b"--xyz--",
        part("a", b"x", "\r\nX-Long: " + "y" * 5000) + b"--xyz--",
        part("a" * 5000, b"x") + b"--xyz--",
    ],
)
def test_forms_that_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read([body])


def test_thousands_of_parts_are_refused() -> None:
    form = Multipart(KIND)
    form.feed(part("a", b"") * MAX_PARTS)
    with pytest.raises(FrameTooLarge, match="parts"):
        form.feed(part("a", b""))


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
        "",
        "multipart/form-data; boundary=" + "x" * 71,
    ],
)
def test_a_form_says_its_boundary(kind: str) -> None:
    with pytest.raises(InvalidMessage, match="boundary"):
        boundary_of(kind)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("call.mp3", "call.mp3"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\call.mp3", "call.mp3"),
        ("a\r\nX-Injected: 1.mp3", "aX-Injected: 1.mp3"),
        ('a".mp3', 'a".mp3'),
        ("\u202e3pm.exe", "3pm.exe"),
        ("..", "recording"),
        ("", "recording"),
        ("  a \t b  ", "a b"),
        ("\u00e9t\u00e9 \u4f1a\u8b70.wav", "\u00e9t\u00e9 \u4f1a\u8b70.wav"),
        ("x" * 999, "x" * 200),
    ],
)
def test_names_are_for_people(given_name: str, name: str) -> None:
    assert shown(given_name) == name


@given(st.text(max_size=60))
def test_a_header_is_one_header_whatever_a_recording_is_called(name: str) -> None:
    header = attachment(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert attachment(with_suffix(name, "srt")).isprintable()


def test_suffixes() -> None:
    assert with_suffix("call.mp3", "srt") == "call.srt"
    assert with_suffix("call", "srt") == "call.srt"
    assert with_suffix("a.b.c", "vtt") == "a.b.vtt"


def test_a_body_must_keep_coming_and_not_a_byte_at_a_time() -> None:
    pace = Pace(idle=30, rate=1000)
    assert pace.deadline(0, 0, 0) == 30
    assert pace.deadline(0, 20, 1000) == 31
    assert pace.deadline(0, 100, 1_000_000) == 130
