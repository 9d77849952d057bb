"""Which rule for the stable prefix: all hypotheses are recorded once, then every rule is tried on them.

::

    python -m bench.stability DATA
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.accuracy import live
from bench.audio import manifest
from bench.scoring import Churn, churn, folded
from starling import Recognizer
from starling.core.config import SessionConfig
from starling.core.ports import Capabilities, DecodeOutcome, Engine, EngineStream, StreamOptions
from starling.core.transcript import Hypothesis
from starling.engine.moonshine import MoonshineEngine, load_model
from starling.session.stability import StablePrefix


class Overheard:
    """An engine that remembers what it answered, by utterance: partials in order, the final last."""

    def __init__(self, engine: Engine) -> None:
        self.answers: dict[EngineStream, list[str]] = {}
        self._engine = engine

    @property
    def capabilities(self) -> Capabilities:
        """Those of the engine."""
        return self._engine.capabilities

    def create_stream(self, options: StreamOptions) -> EngineStream:
        """A stream of the engine."""
        stream = self._engine.create_stream(options)
        self.answers[stream] = []
        return stream

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        """The engine's answers."""
        outcomes = self._engine.decode_streams(streams)
        for stream, outcome in zip(streams, outcomes, strict=True):
            if isinstance(outcome, Hypothesis):
                self.answers[stream].append(outcome.text)
        return outcomes

    def warm_up(self) -> None:
        """Warm the engine up."""
        self._engine.warm_up()

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


def judge(texts: Sequence[str], rule: StablePrefix) -> tuple[Churn, int, int]:
    """One utterance under a rule: churn of the stable words, folded; how many words were stable, and how many shown, summed."""
    words = [folded(text.split()) for text in texts]
    stable = [len(rule.update(text).split()) for text in texts[:-1]]
    return churn(words, [*stable, 0]), sum(stable), sum(map(len, words[:-1]))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with manifest.jsonl")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth recording only")
    parser.add_argument("--agreement", type=int, nargs="+", default=[2, 3, 4, 6, 8], help="hypotheses that must agree")
    parser.add_argument("--hold-back", type=int, nargs="+", default=[0, 1, 2, 4, 6], help="last words that are never stable")
    arguments = parser.parse_args()
    engine = Overheard(MoonshineEngine(load_model()))
    with Recognizer(engine=engine) as recognizer:
        for item in [item for item in manifest(arguments.data) if item.lang == "en"][:: arguments.every]:
            live(recognizer, item.samples(), SessionConfig())
    print("agreement  held back  stable words that changed  share of the shown words that is stable")
    for agreement in arguments.agreement:
        for hold_back in arguments.hold_back:
            judged = [judge(texts, StablePrefix(agreement, hold_back)) for texts in engine.answers.values() if texts]
            total = sum((one[0] for one in judged), Churn(0, 0))
            share = sum(one[1] for one in judged) / max(1, sum(one[2] for one in judged))
            print(f"{agreement:9}  {hold_back:9}  {total.percent:8.2f} % of {total.shown:6}  {share:26.0%}")


if __name__ == "__main__":
    main()
