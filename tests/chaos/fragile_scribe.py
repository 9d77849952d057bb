"""A scribe that recordings can end, each in its own way."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from starling.app import recognition, scribe_process
from starling.config.settings import Settings
from starling.core.audio import Samples
from starling.core.ports import DecodeOutcome, Engine, EngineStream
from starling.engine.scripted import ScriptedEngine, ScriptedStream
from starling.transcriber import confinement

CRASHING, SPINNING, GREEDY = 32_767, 32_766, 32_765


def poisoned(sound: Samples, how: int) -> Samples:
    """``sound``, so loud that it does it."""
    return np.clip(sound.astype(np.int32) * 20, -how, how).astype(np.int16)


class FragileEngine(ScriptedEngine):
    """Does as native code may do with what strangers send."""

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        for stream in streams:
            assert isinstance(stream, ScriptedStream)
            match np.abs(stream.snapshot().samples.astype(np.int32)).max():
                case 32_767:
                    ctypes.string_at(0)
                case 32_766:
                    while True:
                        pass
                case 32_765:
                    bytearray(1 << 34)
        return super().decode_streams(streams)


def fragile(settings: Settings) -> Engine:
    """The engine."""
    return FragileEngine()


if __name__ == "__main__":
    confinement.GRACE = 2  # type: ignore[misc]  # nobody waits a minute for a test
    recognition.load_engine = fragile
    scribe_process.main()
