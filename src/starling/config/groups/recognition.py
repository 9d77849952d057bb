"""What becomes of audio: sessions, segments, the scheduler, the engine, the gate and the log before them."""

from __future__ import annotations

from enum import StrEnum

from starling.config.groups.group import Group, setting
from starling.core.config import ENDPOINT_SILENCE_RANGE, PARTIAL_INTERVAL_RANGE, Quality, VadMode


class Session(Group):
    """What a session gets that does not ask for anything else. Clients may choose their own values within the same ranges."""

    language: str = setting("en", "language of the speech, as a BCP 47 tag")
    partials: bool = setting(True, "send partial results while a person speaks")  # noqa: FBT003 (a default, not an argument)
    partial_interval_ms: int = setting(
        300,
        "new speech between two partial results",
        unit="milliseconds",
        low=round(PARTIAL_INTERVAL_RANGE[0] * 1000),
        high=round(PARTIAL_INTERVAL_RANGE[1] * 1000),
    )
    endpoint_silence_ms: int = setting(
        500,
        "silence that ends a segment; lower is snappier, higher cuts fewer sentences",
        unit="milliseconds",
        low=round(ENDPOINT_SILENCE_RANGE[0] * 1000),
        high=round(ENDPOINT_SILENCE_RANGE[1] * 1000),
    )
    finished_silence_ms: int = setting(
        10_000,
        "silence that does where the text looks finished; shortens `endpoint_silence_ms`, never lengthens it. 250 makes finals "
        "sooner and cuts more sentences",
        unit="milliseconds",
        low=round(ENDPOINT_SILENCE_RANGE[0] * 1000),
        high=round(ENDPOINT_SILENCE_RANGE[1] * 1000),
    )
    vad: VadMode = setting(
        VadMode.BOTH, "detectors that must hear speech before a segment opens; `off` takes all audio for speech"
    )
    quality: Quality = setting(
        Quality.BALANCED, "how hard finals are searched for: `fast` is least computing, `best` is for recordings"
    )
    words: bool = setting(False, "send times and confidences of words, where the engine has them")  # noqa: FBT003 (a default)
    partial_words: bool = setting(False, "send them with partial results too")  # noqa: FBT003 (a default)


class Segmentation(Group):
    """How speech is cut into segments. Change these with a recording at hand to compare."""

    onset_threshold: float = setting(0.5, "speech probability at which speech may begin", unit="probability", low=0.01, high=0.99)
    offset_threshold: float = setting(
        0.35, "speech probability below which it pauses; at most the onset's", unit="probability", low=0.01, high=0.99
    )
    min_speech: float = setting(0.09, "speech that opens a segment", unit="seconds", low=0.03, high=2)
    pre_roll: float = setting(0.3, "audio decoded from before the speech", unit="seconds", low=0, high=2)
    tail: float = setting(0.25, "audio decoded from after the speech", unit="seconds", low=0, high=2)
    max_segment: float = setting(18.0, "a longer segment is cut where its voice is weakest", unit="seconds", low=2, high=28)
    min_segment: float = setting(10.0, "where the search for that place begins", unit="seconds", low=1, high=27)
    first_partial: float = setting(0.25, "speech before the first partial result", unit="seconds", low=0.05, high=5)
    idle_checkpoint: float = setting(5.0, "silence between checkpoints; must exceed `pre_roll`", unit="seconds", low=0.5, high=60)
    nonspeech_guard: bool = setting(
        True,  # noqa: FBT003 (a default, not an argument)
        "withhold texts that nobody can have said: of noise, music, crowds. It judges by the default thresholds",
    )


class Scheduler(Group):
    """In which company and how soon segments are decoded."""

    max_batch: int = setting(
        4, "partials decoded together at most, where the engine gains by it", unit="partials", low=1, high=256
    )
    partial_lifetime: float = setting(2.0, "a partial that waited longer is dropped", unit="seconds", low=0.1, high=30)
    max_pending: int = setting(1024, "partials that may wait", unit="partials", low=1, high=100_000)
    capacity: float = setting(
        0.85,
        "share of the engine's time that is planned for: beyond it partials come less often, then sessions are refused",
        unit="ratio",
        low=0.1,
        high=1,
    )


class EngineName(StrEnum):
    """The engines that come with Starling."""

    MOONSHINE_TINY_EN = "moonshine-tiny-en"
    SCRIPTED = "scripted"


class Precision(StrEnum):
    """In which numbers the embedded model computes."""

    INT8 = "int8"
    EXACT = "exact"


class Engine(Group):
    """What turns speech into text."""

    name: EngineName = setting(
        EngineName.MOONSHINE_TINY_EN, "`scripted` hears nothing and says made-up words: for tests and load"
    )
    precision: Precision = setting(
        Precision.INT8, "`exact` computes in 32-bit floats: about three times the work, the same text on every machine"
    )


class Gate(Group):
    """The silence gate in front of the recognizer: long silence is counted, not carried."""

    enabled: bool = setting(True, "use the gate")  # noqa: FBT003 (a default, not an argument)
    hangover: float = setting(
        1.5,
        "silence that passes before the gate shuts; longer than the session's endpoint silence",
        unit="seconds",
        low=0.1,
        high=30,
    )
    pre_roll: float = setting(
        1.0, "audio from before the sound that opens the gate, passed on with it", unit="seconds", low=0.1, high=10
    )


class AudioLog(Group):
    """Audio between gateway and recognizer."""

    max_lead_seconds: float = setting(
        60.0,
        "audio that a session may be ahead of its recognition; then its client is slowed down. "
        "Must exceed `segmentation.idle_checkpoint` and `segmentation.max_segment` together",
        unit="seconds",
        low=3,
        high=600,
    )
