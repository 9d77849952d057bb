"""``python -m engine.copied_models PRECISION``: do models say in copies of their process what they say in it?

Prints one line for each process: what it heard, as a digest of texts, times and scores. All must be the same.
"""

from __future__ import annotations

import gc
import hashlib
import os
import sys
import threading
from pathlib import Path

import numpy as np

from recordings import recording
from starling.core.audio import FRAME
from starling.core.config import Quality, VadMode
from starling.core.ports import StreamOptions
from starling.core.transcript import Hypothesis
from starling.engine.moonshine import MoonshineEngine
from starling.engine.moonshine.options import MoonshineOptions, Precision
from starling.vad.detector import Detector


def heard(engine: MoonshineEngine, detector: Detector) -> str:
    """A digest of all that both models say of a recording: partials together, finals alone, in all qualities."""
    sound = recording("beckett")
    digest = hashlib.sha256()
    for quality in Quality:
        streams = [engine.create_stream(StreamOptions(quality=quality, words=True)) for _ in range(2)]
        for number, stream in enumerate(streams):
            stream.accept_waveform(sound[number * 8000 : number * 8000 + 32_000])
        outcomes = engine.decode_streams(streams)
        for stream in streams:
            stream.input_finished(32_000)
            outcomes += engine.decode_streams([stream])
        for outcome in outcomes:
            assert isinstance(outcome, Hypothesis)
            digest.update(repr(outcome).encode())
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    for scores in detector.score([(detector.create_stream(VadMode.BOTH), frames)]):
        digest.update(np.asarray(scores).tobytes())
    return digest.hexdigest()


def say(engine: MoonshineEngine, detector: Detector) -> None:
    """A line."""
    sys.stdout.write(heard(engine, detector) + "\n")
    sys.stdout.flush()


def copied(depth: int, engine: MoonshineEngine, detector: Detector) -> None:
    """Say what a copy hears, on a thread as in a recognizer, and what its copies hear."""
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
        return
    if depth:
        copied(depth - 1, engine, detector)
    thread = threading.Thread(target=say, args=(engine, detector))
    thread.start()
    thread.join()
    os._exit(0)


def main() -> None:
    """In the process itself before, between and after its copies."""
    engine, detector = MoonshineEngine.load(MoonshineOptions(precision=Precision(sys.argv[1]))), Detector()
    engine.warm_up()
    gc.freeze()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads cannot be copied"
    copied(0, engine, detector)
    say(engine, detector)
    copied(2, engine, detector)
    copied(0, engine, detector)
    say(engine, detector)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads cannot be copied"


if __name__ == "__main__":
    main()
