"""A recording, in blocks of sound, to the finals of each of its channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from starling.audio import Recording
from starling.core.audio import Samples, seconds
from starling.core.config import SessionConfig
from starling.core.errors import ClientError, RecordingTooLong
from starling.core.jobs import Channels, JobSegment
from starling.core.records import Checkpoint
from starling.transcriber.channel import Channel, Settled, Tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to make of a recording. ``checkpoints``: by channel, where an earlier attempt got to.

    ``max_duration``: seconds of sound it may have, whatever its header says.
    """

    job_id: str
    config: SessionConfig
    channels: Channels = Channels.MIXED
    checkpoints: tuple[Checkpoint | None, ...] = ()
    max_duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found in ``channel``; ``checkpoint``: from where its rest is found, and nothing of this again."""

    channel: int
    segments: tuple[JobSegment, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """``done``: seconds that all channels were listened to by now. ``taken``: seconds of sound there were until now.

    ``found``: what is new, in the order of finding.
    """

    done: float
    taken: float
    found: tuple[Found, ...]


def blocks_of(recording: Recording, channels: Channels) -> Iterator[Sequence[Samples]]:
    """The sound of a recording as ``transcribe`` takes it. Raises as ``Recording.channel_blocks`` does."""
    if channels is Channels.SEPARATE:
        return recording.channel_blocks()
    return ([block] for block in recording.blocks())


def transcribe(blocks: Iterable[Sequence[Samples]], task: Task, tools: Tools) -> Iterator[Heard]:
    """The finals of a recording: one answer to each block, and one to its end.

    ``blocks``: from the beginning, of each channel int16 ``[n]`` at 16 kHz, of equal lengths. Raises what they raise, after what
    was said until then if it is the recording's fault; RecordingTooLong; EngineFailed where a segment cannot be decoded;
    InvalidOption for a language that the engine does not speak.
    """
    config = tools.engine.capabilities.serve(task.config.updated(partials=False))
    channels: list[Channel] = []
    length = 0
    try:
        for block in blocks:
            if not channels:
                channels = [Channel(task.job_id, _beginning(task, config, number), tools) for number in range(len(block))]
            length += len(block[0])
            if seconds(length) > task.max_duration:
                raise RecordingTooLong(
                    f"expected a recording of at most {task.max_duration:g} seconds, found more: send it in parts"
                )
            heard = [(number, channels[number].hear(samples)) for number, samples in enumerate(block)]
            yield _heard(channels, heard, length)
    except ClientError:
        yield _heard(channels, [(number, channel.finish()) for number, channel in enumerate(channels)], length)
        raise
    yield _heard(channels, [(number, channel.finish()) for number, channel in enumerate(channels)], length)


def _beginning(task: Task, config: SessionConfig, number: int) -> Checkpoint:
    known = task.checkpoints[number] if number < len(task.checkpoints) else None
    return known or Checkpoint(config=config)


def _heard(channels: Sequence[Channel], settled: Sequence[tuple[int, Iterable[Settled]]], length: int) -> Heard:
    found = tuple(
        Found(
            channel=number,
            segments=tuple(JobSegment(channel=number, transcript=final) for final in one.finals),
            checkpoint=one.checkpoint,
        )
        for number, of_channel in settled
        for one in of_channel
    )
    done = min((seconds(channel.heard) for channel in channels), default=0.0)
    return Heard(done=done, taken=seconds(length), found=found)
