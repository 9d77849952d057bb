"""Which rule for captions: what the engine read is recorded once, then every rule is tried on it.

::

    python -m bench.stability DATA

A word counts as shown, or as stable, once however long it stood there, whatever its case and punctuation. It has changed if it
gave way to another at any time, the final included, even if it came back (``bench.scoring.churn``).
"""

from __future__ import annotations

import argparse
import statistics
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from bench.accuracy import live
from bench.audio import manifest, recordings
from bench.scoring import Churn, churn
from starling import Recognizer
from starling.core.audio import Samples, samples, seconds
from starling.core.config import SessionConfig
from starling.core.transcript import Word
from starling.session import segment
from starling.session.stability import LIKELY, SETTLED, SURE, StablePrefix, bare


@dataclass(frozen=True, slots=True)
class Reading:
    """What StablePrefix was told once."""

    words: tuple[Word, ...]
    heard: int
    firm: int


@dataclass(slots=True)
class Utterance:
    """All readings of a segment, and the words of its final, folded."""

    readings: list[Reading] = field(default_factory=list)
    final: tuple[str, ...] = ()


def record(recognizer: Recognizer, audio: Samples) -> Iterator[Utterance]:
    """Recognise ``audio`` bit by bit: the segments that had partials."""
    utterances: list[Utterance] = []

    class Recorder(StablePrefix):
        """Remembers what it is told."""

        def __init__(self) -> None:
            super().__init__()
            self.utterance = Utterance()
            utterances.append(self.utterance)

        def update(self, words: Sequence[Word], *, heard: int, firm: int) -> tuple[Sequence[Word], int]:
            self.utterance.readings.append(Reading(tuple(words), heard, firm))
            return super().update(words, heard=heard, firm=firm)

    with patch.object(segment, "StablePrefix", Recorder):
        finals = live(recognizer, audio, SessionConfig()).finals
    for utterance, final in zip(utterances, finals, strict=True):
        utterance.final = tuple(bare(word) for word in final.text.split())
        if utterance.readings:
            yield utterance


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of all utterances under a rule. ``lags``: seconds heard after each stable word's end until it was stable.

    ``early``: how many words were stable before their final, of ``said`` in all.
    """

    stable: Churn
    shown: Churn
    early: int
    said: int
    lags: tuple[float, ...]

    def __str__(self) -> str:
        lag = f"{statistics.median(self.lags):.2f} / {statistics.fmean(self.lags):.2f}" if self.lags else "-"
        return (
            f"{self.stable.percent:6.2f} % of {self.stable.shown:5}  {self.early / self.said:10.0%}  {lag:>13}  "
            f"{self.shown.percent:6.1f} % of {self.shown.shown:5}"
        )


def judge(utterances: Iterable[Utterance], *, sure: float, settled: int, likely: float) -> Verdict:
    """Try a rule."""
    stable, shown = Churn(0, 0), Churn(0, 0)
    early = said = 0
    lags: list[float] = []
    for utterance in utterances:
        prefix = StablePrefix(sure=sure, settled=settled, likely=likely)
        texts, counts = [], [0]
        for reading in utterance.readings:
            words, count = prefix.update(reading.words, heard=reading.heard, firm=reading.firm)
            lags += (seconds(reading.heard - word.end) for word in words[counts[-1] : count])
            texts.append([bare(word.text) for word in words])
            counts.append(count)
        revisions = [*texts, list(utterance.final)]
        stable += churn(revisions, [*counts[1:], 0])
        shown += churn(revisions, [*map(len, texts), 0])
        early += counts[-1]
        said += len(utterance.final)
    return Verdict(stable, shown, early, said, tuple(lags))


def collected(data: Path, every: int) -> Iterator[tuple[str, Samples]]:
    """Names and samples: the wheel's recordings, and each ``every``-th English one of a data folder."""
    yield from ((f"wheel{number}", audio) for number, audio in enumerate(recordings(None)))
    yield from ((item.id, item.samples()) for item in [item for item in manifest(data) if item.lang == "en"][::every])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with manifest.jsonl")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth recording only")
    parser.add_argument("--sure", type=float, nargs="+", default=[SURE], help="confidence of stable words")
    parser.add_argument("--settled", type=float, nargs="+", default=[seconds(SETTLED)], help="seconds for which they had it")
    parser.add_argument("--likely", type=float, nargs="+", default=[LIKELY], help="confidence of the last words shown")
    arguments = parser.parse_args()
    halves: dict[str, list[Utterance]] = {"to choose by": [], "held out": []}
    with Recognizer() as recognizer:
        for name, audio in collected(arguments.data, arguments.every):
            half = list(halves.values())[zlib.crc32(name.encode()) % 2]
            half += record(recognizer, audio)
    print("sure  settled  likely  recordings      stable words changed  stable early  lag (med/avg)  shown words changed")
    for sure in arguments.sure:
        for settled in arguments.settled:
            for likely in arguments.likely:
                for name, utterances in halves.items():
                    verdict = judge(utterances, sure=sure, settled=samples(settled), likely=likely)
                    print(f"{sure:4g}  {settled:5g} s  {likely:6g}  {name:12}  {verdict}")
    print({name: len(utterances) for name, utterances in halves.items()}, "segments")


if __name__ == "__main__":
    main()
