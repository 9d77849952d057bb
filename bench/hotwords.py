"""What hot words are worth: how many rare words are right with and without them, what they put where it was not said, the cost.

::

    python -m bench.hotwords DATA --json out.json

A *rare* word is one of six letters or more that the references of the chosen recordings have once or twice and that is not among
the commonest of all their words. Each recording's hot words are the rare words of its own reference, which is what a user who
knows the names of a meeting would give, and with them as many distractors as asked for: rare words of other recordings that were
not said in this one, and, where those do not suffice, made-up words spelled like English. Everything is decoded in one process,
list after list for each recording, so that the cost ratios hold on a busy machine. Texts are compared, never printed or written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.audio import Item, manifest
from bench.machine import as_text, describe
from bench.scoring import Errors, errors, normalised, rate
from starling import Recognizer
from starling.core.config import Quality, SessionConfig
from starling.core.hotwords import HotWord

RARE_LETTERS = 6
SEEN_AT_MOST = 2
WITHOUT = "none"
ONLY_WRONG = "100 wrong ones"
_SYLLABLES = (
    "bar ben bol cad cor dan del dor fan fer gal gor hal hin jor kal kel lam len lor mar min mol nar nel pol ral ros sal tor"
)


@dataclass(slots=True)
class Tally:
    """What came of all recordings with one kind of list. ``inserted``: words of the list that were written because of
    it and not said.
    """

    counted: list[Errors] = field(default_factory=list)
    rare: int = 0
    found: int = 0
    words: int = 0
    inserted: int = 0
    cpu: float = 0.0

    def add(self, reference: Sequence[str], heard: Sequence[str], plain: Sequence[str], rare: set[str], listed: set[str]) -> None:
        """Count one recording's words. ``plain``: what was heard without hot words."""
        said, written, before = Counter(reference), Counter(heard), Counter(plain)
        self.rare += sum(said[word] for word in rare)
        self.found += sum(min(said[word], written[word]) for word in rare)
        self.words += len(reference)
        self.inserted += sum(max(0, written[word] - max(said[word], before[word])) for word in listed)


def rare_words(items: Iterable[Item]) -> Counter[str]:
    """The rare words of all references, and how often each is there."""
    counted = Counter(word for item in items for word in words(item.text))
    return Counter({word: n for word, n in counted.items() if n <= SEEN_AT_MOST and len(word) >= RARE_LETTERS and word.isalpha()})


def words(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return re.findall(r"\S+", normalised(text, "en"))


def made_up(count: int, chance: random.Random) -> list[str]:
    """Words that nobody says."""
    syllables = _SYLLABLES.split()
    return ["".join(chance.choices(syllables, k=3)) for _ in range(count)]


def lists(own: set[str], others: Sequence[str], sizes: Sequence[int], chance: random.Random) -> Iterator[tuple[str, set[str]]]:
    """Each kind of list, by its name: none, one's own with so many distractors, only distractors."""
    yield WITHOUT, set()
    pool = [*chance.sample(others, len(others)), *made_up(max(0, max(sizes) - len(others)), chance)]
    for size in sizes:
        yield f"own + {size}", own | set(pool[:size])
    yield ONLY_WRONG, set(pool[:100])


def measure(arguments: argparse.Namespace) -> None:
    """Recognise, print, write what was asked for."""
    machine = asyncio.run(describe())
    print(as_text(machine), end="\n\n")
    items = [item for item in manifest(arguments.data) if item.lang == "en"]
    rare = rare_words(items)
    tallies: dict[str, Tally] = {}
    with Recognizer() as recognizer:
        for item in items[:: arguments.every]:
            reference = words(item.text)
            own = {word for word in reference if word in rare}
            if not own:
                continue
            others = sorted(set(rare) - set(reference))
            audio, chance = item.samples(), random.Random(item.id)
            plain: list[str] = []
            for name, listed in lists(own, others, arguments.distractors, chance):
                tally = tallies.setdefault(name, Tally())
                config = SessionConfig(
                    quality=Quality(arguments.quality),
                    hotwords=tuple(HotWord(word, arguments.weight) for word in sorted(listed)),
                )
                began = time.process_time()
                text = " ".join(final.text for final in recognizer.transcribe(audio, config))
                tally.cpu += time.process_time() - began
                plain = words(text) if name == WITHOUT else plain
                tally.add(reference, words(text), plain, own, listed)
                if (wrong := errors(item.text, text, "en")) is not None:
                    tally.counted.append(wrong)
    rows = list(table(tallies))
    print(f"{'hot words':>16}  {'rare wrong':>10}  {'less':>6}  {'inserted':>8}  {'word errors':>11}  {'CPU':>5}")
    for row in rows:
        print(
            f"{row['list']:>16}  {row['rare_wrong']:8.1f} %  {row['fewer']:4.0f} %  {row['inserted']:6.2f} %  "
            f"{row['word_errors']:9.1f} %  {row['cpu']:5.2f}"
        )
    if arguments.json:
        result = {"machine": asdict(machine), "weight": arguments.weight, "quality": arguments.quality, "rows": rows}
        arguments.json.write_text(json.dumps(result, indent=1))


def table(tallies: dict[str, Tally]) -> Iterator[dict[str, float | str]]:
    """Per list, in percent: rare words wrong, how many fewer than without, listed words inserted, word errors; the CPU ratio."""
    plain = tallies[WITHOUT]
    before = 1 - plain.found / plain.rare
    for name, tally in tallies.items():
        wrong = 1 - tally.found / tally.rare
        yield {
            "list": name,
            "rare_words": tally.rare,
            "rare_wrong": 100 * wrong,
            "fewer": 100 * (1 - wrong / before) if before else 0.0,
            "inserted": 100 * tally.inserted / tally.words,
            "word_errors": rate(tally.counted).percent,
            "cpu": tally.cpu / plain.cpu,
        }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with manifest.jsonl")
    parser.add_argument("--distractors", type=int, nargs="+", default=[0, 100, 900], metavar="N", help="default: 0 100 900")
    parser.add_argument("--weight", type=float, default=1.0, help="of every hot word (default: 1)")
    parser.add_argument("--quality", choices=[each.value for each in Quality], default=Quality.BALANCED.value)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth recording only")
    parser.add_argument("--json", type=Path, help="write the results here; they hold no texts")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
