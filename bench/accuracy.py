"""How right and how steady: word error rate by set and condition, whole recordings and live; flicker; cost.

::

    python -m bench.accuracy DATA --json out.json

DATA is a folder with ``manifest.jsonl`` (see README.md here). Texts are compared, never printed or written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from bench.audio import Item, manifest
from bench.calibration import calibration_error, judged, reliability
from bench.machine import as_text, describe
from bench.scoring import Churn, Errors, Rate, churn, errors, folded, rate
from starling import Recognizer
from starling.client.pacing import CHUNK, rechunk
from starling.core.audio import Samples, seconds
from starling.core.config import SessionConfig
from starling.core.transcript import SessionEvent, Transcript

NOISY = 5.0
"""Signal-to-noise ratio in dB up to which a recording is left out of the headline figure: people do not understand it either."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one recording. ``revisions``: those of each segment, its final last. ``cpu``: seconds."""

    revisions: tuple[tuple[Transcript, ...], ...]
    cpu: float

    @property
    def finals(self) -> tuple[Transcript, ...]:
        """The last revision of each segment."""
        return tuple(revisions[-1] for revisions in self.revisions)

    @property
    def text(self) -> str:
        """What the finals say."""
        return " ".join(final.text for final in self.finals)


@dataclass(frozen=True, slots=True)
class Scored:
    """One recording both ways."""

    item: Item
    duration: float
    offline: Heard
    live: Heard
    offline_errors: Errors
    live_errors: Errors


def offline(recognizer: Recognizer, audio: Samples, config: SessionConfig) -> Heard:
    """The whole recording at once."""
    began = time.process_time()
    revisions = tuple((final,) for final in recognizer.transcribe(audio, config))
    return Heard(revisions, time.process_time() - began)


def live(recognizer: Recognizer, audio: Samples, config: SessionConfig) -> Heard:
    """In the chunks of a microphone, with partials."""
    began = time.process_time()
    stream = recognizer.create_stream(config)
    events: list[SessionEvent] = []
    for chunk in rechunk([audio], CHUNK):
        events += stream.accept_waveform(chunk)
    events += stream.input_finished()
    cpu = time.process_time() - began
    segments: defaultdict[int, list[Transcript]] = defaultdict(list)
    for event in events:
        if isinstance(event, Transcript):
            segments[event.segment_id].append(event)
    return Heard(tuple(map(tuple, segments.values())), cpu)


def score(items: Iterable[Item], config: SessionConfig) -> Iterator[Scored]:
    """Recognise each item both ways. Those whose reference says nothing are left out."""
    with Recognizer() as recognizer:
        for item in items:
            audio = item.samples()
            whole, bit_by_bit = offline(recognizer, audio, config), live(recognizer, audio, config)
            wrong_offline, wrong_live = (errors(item.text, heard.text, item.lang) for heard in (whole, bit_by_bit))
            if wrong_offline and wrong_live:
                yield Scored(item, seconds(len(audio)), whole, bit_by_bit, wrong_offline, wrong_live)


def flicker(scored: Iterable[Scored]) -> dict[str, Churn]:
    """Of partial texts and their stable prefixes, as written and without case and punctuation."""
    total = dict.fromkeys(("stable", "stable, folded", "partial", "partial, folded"), Churn(0, 0))
    for one in scored:
        for revisions in one.live.revisions:
            texts = [revision.text.split() for revision in revisions]
            stable = [len(revision.stable_text.split()) for revision in revisions]
            for suffix, fold in (("", list), (", folded", folded)):
                every = [fold(words) for words in texts]
                total["stable" + suffix] += churn(every, [*stable[:-1], 0])
                total["partial" + suffix] += churn(every, [*map(len, every[:-1]), 0])
    return total


def by_group(scored: Sequence[Scored]) -> Iterator[tuple[str, list[Scored]]]:
    """By set, condition and noise; then all together, and all but the noisiest."""
    groups: defaultdict[str, list[Scored]] = defaultdict(list)
    for one in scored:
        noise = "" if one.item.snr_db is None else f" {one.item.snr_db:g} dB"
        groups[f"{one.item.set} ({one.item.condition}{noise})"].append(one)
    yield from sorted(groups.items())
    yield "all", list(scored)
    understood = [one for one in scored if one.item.snr_db is None or one.item.snr_db > NOISY]
    if 0 < len(understood) < len(scored):
        yield f"all above {NOISY:g} dB", understood


def table(scored: Sequence[Scored]) -> Iterator[tuple[str, Rate, Rate]]:
    """Per group: its name, the rate offline, the rate live."""
    for name, group in by_group(scored):
        yield name, rate([one.offline_errors for one in group]), rate([one.live_errors for one in group])


def measure(arguments: argparse.Namespace) -> None:
    """Recognise, print, write what was asked for."""
    machine = asyncio.run(describe())
    print(as_text(machine), end="\n\n")
    items = [item for item in manifest(arguments.data) if item.lang in arguments.languages]
    config = msgspec.convert(dict(pair.split("=", 1) for pair in arguments.set), SessionConfig, strict=False)
    scored = list(score(items[:: arguments.every], config))
    rows = list(table(scored))
    print(f"{'set':40} {'utterances':>10} {'words':>6}  {'offline':>22}  live")
    for name, whole, bit_by_bit in rows:
        print(f"{name:40} {whole.utterances:10} {whole.length:6}  {_percent(whole):>22}  {_percent(bit_by_bit)}")
    same = sum(one.offline.text == one.live.text for one in scored)
    print(f"\nthe same text offline and live: {same} of {len(scored)} recordings")
    steadiness = flicker(scored)
    for name, found in steadiness.items():
        print(f"{name} words that changed: {found.percent:.2f} % ({found.changed} of {found.shown})")
    judgements = [word for one in scored for word in judged(one.offline.finals, one.item.text, one.item.lang)]
    bins = reliability(judgements) if judgements else []
    if bins:
        print(f"\nconfidence against truth of {len(judgements)} words; off by {calibration_error(bins):.3f} on average")
        print("".join(f"  said {one.confidence:.2f}  right {one.right:.2f}  of {one.words}\n" for one in bins))
    costs = {name: real_time_factor(scored, heard) for name, heard in (("offline", _offline), ("live", _live))}
    print("CPU seconds per second of audio: " + ", ".join(f"{name} {cost:.4f}" for name, cost in costs.items()))
    if arguments.json:
        result = {
            "machine": asdict(machine),
            "settings": arguments.set,
            "rows": [{"set": name, "offline": asdict(whole), "live": asdict(bits)} for name, whole, bits in rows],
            "same_text": [same, len(scored)],
            "flicker": {name: asdict(found) for name, found in steadiness.items()},
            "real_time_factor": costs,
            "reliability": [asdict(one) for one in bins],
        }
        arguments.json.write_text(json.dumps(result, indent=1))


def real_time_factor(scored: Sequence[Scored], heard: Callable[[Scored], Heard]) -> float:
    """CPU per second of audio."""
    return sum(heard(one).cpu for one in scored) / sum(one.duration for one in scored)


def _offline(one: Scored) -> Heard:
    return one.offline


def _live(one: Scored) -> Heard:
    return one.live


def _percent(found: Rate) -> str:
    return f"{found.percent:.1f} % [{found.low:.1f}-{found.high:.1f}]"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with manifest.jsonl")
    parser.add_argument("--languages", nargs="+", default=["en"], help="default: en, the embedded model's")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth recording only")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a session option, such as vad=off")
    parser.add_argument("--json", type=Path, help="write the results here; they hold no texts")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
