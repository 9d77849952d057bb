"""What each quality of finals is worth: word error rates and CPU, side by side.

::

    python -m bench.quality DATA --json out.json

Each recording is read in every quality before the next one, so that the ratios of cost hold on a busy machine. Texts are
compared, never printed or written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.accuracy import NOISY, offline
from bench.audio import Item, manifest
from bench.machine import as_text, describe
from bench.scoring import Errors, errors, rate
from starling import Recognizer
from starling.core.audio import seconds
from starling.core.config import Quality, SessionConfig


@dataclass(frozen=True, slots=True)
class Read:
    """One recording in one quality. ``cpu`` and ``duration``: seconds."""

    item: Item
    errors: Errors
    cpu: float
    duration: float


def read(items: Iterable[Item]) -> dict[Quality, list[Read]]:
    """Recognise each item in each quality. Those whose reference says nothing are left out."""
    found: defaultdict[Quality, list[Read]] = defaultdict(list)
    with Recognizer() as recognizer:
        for item in items:
            audio = item.samples()
            for quality in Quality:
                heard = offline(recognizer, audio, SessionConfig(quality=quality))
                wrong = errors(item.text, heard.text, item.lang)
                if wrong:
                    found[quality].append(Read(item, wrong, heard.cpu, seconds(len(audio))))
    return dict(found)


def table(found: dict[Quality, list[Read]]) -> Iterator[dict[str, Any]]:
    """For each quality: word error rates of all and of all but the noisiest, CPU per second of audio and against fast."""
    fast = _cost(found[Quality.FAST])
    for quality, reads in found.items():
        clear = [one for one in reads if one.item.snr_db is None or one.item.snr_db > NOISY]
        yield {
            "quality": str(quality),
            "all": asdict(rate([one.errors for one in reads])),
            "clear": asdict(rate([one.errors for one in clear])),
            "cpu": _cost(reads),
            "ratio": _cost(reads) / fast,
        }


def measure(arguments: argparse.Namespace) -> None:
    """Recognise, print, write what was asked for."""
    machine = asyncio.run(describe())
    print(as_text(machine), end="\n\n")
    items = [item for item in manifest(arguments.data) if item.lang == "en"]
    rows = list(table(read(items[:: arguments.every])))
    print(f"{'quality':10} {'all':>20}  {f'above {NOISY:g} dB':>20}  CPU ms per s  ratio")
    for row in rows:
        overall, clear = (_interval(row[name]) for name in ("all", "clear"))
        print(f"{row['quality']:10} {overall:>20}  {clear:>20}  {1000 * row['cpu']:12.1f}  {row['ratio']:5.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": asdict(machine), "rows": rows}, indent=1))


def _cost(reads: Sequence[Read]) -> float:
    return sum(one.cpu for one in reads) / sum(one.duration for one in reads)


def _interval(found: dict[str, float]) -> str:
    return f"{found['percent']:.1f} % [{found['low']:.1f}-{found['high']:.1f}]"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with manifest.jsonl")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth recording only")
    parser.add_argument("--json", type=Path, help="write the results here; they hold no texts")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
