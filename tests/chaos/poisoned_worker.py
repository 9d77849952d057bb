"""A recognizer that audio can end."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from starling.app import recognition
from starling.app.child import run_template
from starling.app.recognizer_process import recognize
from starling.config.settings import Settings
from starling.core.audio import Samples
from starling.core.ports import DecodeOutcome, Engine, EngineStream
from starling.engine.scripted import ScriptedEngine, ScriptedStream

LOUDEST = 32_767


def poisonous(sound: Samples) -> Samples:
    """``sound``, so loud that it ends its worker when it is decoded for good."""
    return np.clip(sound.astype(np.int32) * 20, -LOUDEST, LOUDEST).astype(np.int16)


class FragileEngine(ScriptedEngine):
    """Dies as native code does: at once, and without a word."""

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        for stream in streams:
            assert isinstance(stream, ScriptedStream)
            if (snapshot := stream.snapshot()).is_final and np.abs(snapshot.samples.astype(np.int32)).max() >= LOUDEST:
                ctypes.string_at(0)  # the thread that does it dies of it; a signal by os.kill would reach another
        return super().decode_streams(streams)


def fragile(settings: Settings) -> Engine:
    """The engine."""
    return FragileEngine()


if __name__ == "__main__":
    recognition.load_engine = fragile
    run_template(recognition.load_models, recognize)
