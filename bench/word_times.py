"""How right the times of words are: recorded single words, laid out at known places.

::

    python -m bench.word_times DATA --set fsdd_digits
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import jiwer
import numpy as np

from bench.audio import HISS, manifest
from bench.machine import as_text, describe
from bench.scoring import normalised
from starling import Recognizer
from starling.core.audio import SAMPLE_RATE, Samples, samples, seconds
from starling.core.config import SessionConfig

LOUD = 0.05
"""A word begins and ends where 10 ms of it first and last reach this share of its loudest 10 ms."""

PAUSES = (0.12, 0.4)
"""Seconds between two words, drawn evenly: as in speech, within one segment."""

SENTENCE = 6
"""Words laid out in a row."""

ROUNDS = 5
"""Times that every word is used, in another order each time."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word from ``start`` to ``end``, in samples."""

    text: str
    start: int
    end: int


def trimmed(audio: Samples) -> Samples:
    """``audio`` from its first loud 10 ms to its last."""
    step = SAMPLE_RATE // 100
    whole = audio[: len(audio) // step * step].reshape(-1, step).astype(np.float64)
    level = np.sqrt((whole**2).mean(axis=1))
    loud = np.flatnonzero(level >= LOUD * level.max())
    return audio[loud[0] * step : (loud[-1] + 1) * step]


def lay_out(words: Sequence[tuple[str, Samples]], draw: np.random.Generator) -> tuple[Samples, list[Spoken]]:
    """``words`` (text, trimmed audio) in a row with drawn pauses over a quiet room, and where each is."""
    position = SAMPLE_RATE // 2
    spoken = []
    for text, audio in words:
        spoken.append(Spoken(text, position, position + len(audio)))
        position += len(audio) + samples(draw.uniform(*PAUSES))
    canvas = draw.normal(0, HISS, position + SAMPLE_RATE).astype(np.int16)
    for word, (_, audio) in zip(spoken, words, strict=True):
        canvas[word.start : word.end] = audio
    return canvas, spoken


def matched(spoken: Sequence[Spoken], heard: Sequence[Spoken]) -> Iterator[tuple[Spoken, Spoken]]:
    """Pairs of a word and where it was heard, for those that were recognised right."""
    if not heard:
        return
    found = jiwer.process_words(" ".join(word.text for word in spoken), " ".join(word.text for word in heard))
    for chunk in found.alignments[0]:
        if chunk.type == "equal":
            yield from zip(
                spoken[chunk.ref_start_idx : chunk.ref_end_idx], heard[chunk.hyp_start_idx : chunk.hyp_end_idx], strict=True
            )


def measure(arguments: argparse.Namespace) -> None:
    """Recognise, print, write what was asked for."""
    machine = asyncio.run(describe())
    print(as_text(machine), end="\n\n")
    items = [item for item in manifest(arguments.data) if item.set == arguments.set]
    words = [(normalised(item.text, item.lang), trimmed(item.samples())) for item in items]
    single = [(text, audio) for text, audio in words if text and " " not in text]
    draw = np.random.default_rng(7)
    off: list[tuple[float, float]] = []
    total = 0
    with Recognizer() as recognizer:
        for _ in range(ROUNDS):
            order = draw.permutation(len(single))
            for start in range(0, len(order), SENTENCE):
                audio, spoken = lay_out([single[index] for index in order[start : start + SENTENCE]], draw)
                finals = recognizer.transcribe(audio, SessionConfig(words=True))
                heard = [
                    Spoken(text, word.start, word.end)
                    for final in finals
                    for word in final.words
                    if (text := normalised(word.text, "en")) and " " not in text
                ]
                total += len(spoken)
                off += [
                    (seconds(there.start - here.start), seconds(there.end - here.end)) for here, there in matched(spoken, heard)
                ]
    if not off:
        raise SystemExit(f"none of {total} words has a time: does the engine give word times?")
    result = {"words": total, "recognised": len(off)} | {
        edge: _errors([one[place] for one in off]) for place, edge in enumerate(("start", "end"))
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": asdict(machine), **result}, indent=1))


def _errors(off: Sequence[float]) -> dict[str, float]:
    """In milliseconds; ``bias`` is the median with its sign: later than the truth is positive."""
    size = np.abs(off) * 1000
    return {
        "bias_ms": round(float(np.median(off)) * 1000),
        "median_ms": round(float(np.median(size))),
        "p90_ms": round(float(np.percentile(size, 90))),
        "within_200_ms": round(float((size <= 200).mean()), 3),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with manifest.jsonl")
    parser.add_argument("--set", default="fsdd_digits", help="a set whose recordings are single words (default: fsdd_digits)")
    parser.add_argument("--json", type=Path, help="write the results here")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
