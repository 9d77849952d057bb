"""A recording, in blocks of sound, to the finals of each of its channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from starling.audio import Recording
from starling.core.audio import Samples, seconds
from starling.core.config import SessionConfig
from starling.core.errors import ClientError, RecordingTooLong
from starling.core.jobs import Channels, JobSegment
from starling.core.records import Checkpoint
from starling.transcriber.channel import Channel, Settled, Tools
from starling.transcriber.findings import Found, Heard, Task


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
