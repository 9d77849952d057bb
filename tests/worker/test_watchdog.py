from __future__ import annotations

from starling.worker.watchdog import Watchdog


def test_it_barks_after_speech_and_waiting_and_then_starts_anew() -> None:
    dog = Watchdog(patience=3.0)
    assert [dog.heard(0.5, now / 2) for now in range(14)] == [False] * 6 + [True] + [False] * 6 + [True]


def test_text_calms_it() -> None:
    dog = Watchdog(patience=3.0)
    for now in range(20):
        assert not dog.heard(1.0, float(now))
        if now % 3 == 2:
            dog.said()


def test_silence_is_no_speech() -> None:
    dog = Watchdog(patience=3.0)
    assert not any(dog.heard(0.0, float(now)) for now in range(100))


def test_a_recording_sent_at_once_is_not_late() -> None:
    dog = Watchdog(patience=3.0)
    assert not any(dog.heard(1.0, now / 100) for now in range(100))
