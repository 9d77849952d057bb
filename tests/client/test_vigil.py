from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.client.vigil import ASK_EVERY, LOOK_EVERY, PATIENCE, QUIET_EVERY, Vigil, byte_rate
from starling.core.audio import AudioFormat, Encoding

RATE = 32_000.0
CHUNK = 0.1
"""Seconds of audio sent at once."""


def first_verdict(
    vigil: Vigil, *, seconds: float, burst: float = 0.0, speaks: bool = True, answers: Callable[[float, float], bool]
) -> float | None:
    """When ``vigil`` gives up a server that is sent audio, if it does within ``seconds``.

    ``burst``: seconds of audio that are sent at once at first; then more comes in real time, if somebody ``speaks``.
    ``answers``: whether a question asked at one time is answered by another.
    """
    vigil.sent(round(burst * RATE))
    asked: float | None = None
    for step in range(round(seconds / CHUNK)):
        now = step * CHUNK
        if speaks:
            vigil.sent(round(CHUNK * RATE))
        if asked is not None and answers(asked, now):
            vigil.answered()
            asked = None
        if step % round(LOOK_EVERY / CHUNK) == 0:
            if vigil.ask(now):
                asked = now
            if vigil.is_over(now):
                return now
    return None


@given(gone=st.floats(0, 30))
def test_silence_is_noticed_within_ten_seconds_while_somebody_speaks(gone: float) -> None:
    noticed = first_verdict(Vigil(RATE, 0.0), seconds=60, answers=lambda asked, now: asked < gone and now > asked)
    assert noticed is not None
    assert noticed - gone + ASK_EVERY + LOOK_EVERY >= PATIENCE
    assert noticed - gone <= 10


@given(delay=st.floats(0, PATIENCE - LOOK_EVERY))
def test_a_slow_answer_is_an_answer(delay: float) -> None:
    assert first_verdict(Vigil(RATE, 0.0), seconds=120, answers=lambda asked, now: now >= asked + delay) is None


@given(burst=st.floats(1, 300))
def test_a_server_that_works_on_a_recording_in_real_time_is_left_to_it(burst: float) -> None:
    """It takes the question only after all the audio before it."""
    assert first_verdict(Vigil(RATE, 0.0), seconds=400, burst=burst, speaks=False, answers=lambda _, now: now >= burst) is None


@given(gone=st.floats(0, 30))
def test_silence_is_noticed_within_twenty_seconds_while_nothing_is_sent(gone: float) -> None:
    def answers(asked: float, now: float) -> bool:
        return asked < gone and now > asked

    noticed = first_verdict(Vigil(RATE, 0.0), seconds=60, speaks=False, answers=answers)
    assert noticed is not None
    assert noticed - gone <= QUIET_EVERY + PATIENCE + 2 * LOOK_EVERY + CHUNK


def test_who_sends_nothing_asks_seldom() -> None:
    vigil, asked = Vigil(RATE, 0.0), []
    for now in range(60):
        if vigil.ask(float(now)):
            asked.append(now)
            vigil.answered()
    assert asked == [8, 18, 28, 38, 48, 58]


def test_who_slept_does_not_blame_the_server() -> None:
    vigil = Vigil(RATE, 0.0)
    vigil.sent(3200)
    assert vigil.ask(0.5)
    assert not vigil.is_over(0.5)
    assert not vigil.is_over(3600.0)
    vigil.answered()
    assert not vigil.is_over(3600.5)


def test_whatever_comes_is_a_sign_of_life() -> None:
    vigil = Vigil(RATE, 0.0)
    vigil.sent(3200)
    assert vigil.ask(0.0)
    for step in range(100):
        vigil.heard()
        assert not vigil.is_over(step * LOOK_EVERY)


@pytest.mark.parametrize(
    ("audio", "expected"),
    [(AudioFormat(), 32_000), (AudioFormat(Encoding.MULAW, 8000), 8000), (AudioFormat(Encoding.PCM_F32LE, 48_000, 2), 384_000)],
)
def test_bytes_of_a_second(audio: AudioFormat, expected: float) -> None:
    assert byte_rate(audio) == expected


@pytest.mark.parametrize("encoding", Encoding)
def test_every_encoding_has_a_rate(encoding: Encoding) -> None:
    assert byte_rate(AudioFormat(encoding)) > 0
