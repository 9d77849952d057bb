"""The work of ``starling transcribe``: recordings one after the other or side by side, here or at a server."""

from __future__ import annotations

import os
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starling.cli.recorded import STANDARD_INPUT
from starling.cli.report import complain
from starling.cli.transcripts import Said, rendered
from starling.core.errors import InvalidOption, StarlingError
from starling.transcriber.damage import NO_SPEECH

RECORDED: Final = frozenset({
    "3ga", "3gp", "aac", "ac3", "aif", "aiff", "amr", "au", "avi", "caf", "flac", "flv", "gsm", "m4a", "m4b", "mka", "mkv", "mov",
    "mp2", "mp3", "mp4", "mpeg", "mpg", "oga", "ogg", "opus", "spx", "tta", "w64", "wav", "webm", "wma", "wmv", "wv",
})  # fmt: skip
"""Endings of the names that are taken for recordings where a whole directory is named. What is inside decides nevertheless."""


@dataclass(frozen=True, slots=True)
class Job:
    """One recording (a path, or ``-``), and the files its transcript goes to, whose endings say how; none is standard output.

    ``listed``: it was found in a directory, and not named itself.
    """

    source: str
    targets: tuple[Path, ...] = ()
    listed: bool = False

    @property
    def done(self) -> bool:
        """Whether a run before this one wrote all of its transcripts, and the recording has not changed since.

        A transcript takes its name only once it is whole, so one that is there is.
        """
        if not self.targets or not self.listed:
            return False
        try:
            return min(target.stat().st_mtime for target in self.targets) >= Path(self.source).stat().st_mtime
        except OSError:
            return False


@dataclass(slots=True)
class Outcome:
    """What came of a recording: all that was said before the ``problem``, if there was one."""

    said: list[Said] = field(default_factory=list)
    problem: str | None = None


def plan(sources: Sequence[str], forms: tuple[str, ...], output_dir: Path | None) -> list[Job]:
    """A job for each recording of ``sources``, which are files, directories or ``-``; ``output_dir`` is made.

    Of a directory, transcripts lie in ``output_dir`` as their recordings do in it; where recordings differ in their endings only,
    transcripts keep them. Raises InvalidOption where outputs would get in each other's way, and for a directory without a
    recording.
    """
    if output_dir is None and len(forms) > 1:
        raise InvalidOption(
            f"expected --output-dir for several formats ({', '.join(forms)}): leave all but one of them out, or name it"
        )
    found = [one for source in sources for one in _recordings(source)]
    if output_dir is None:
        if forms[0] in {"srt", "vtt", "tsv"} and len(found) > 1:
            raise InvalidOption(f"expected --output-dir for {len(found)} recordings: {forms[0]} files cannot follow one another")
        return [Job(source, (), listed) for source, _, listed in found]
    jobs: dict[Path, Job] = {}
    short = Counter(place.with_suffix("") for _, place, _ in found)
    for source, place, listed in found:
        alone = short[place.with_suffix("")] == 1
        targets = tuple(
            output_dir / (place.with_suffix(f".{form}") if alone else place.with_name(f"{place.name}.{form}")) for form in forms
        )
        first = targets[0]
        if first in jobs:
            raise InvalidOption(f"{jobs[first].source} and {source} would both be written to {first}: transcribe them separately")
        jobs[first] = Job(source, targets, listed)
    output_dir.mkdir(parents=True, exist_ok=True)
    return list(jobs.values())


def _recordings(source: str) -> list[tuple[str, Path, bool]]:
    """Paths, where their transcripts belong, and whether they were listed."""
    path = Path(source)
    if source == STANDARD_INPUT:
        return [(source, Path("stdin"), False)]
    if not path.is_dir():
        return [(source, Path(path.name), False)]
    files = (Path(place, name) for place, _, names in os.walk(path) for name in names)
    listed = sorted(file for file in files if file.suffix.lower().removeprefix(".") in RECORDED)
    if not listed:
        raise InvalidOption(f"expected recordings in {source}, found none: name files whose endings are unusual one by one")
    return [(str(file), file.relative_to(path), True) for file in listed]


def report(job: Job, outcome: Outcome, form: str, *, titled: bool) -> bool:
    """Write what came of a job, and say what was wrong with it. ``form``: on standard output, where
    a ``titled`` text gets its name.

    Whether nothing was.
    """
    problem = outcome.problem
    if problem is None and not outcome.said:
        complain(f"{job.source}: no speech was heard")
    if problem is None or outcome.said:
        whole = problem is None
        for target in job.targets:
            text = rendered(job.source, outcome.said, target.suffix.removeprefix("."))
            problem = _written(target, text, whole=whole) or problem
        if not job.targets:
            text = rendered(job.source, outcome.said, form)
            sys.stdout.write(f"==> {job.source} <==\n{text}\n" if titled and form == "txt" else text)
            sys.stdout.flush()
    if problem is not None:
        complain(problem)
    return problem is None


def _written(target: Path, text: str, *, whole: bool) -> str | None:
    """Write a file that is there at once, or not at all; what kept it from that. One that is not ``whole`` looks old."""
    done = "replaced" if target.exists() else "wrote"
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        if not whole:
            os.utime(part, (0, 0))
        part.replace(target)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        return f"{target}: {error.strerror}"
    complain(f"{done} {target}")
    return None


def damages(source: str, warnings: Iterable[tuple[str, str]]) -> str | None:
    """What was wrong with a recording that could be read in part. ``warnings``: codes and messages."""
    return "\n".join(f"{source}: {message}" for code, message in warnings if code != NO_SPEECH) or None


def failure(source: str, error: StarlingError | OSError, *, debug: bool) -> str:
    """What was wrong. ``debug``: the traceback goes to stderr."""
    if debug:
        traceback.print_exception(error)
    return f"{source}: {error.message if isinstance(error, StarlingError) else error.strerror or str(error)}"
