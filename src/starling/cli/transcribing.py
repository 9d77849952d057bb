"""The work of ``starling transcribe``: one recording after the other, whatever becomes of each."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from starling.audio import Recording
from starling.cli.recorded import STANDARD_INPUT
from starling.cli.recorded import source as opened
from starling.cli.report import complain, printable
from starling.client.options import Options, session_config
from starling.core.audio import seconds
from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption, StarlingError
from starling.core.subtitles import Segment, to_srt, to_text, to_vtt
from starling.core.transcript import SegmentFailed, SessionEvent, Transcript, Word
from starling.protocols.native.messages import wire_confidence, wire_seconds
from starling.recognizer import Recognizer, RecognizerStream

WRITERS: dict[str, Callable[[Sequence[Segment]], str]] = {"txt": to_text, "srt": to_srt, "vtt": to_vtt}


@dataclass(frozen=True, slots=True)
class Job:
    """One recording (a path, or ``-``), and the file its transcript goes to; None is standard output."""

    source: str
    target: Path | None


def plan(sources: Sequence[str], form: str, output_dir: Path | None) -> list[Job]:
    """A job for each of ``sources``; ``output_dir`` is made. Raises InvalidOption where outputs would get in each other's way."""
    if output_dir is None:
        if form in {"srt", "vtt"} and len(sources) > 1:
            raise InvalidOption(f"expected --output-dir for {len(sources)} recordings: {form} files cannot follow one another")
        return [Job(source, None) for source in sources]
    targets: dict[Path, str] = {}
    for source in sources:
        name = "stdin" if source == STANDARD_INPUT else Path(source).stem
        target = output_dir / f"{name}.{form}"
        if target in targets:
            raise InvalidOption(f"{targets[target]} and {source} would both be written to {target}: transcribe them separately")
        targets[target] = source
    output_dir.mkdir(parents=True, exist_ok=True)
    return [Job(source, target) for target, source in targets.items()]


def transcribe_all(jobs: Sequence[Job], form: str, options: Options, *, debug: bool = False) -> int:
    """Do all ``jobs`` with one model and return how many failed, after saying on stderr what was wrong with each.

    ``debug``: with the traceback.

    A recording that breaks off gives what was said before, and counts as failed.
    """
    config = session_config(options).updated(partials=False)
    failed = 0
    with Recognizer() as recognizer:
        for job in jobs:
            problem = _transcribe(recognizer, config, job, form, titled=len(jobs) > 1, debug=debug)
            if problem is not None:
                failed += 1
                complain(problem)
    if failed and len(jobs) > 1:
        complain(f"{failed} of {len(jobs)} recordings failed")
    return failed


def _transcribe(recognizer: Recognizer, config: SessionConfig, job: Job, form: str, *, titled: bool, debug: bool) -> str | None:
    """Do one job; what was wrong, or None. ``titled``: a text on standard output gets the name of its recording."""
    transcripts: list[Transcript] = []
    problem = None
    try:
        _listen(recognizer.create_stream(config), job.source, transcripts)
    except (StarlingError, OSError) as error:
        if debug:
            traceback.print_exc()
        problem = f"{job.source}: {_said(error)}"
    if problem is not None and not transcripts:
        return problem
    if problem is None and not transcripts:
        complain(f"{job.source}: no speech was heard")
    text = _rendered(job.source, transcripts, form)
    if job.target is None:
        sys.stdout.write(f"==> {job.source} <==\n{text}\n" if titled and form == "txt" else text)
        sys.stdout.flush()
        return problem
    done = "replaced" if job.target.exists() else "wrote"
    try:
        job.target.write_text(text, encoding="utf-8")
    except OSError as error:
        return f"{job.target}: {_said(error)}"
    complain(f"{done} {job.target}")
    return problem


def _said(error: StarlingError | OSError) -> str:
    return error.message if isinstance(error, StarlingError) else error.strerror or str(error)


def _listen(stream: RecognizerStream, source: str, transcripts: list[Transcript]) -> None:
    """Append the finals of ``source`` to ``transcripts``, those before an error too."""
    with Recording(opened(source)) as recording, _progress() as progress:
        task = progress.add_task("-" if source == STANDARD_INPUT else printable(Path(source).name), total=recording.duration)
        try:
            for block in recording.blocks():
                transcripts += _finals(stream.accept_waveform(block))
                progress.advance(task, seconds(len(block)))
        except (StarlingError, OSError):
            transcripts += _finals(stream.input_finished())
            raise
        transcripts += _finals(stream.input_finished())


def _finals(events: Sequence[SessionEvent]) -> list[Transcript]:
    for event in events:
        if isinstance(event, SegmentFailed):
            complain(f"segment {event.segment_id} has no text: {event.message} ({event.code})")
    return [event for event in events if isinstance(event, Transcript) and event.is_final]


def _rendered(source: str, transcripts: Sequence[Transcript], form: str) -> str:
    if form == "json":
        return json.dumps({"file": source, "segments": [_as_json(one) for one in transcripts]}, ensure_ascii=False) + "\n"
    return WRITERS[form]([Segment(seconds(one.start), seconds(one.end), one.text) for one in transcripts])


def _as_json(transcript: Transcript) -> dict[str, Any]:
    """As in a ``result`` of the native protocol: times in seconds, to the millisecond."""
    return {
        **_span(transcript),
        "text": transcript.text,
        "confidence": wire_confidence(transcript.confidence),
        "language": transcript.language,
        "words": [
            {**_span(word), "text": word.text, "confidence": wire_confidence(word.confidence)} for word in transcript.words
        ],
    }


def _span(said: Transcript | Word) -> dict[str, float]:
    return {"start": wire_seconds(seconds(said.start)), "end": wire_seconds(seconds(said.end))}


class _AudioTime(ProgressColumn):
    """``0:12 of 0:44``: how far into the recording."""

    def render(self, task: Task) -> Text:
        total = f" of {_minutes(task.total)}" if task.total is not None else ""
        return Text(f"{_minutes(task.completed)}{total}", style="progress.download")


def _minutes(duration: float) -> str:
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes}:{rest:02}"


def _progress() -> Progress:
    """Bars on stderr, gone when done; nothing at all where stderr is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        _AudioTime(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=False,  # it may be a pipe
    )
