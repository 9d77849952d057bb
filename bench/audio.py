"""What is streamed: recorded speech, laid out in a stated profile."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from starling import Recognizer
from starling.audio import read_recording
from starling.client.pacing import CHUNK
from starling.core.audio import SAMPLE_RATE, Samples, samples
from starling.engine.scripted import ScriptedEngine

WHEEL = ("two_cities", "beckett", "endgame_nagg_nell")
"""Speech among the recordings of the moonshine-voice wheel: 82 s, three voices."""

PAUSE = 0.3
"""Seconds between two recordings of the ``read`` profile."""

HISS = 5.0
"""Standard deviation of the noise that stands for silence, in int16 steps: a quiet room (-76 dB of full scale)."""

LONGEST = 600.0
"""Seconds after which a pool has enough."""


class Profile(StrEnum):
    """How speech and silence alternate.

    ``READ``: recordings as they are, with their natural pauses. ``HALF``: each utterance followed by silence of its length.
    ``NONSTOP``: utterances without a pause between them.
    """

    READ = "read"
    HALF = "half"
    NONSTOP = "nonstop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of ``manifest.jsonl`` (see README.md in this folder)."""

    id: str
    set: str
    path: Path
    text: str
    lang: str
    condition: str
    trust: str
    snr_db: float | None

    def samples(self) -> Samples:
        """Its audio."""
        return read(self.path)


def manifest(data: Path) -> list[Item]:
    """The items of a data folder, those of low trust left out. Raises OSError, ValueError or KeyError for a broken manifest."""
    return [
        Item(
            id=line["id"],
            set=line["set"],
            path=data / line["path"],
            text=line["text"],
            lang=line["lang"],
            condition=line.get("condition", "unknown"),
            trust=line.get("trust", "medium"),
            snr_db=line.get("snr_db"),
        )
        for line in map(json.loads, (data / "manifest.jsonl").read_text(encoding="utf-8").splitlines())
        if line.get("trust") != "low"
    ]


def read(path: Path) -> Samples:
    """A whole recording: int16 ``[n]``, 16 kHz mono."""
    return np.concatenate(list(read_recording(path)))


def recordings(data: Path | None) -> Iterator[Samples]:
    """Read speech: the wheel's, or the clean English recordings of a data folder in an order drawn once and for all."""
    if data is None:
        spec = importlib.util.find_spec("moonshine_voice")
        assert spec is not None, "the moonshine-voice wheel is a dependency of Starling"
        assert spec.origin is not None
        yield from (read(Path(spec.origin).parent / "assets" / f"{name}.wav") for name in WHEEL)
        return
    items = [item for item in manifest(data) if item.lang == "en" and item.condition in {"clean", "accented"}]
    for index in np.random.default_rng(7).permutation(len(items)):
        yield items[index].samples()


def pool(profile: Profile, speech: Iterable[Samples]) -> Samples:
    """``speech`` laid out in ``profile``: whole chunks, at most ``LONGEST`` seconds. Sessions go round in it."""
    noise = np.random.default_rng(7)

    def silence(length: int) -> Samples:
        return noise.normal(0, HISS, length).astype(np.int16)

    pieces: list[Samples] = []
    left = samples(LONGEST)
    for recording in speech:
        match profile:
            case Profile.READ:
                pieces += [recording, silence(samples(PAUSE))]
            case Profile.HALF:
                pieces += [piece for utterance in utterances(recording) for piece in (utterance, silence(len(utterance)))]
            case Profile.NONSTOP:
                pieces += utterances(recording)
        if sum(map(len, pieces)) >= left:
            break
    joined = np.concatenate(pieces)[:left]
    return joined[: len(joined) // CHUNK * CHUNK]


def utterances(recording: Samples) -> list[Samples]:
    """The stretches of speech in ``recording``, as the default endpointing cuts them; no model for words is needed for that."""
    with Recognizer(engine=ScriptedEngine()) as recognizer:
        return [recording[final.start : final.end] for final in recognizer.transcribe(recording)]


def place(length: int, session: int) -> int:
    """The chunk of a pool of ``length`` samples at which session number ``session`` begins, drawn once and for all."""
    return int(np.random.default_rng([7, session]).integers(length // CHUNK))


def turned(audio: Samples, session: int, *, seconds: float) -> Samples:
    """What session number ``session`` sends of a pool: whole chunks, round and round."""
    rolled = np.roll(audio, -place(len(audio), session) * CHUNK)
    return np.resize(rolled, int(seconds * SAMPLE_RATE) // CHUNK * CHUNK)
