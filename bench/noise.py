"""What is written of sound in which nobody speaks, and what guarding against that costs where somebody does.

::

    python -m bench.noise [DATA] --json out.json

Noises, tones and music are made up (``bench.sounds``). With DATA, a folder with ``manifest.jsonl``, also voices that talk over
each other, the noise alone of recordings to which it was added, and the word error rate of speech. No text is printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import sounds
from bench.accuracy import Heard, live
from bench.audio import Item, manifest
from bench.scoring import Errors, Rate, errors, rate
from starling import Recognizer
from starling.core.audio import Samples, seconds
from starling.core.config import SessionConfig
from starling.session.options import SegmentationOptions

LEVELS = (-18.0, -24.0, -35.0)
"""Loudness of what is made up, in dB of full scale."""

CROWD = (3, 5, 8)
"""How many talk at once."""


@dataclass(frozen=True, slots=True)
class Written:
    """Of one kind of sound: its minutes, and how many finals with text, words in them, and partials with text."""

    minutes: float
    texts: int
    words: int
    partials: int

    def __add__(self, other: Written) -> Written:
        return Written(
            self.minutes + other.minutes, self.texts + other.texts, self.words + other.words, self.partials + other.partials
        )

    @property
    def per_minute(self) -> float:
        """Words of finals per minute."""
        return self.words / self.minutes


def stimuli(data: Path | None, *, length: float, seed: int) -> Iterator[tuple[str, Samples]]:
    """Kinds of sound without a word, and examples of each of about ``length`` seconds."""
    for name in sounds.MADE:
        for number, level in enumerate(LEVELS):
            yield name, sounds.made(name, seconds=length, seed=seed + number, level=level)
    if data is None:
        return
    items = manifest(data)
    voices = [item.samples() for item in items if item.lang == "en" and item.condition == "clean"][:60]
    for at_once in CROWD:
        yield f"crowd of {at_once}", sounds.babble(voices, seconds=3 * length, seed=seed, at_once=at_once, level=-25.0)
    yield from ((f"recorded {kind}", residue) for kind, residue in _recorded(items))


def _recorded(items: Sequence[Item]) -> Iterator[tuple[str, Samples]]:
    """Of NOIZEUS: its noisy recordings less the clean ones; the kind is in the name, as in ``sp01_train_sn5``."""
    clean = {item.id: item for item in items if item.set == "noizeus_clean"}
    for item in items:
        speech, _, kind = item.id.rpartition("_")[0].partition("_")
        if item.set == "noizeus_noisy" and speech in clean:
            yield from ((kind, residue) for residue in sounds.residues([(item.samples(), clean[speech].samples())]))


def counted(heard: Heard, duration: float) -> Written:
    """What was written of ``duration`` seconds."""
    texts = [final.text for final in heard.finals if final.text]
    partials = sum(bool(partial.text) for revisions in heard.revisions for partial in revisions[:-1])
    return Written(duration / 60, len(texts), sum(len(text.split()) for text in texts), partials)


def nonspeech(recognizer: Recognizer, arguments: argparse.Namespace) -> dict[str, Written]:
    """By kind of sound."""
    found: dict[str, Written] = {}
    for kind, audio in stimuli(arguments.data, length=arguments.length, seed=arguments.seed):
        written = counted(live(recognizer, audio, SessionConfig()), seconds(len(audio)))
        found[kind] = found[kind] + written if kind in found else written
    return found


def speech(recognizer: Recognizer, items: Sequence[Item]) -> tuple[Rate, int]:
    """The word error rate, and how many recordings got no text at all."""
    wrong: list[Errors] = []
    silent = 0
    for item in items:
        text = " ".join(final.text for final in recognizer.transcribe(item.samples()))
        silent += not text.strip()
        wrong += filter(None, [errors(item.text, text, item.lang)])
    return rate(wrong), silent


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="folder with manifest.jsonl")
    parser.add_argument("--length", type=float, default=20.0, help="seconds of each made-up example")
    parser.add_argument("--seed", type=int, default=100, help="the guard's thresholds were found with seeds below 20")
    parser.add_argument("--every", type=int, default=3, metavar="N", help="take every Nth recording of speech only")
    parser.add_argument("--json", type=Path, help="write the results here; they hold no texts")
    arguments = parser.parse_args()
    items = [item for item in manifest(arguments.data) if item.lang == "en"][:: arguments.every] if arguments.data else []
    results: dict[str, object] = {}
    for guard in (False, True):
        with Recognizer(segmentation=SegmentationOptions(nonspeech_guard=guard)) as recognizer:
            found = nonspeech(recognizer, arguments)
            print(f"\n{'with' if guard else 'without'} the guard: words of finals per minute, finals, partials with text")
            for kind, written in found.items():
                if written.texts or written.partials:
                    print(f"  {kind:22} {written.per_minute:6.1f} {written.texts:5} {written.partials:5}")
            total = sum(found.values(), Written(0, 0, 0, 0))
            print(f"  {'all':22} {total.per_minute:6.1f} {total.texts:5} {total.partials:5}  of {total.minutes:.0f} minutes")
            result: dict[str, object] = {"kinds": {kind: asdict(written) for kind, written in found.items()}}
            if items:
                wer, silent = speech(recognizer, items)
                print(f"  speech: {wer.percent:.2f} % wrong, {silent} of {wer.utterances} recordings without text")
                result |= {"speech": asdict(wer), "speech_without_text": silent}
            results["guarded" if guard else "unguarded"] = result
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
