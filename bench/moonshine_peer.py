"""The peer: moonshine_voice's own streaming API, as many streams in one process as asked for, fed in real time.

::

    python -m bench.moonshine_peer POOL.npy STREAMS SECONDS INTERVAL tuned|shipped

Prints one JSON object. ``shipped`` leaves its options alone; ``tuned`` gives it every advantage they allow: no copy of the audio
in its results, no speaker identification, and one onnxruntime thread where it has one core. There is no server, socket or codec
in between. It answers within the call that brings the audio, so streams are served in the order in which their audio is due.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.audio import place
from bench.latency import Latencies, Schedule
from starling.client.pacing import CHUNK
from starling.core.audio import SAMPLE_RATE, samples

TUNED = {"identify_speakers": "false", "return_audio_data": "false"}

STAGGER = 0.5
"""Seconds over which the beginnings of the streams are spread, as in ``load``."""

HOPELESS = 10.0
"""Seconds behind real time at which it is given up."""


@dataclass(slots=True)
class Stream:
    """One stream, and what its listener needs."""

    handle: Any
    first_chunk: int
    schedule: Schedule
    latencies: Latencies
    answers: int = 0
    partial_at: float | None = None
    fed: int = 0

    def hear(self, event: Any) -> None:
        """Take an event, which comes while the chunk before ``fed`` is being added."""
        now, line = time.monotonic(), event.line
        triggered, latencies = self.schedule.due(self.fed), self.latencies
        match type(event).__name__:
            case "LineTextChanged" if line.text and not line.is_complete:
                if self.partial_at is None:
                    latencies.first.append(now - self.schedule.due(samples(line.start_time) + 1))
                else:
                    latencies.gap.append(now - self.partial_at)
                self.partial_at = now
                latencies.partial.append(now - triggered)
            case "LineCompleted":
                self.partial_at = None
                latencies.words += len(line.text.split())
                latencies.compute.append(now - triggered)
                latencies.settled.append(now - self.schedule.due(samples(line.start_time + line.duration)))


def main() -> None:
    """Feed, and print what was met."""
    pool = np.load(sys.argv[1])
    count, seconds, interval = int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    tuned = sys.argv[5] == "tuned"
    if tuned:
        os.environ["MOONSHINE_ORT_SINGLE_THREAD"] = "1"
    from moonshine_voice import ModelArch, Transcriber, get_assets_path  # type: ignore[import-untyped]  # noqa: PLC0415 - after the variable that it reads

    model = str(Path(get_assets_path()) / "tiny-en")
    transcriber = Transcriber(model, ModelArch.TINY, update_interval=interval, options=TUNED if tuned else None)
    whole = len(pool) // CHUNK
    chunks = [(pool[at * CHUNK : (at + 1) * CHUNK] / np.float32(32768)).tolist() for at in range(whole)]
    warm = transcriber.create_stream()
    warm.start()
    for chunk in chunks[:50]:
        warm.add_audio(chunk, SAMPLE_RATE)
    warm.close()

    each = int(seconds * SAMPLE_RATE) // CHUNK
    begins = time.monotonic() + 0.5
    streams = []
    for number in range(count):
        schedule = Schedule(begins + STAGGER * number / count, CHUNK, each * CHUNK)
        stream = Stream(transcriber.create_stream(), place(len(pool), number), schedule, Latencies())
        stream.handle.add_listener(stream.hear)
        stream.handle.start()
        streams.append(stream)

    print(json.dumps({"ready": True}), flush=True)
    given_up = feed(streams, chunks, each)
    total = Latencies()
    for stream in streams:
        total.add(stream.latencies)
    print(json.dumps({"latencies": asdict(total), "given_up": given_up, "finished": time.monotonic() - begins}), flush=True)
    os._exit(0)  # its threads may hang at exit


def feed(streams: list[Stream], chunks: list[list[float]], each: int) -> bool:
    """Add every chunk when it is due, or as soon after as the streams let it. Says whether it was given up."""
    due = sorted(
        (stream.schedule.due((at + 1) * CHUNK), number, at) for number, stream in enumerate(streams) for at in range(each)
    )
    for moment, number, at in due:
        ahead = moment - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        elif ahead < -HOPELESS:
            return True
        stream = streams[number]
        stream.fed = (at + 1) * CHUNK
        stream.handle.add_audio(chunks[(stream.first_chunk + at) % len(chunks)], SAMPLE_RATE)
    return False


if __name__ == "__main__":
    main()
