"""What the limit on segments costs: people who speak on and on, cut by Starling, against the same audio cut at its sentence ends.

::

    python -m bench.long_speech DATA --limits 12-20 8-15 --json out.json

The recordings of each speaker are joined, and what the data has as one long recording with known sentences is taken as it is:
``natural`` with the pauses of the recordings, ``tight`` with every pause squeezed to a moment, so that only the limit can cut.
Texts are compared, never printed or written.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.audio import read
from bench.scoring import Errors, Rate, errors, rate
from starling import Recognizer
from starling.core.audio import FRAME, SAMPLE_RATE, Samples, samples, seconds
from starling.core.config import SessionConfig, VadMode
from starling.core.transcript import SessionEvent, Transcript
from starling.session.options import SegmentationOptions
from starling.vad.detector import Detector

SQUEEZED = 4
"""Frames (128 ms) that are left of a pause."""

PAUSE = 0.35
"""Speech probability below which a frame belongs to a pause."""

AT_LEAST = 40.0
"""Seconds of speech of one person that are worth joining."""

LONGEST = 28.0
"""Seconds of a sentence that is cut by hand: as many as the model takes, so that nothing else cuts it."""

PATIENT = SessionConfig(partials=False, endpoint_silence=2.0)
"""For ``tight``: squeezed pauses end nothing anyway, and neither must what the detector misses."""


@dataclass(frozen=True, slots=True)
class Speech:
    """A person who speaks on and on: the audio of each sentence, and all that is said."""

    name: str
    sentences: tuple[Samples, ...]
    text: str

    @property
    def audio(self) -> Samples:
        """The sentences one after the other."""
        return np.concatenate(self.sentences)

    def tight(self, detector: Detector) -> Speech:
        """The same without pauses."""
        return Speech(self.name, tuple(squeezed(sentence, detector) for sentence in self.sentences), self.text)


def squeezed(audio: Samples, detector: Detector) -> Samples:
    """``audio`` with its pauses, at its ends too, no longer than ``SQUEEZED``; half of it is taken from either side."""
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames):
        return audio
    [scores] = detector.score([(detector.create_stream(VadMode.SILERO), frames)])
    voiced = np.flatnonzero(scores >= PAUSE)
    if not len(voiced):
        return audio
    away = np.abs(np.arange(len(frames))[:, None] - voiced).min(axis=1)  # frames to the nearest voiced one
    kept: Samples = frames[away <= SQUEEZED // 2].reshape(-1)
    return kept


def speeches(data: Path) -> Iterator[Speech]:
    """Of a data folder: its English speakers of clean read speech, and its long recordings with known sentences."""
    rows = [json.loads(line) for line in (data / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    by_speaker: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row["lang"] != "en" or row.get("condition") != "clean" or row.get("trust") == "low":
            continue
        if row.get("segments"):
            audio = read(data / row["path"])
            edges = [samples(segment["start"]) for segment in row["segments"]][1:]
            yield Speech(row["id"], tuple(np.split(audio, edges)), row["text"])
        elif row["set"].startswith("librispeech") and row.get("speaker"):
            by_speaker[row["speaker"]].append(row)
    for speaker, lines in sorted(by_speaker.items()):
        if sum(float(line["duration_s"]) for line in lines) >= AT_LEAST:
            sentences = tuple(read(data / line["path"]) for line in lines)
            yield Speech(f"speaker {speaker}", sentences, " ".join(line["text"] for line in lines))


def told(recognizer: Recognizer, pieces: Sequence[Samples], config: SessionConfig) -> list[Transcript]:
    """The finals of one session, ended by hand after each of ``pieces``."""
    stream = recognizer.create_stream(config)
    events: list[SessionEvent] = []
    for piece in pieces:
        for start in range(0, len(piece), SAMPLE_RATE):
            events += stream.accept_waveform(piece[start : start + SAMPLE_RATE])
        events += stream.finalize()
    events += stream.input_finished()
    return [event for event in events if isinstance(event, Transcript) and event.is_final]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one way to cut: the error rate, seconds of CPU per second of audio, and how many segments there were."""

    wer: Rate
    cost: float
    segments: int


def outcome(recognizer: Recognizer, speech: Sequence[Speech], config: SessionConfig, *, by_hand: bool) -> Outcome:
    """All of ``speech``, cut by hand at sentence ends or by the recognizer."""
    wrong: list[Errors] = []
    finals, heard, began = 0, 0, time.process_time()
    for one in speech:
        said = told(recognizer, one.sentences if by_hand else [one.audio], config)
        finals += len(said)
        heard += len(one.audio)
        wrong += filter(None, [errors(one.text, " ".join(final.text for final in said), "en")])
    return Outcome(rate(wrong), (time.process_time() - began) / seconds(heard), finals)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with manifest.jsonl")
    default = SegmentationOptions()
    shipped = f"{default.min_segment:g}-{default.max_segment:g}"
    parser.add_argument("--limits", nargs="+", default=[shipped], metavar="MIN-MAX", help=f"seconds; default: {shipped}")
    parser.add_argument("--json", type=Path, help="write the results here; they hold no texts")
    arguments = parser.parse_args()
    natural = list(speeches(arguments.data))
    detector = Detector()
    layouts = {"natural": (natural, SessionConfig(partials=False)), "tight": ([one.tight(detector) for one in natural], PATIENT)}
    results: dict[str, dict[str, object]] = {}
    for layout, (speech, config) in layouts.items():
        minutes = sum(seconds(len(one.audio)) for one in speech) / 60
        print(f"\n{layout}: {len(speech)} speakers, {minutes:.1f} minutes")
        results[layout] = {}
        for limits in ("by hand", *arguments.limits):
            if limits == "by hand":
                options = SegmentationOptions(max_segment=LONGEST, min_segment=LONGEST - 1)
            else:
                low, high = map(float, limits.split("-"))
                options = SegmentationOptions(max_segment=high, min_segment=low)
            with Recognizer(segmentation=options) as recognizer:
                found = outcome(recognizer, speech, config, by_hand=limits == "by hand")
            print(
                f"  {limits:8} {found.wer.percent:6.2f} % [{found.wer.low:.1f}-{found.wer.high:.1f}]  "
                f"{found.cost:.4f} CPU seconds per second, {found.segments} segments"
            )
            results[layout][limits] = asdict(found)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
