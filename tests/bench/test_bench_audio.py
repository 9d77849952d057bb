from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bench.audio import Profile, manifest, place, pool, turned, utterances
from bench.word_times import Spoken, lay_out, matched, trimmed

from recordings import recording
from starling.client.pacing import CHUNK
from starling.core.audio import SAMPLE_RATE


def test_utterances_are_the_speech_of_a_recording() -> None:
    audio = recording("beckett")
    found = utterances(audio)
    assert len(found) > 1
    assert 0.3 * len(audio) < sum(map(len, found)) < len(audio)


def test_half_of_the_half_profile_is_silent() -> None:
    laid_out = pool(Profile.HALF, [recording("beckett")])
    loud = np.abs(laid_out.astype(np.int32)).reshape(-1, CHUNK).max(axis=1) > 64
    assert len(laid_out) % CHUNK == 0
    assert 0.35 < loud.mean() < 0.6


def test_nonstop_is_denser_than_read() -> None:
    speech = [recording("beckett")]
    assert len(pool(Profile.NONSTOP, speech)) < len(pool(Profile.READ, speech))


def test_sessions_go_round_in_the_pool_from_their_own_places() -> None:
    audio = np.arange(50 * CHUNK, dtype=np.int32).astype(np.int16)
    begin = place(len(audio), 3) * CHUNK
    sent = turned(audio, 3, seconds=10.0)
    assert len(sent) == 10 * SAMPLE_RATE
    assert (sent[:CHUNK] == audio[begin : begin + CHUNK]).all()
    assert (sent[len(audio) : len(audio) + CHUNK] == sent[:CHUNK]).all()
    assert len({place(len(audio), session) for session in range(20)}) > 5


def test_a_manifest_is_read_without_what_is_not_trusted(tmp_path: Path) -> None:
    line = {"id": "1", "set": "s", "path": "a.wav", "text": "Hello.", "lang": "en"}
    lines = [line | {"condition": "noisy", "trust": "high", "snr_db": 5}, line | {"id": "2", "trust": "low"}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    [item] = manifest(tmp_path)
    assert (item.id, item.path, item.condition, item.snr_db) == ("1", tmp_path / "a.wav", "noisy", 5)


def test_words_are_laid_out_where_they_are_said_to_be() -> None:
    word = np.full(1600, 10_000, np.int16)
    padded = np.concatenate([np.zeros(800, np.int16), word, np.zeros(480, np.int16)])
    assert len(trimmed(padded)) == 1600
    audio, spoken = lay_out([("one", word), ("two", word)], np.random.default_rng(1))
    assert [one.text for one in spoken] == ["one", "two"]
    assert all((audio[one.start : one.end] == 10_000).all() for one in spoken)
    assert np.abs(audio[spoken[0].end : spoken[1].start]).max() < 100


def test_only_words_recognised_right_are_compared() -> None:
    spoken = [Spoken("one", 0, 1), Spoken("two", 2, 3), Spoken("three", 4, 5)]
    heard = [Spoken("one", 0, 1), Spoken("too", 2, 3), Spoken("three", 4, 6)]
    assert [there.text for _, there in matched(spoken, heard)] == ["one", "three"]
    assert list(matched(spoken, [])) == []


@pytest.mark.parametrize("profile", list(Profile))
def test_every_profile_has_audio(profile: Profile) -> None:
    assert len(pool(profile, [recording("beckett")])) > 2 * SAMPLE_RATE
