"""How fast are recordings transcribed on one core, and in how much memory?

::

    python -m bench.recorded                    # each quality beside moonshine_voice, in turns
    python -m bench.recorded --hours 2          # and the memory of one long recording

Speed is seconds of sound for each second of CPU, over all threads of the process: what one core does when nobody disturbs it.
Reading the file is part of it. Contestants take turns, so what else the machine does meets all of them; the median of the rounds
counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from statistics import median

import av
import numpy as np

from bench.audio import recordings
from bench.machine import as_text, describe
from bench.moonshine_peer import TUNED
from starling.audio import Recording
from starling.cli.transcribing_here import load_tools
from starling.client.sample import REFERENCE, sample_recording
from starling.client.word_errors import word_error_rate
from starling.core.audio import SAMPLE_RATE, Samples, seconds
from starling.core.config import Quality, SessionConfig
from starling.core.jobs import Channels
from starling.transcriber.ahead import ahead
from starling.transcriber.channel import Tools
from starling.transcriber.findings import Task
from starling.transcriber.transcribing import blocks_of, transcribe

PEER = "moonshine_voice"

LOOK = 300.0
"""Seconds of sound between two looks at the memory."""


@dataclass(slots=True)
class Contestant:
    """``speeds``: seconds of sound for each of CPU, by round. ``errors``: words wrong of the reference, 0 to 1."""

    speeds: list[float] = field(default_factory=list)
    errors: float = 0.0

    @property
    def speed(self) -> float:
        return median(self.speeds)


def write_flac(path: Path, sound: Samples, times: int) -> None:
    """``sound``, ``times`` times, as a file."""
    with av.open(str(path), "w", format="flac") as output:
        stream = output.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        at = 0
        for _ in range(times):
            for start in range(0, len(sound), 60 * SAMPLE_RATE):
                piece = np.ascontiguousarray(sound[start : start + 60 * SAMPLE_RATE])
                frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, at, Fraction(1, SAMPLE_RATE)
                at += len(piece)
                output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def one(path: Path, quality: Quality, tools: Tools) -> tuple[float, str]:
    """Speed and text of a recording."""
    config = SessionConfig(quality=quality, partials=False)
    task = Task(job_id="bench", config=config, max_duration=float("inf"))
    began, taken, texts = time.process_time(), 0.0, []
    with Recording(path) as recording, ahead(blocks_of(recording, Channels.MIXED), depth=30) as blocks:
        for heard in transcribe(blocks, task, tools):
            taken = heard.taken
            texts += [segment.transcript.text for found in heard.found for segment in found.segments]
    return taken / (time.process_time() - began), " ".join(texts)


def peer(path: Path) -> None:
    """Be the peer: transcribe ``path`` by moonshine_voice, on one thread and for its text only, and print speed and text."""
    os.environ["MOONSHINE_ORT_SINGLE_THREAD"] = "1"
    from moonshine_voice import ModelArch, Transcriber, get_assets_path  # type: ignore[import-untyped]  # noqa: PLC0415 - native

    with Recording(path) as recording:
        sound = np.concatenate(list(recording.blocks()))
    transcriber = Transcriber(str(Path(get_assets_path()) / "tiny-en"), ModelArch.TINY, options=TUNED)
    transcriber.transcribe_without_streaming((sound[: 5 * SAMPLE_RATE] / np.float32(32768)).tolist(), SAMPLE_RATE)
    audio = (sound / np.float32(32768)).tolist()
    began = time.process_time()
    lines = transcriber.transcribe_without_streaming(audio, SAMPLE_RATE).lines
    took = time.process_time() - began
    print(json.dumps({"speed": seconds(len(sound)) / took, "text": " ".join(line.text for line in lines)}), flush=True)


def compare(path: Path, reference: Path, rounds: int) -> dict[str, Contestant]:
    """Everybody in turns. ``reference``: the recording whose words are known."""
    contestants = {name: Contestant() for name in (*Quality, PEER)}
    tools = load_tools()
    tools.engine.warm_up()
    for name in Quality:
        contestants[name].errors = word_error_rate(REFERENCE, one(reference, name, tools)[1])
    contestants[PEER].errors = word_error_rate(REFERENCE, str(_peer(reference)["text"]))
    for _ in range(rounds):
        for name in Quality:
            contestants[name].speeds.append(one(path, name, tools)[0])
        contestants[PEER].speeds.append(float(_peer(path)["speed"]))
    return contestants


def _peer(path: Path) -> dict[str, float | str]:
    command = [sys.executable, "-m", "bench.recorded", "--peer", str(path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ourselves
    answer: dict[str, float | str] = json.loads(printed.splitlines()[-1])
    return answer


def long_one(path: Path, quality: Quality) -> list[tuple[float, float]]:
    """Peak resident memory of this process in MiB, at times of the recording in seconds."""
    tools, seen = load_tools(), [(0.0, 0.0)]
    tools.engine.warm_up()
    task = Task(job_id="bench", config=SessionConfig(quality=quality, partials=False), max_duration=float("inf"))
    with Recording(path) as recording, ahead(blocks_of(recording, Channels.MIXED), depth=30) as blocks:
        for heard in transcribe(blocks, task, tools):
            if heard.taken >= seen[-1][0] + LOOK:
                seen.append((heard.taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    return seen[1:]


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of recordings; those of the moonshine_voice wheel if left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hours", type=float, default=0.0, help="length of the long recording; 0 for none")
    parser.add_argument("--quality", type=Quality, default=Quality.FAST, help="of the long one")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer is not None:
        peer(arguments.peer)
        return
    machine = asyncio.run(describe())
    print(as_text(machine), end="\n\n")
    pause = np.zeros(SAMPLE_RATE, np.int16)
    several = islice(recordings(arguments.data), 50)
    joined = np.concatenate([part for sound in several for part in (sound, pause)])
    result: dict[str, object] = {"machine": asdict(machine), "seconds": seconds(len(joined))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "joined.flac"
        write_flac(path, joined, 1)
        contestants = compare(path, sample_recording(), arguments.rounds)
        print(f"{seconds(len(joined)):.0f} s of sound, {arguments.rounds} rounds; seconds of sound for each of CPU")
        for name, contestant in contestants.items():
            rounds = " ".join(f"{speed:.0f}" for speed in contestant.speeds)
            beside = contestant.speed / contestants[PEER].speed
            print(
                f"{name:16} {contestant.speed:6.1f} x  ({rounds})  {beside:.2f} of the peer  word errors {contestant.errors:.1%}"
            )
        result["speed"] = {name: asdict(contestant) for name, contestant in contestants.items()}
        if arguments.hours:
            times = round(arguments.hours * 3600 / seconds(len(joined)))
            write_flac(path, joined, times)
            seen = long_one(path, arguments.quality)
            print(f"memory over {arguments.hours:g} h: " + ", ".join(f"{at / 60:.0f} min {size:.0f} MiB" for at, size in seen))
            result["memory"] = seen
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
