"""``starling transcribe``: recordings to text files, on this machine, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from starling.cli import flags
from starling.cli.exits import ExitCode

EXAMPLES = (
    "starling transcribe talk.mp3",
    "starling transcribe *.mp4 --format srt --output-dir subtitles",
    "curl -s https://captions.example/talk.ogg | starling transcribe - --format json",
)


def transcribe(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Recordings of any format; - is standard input.", show_default=False)
    ],
    *,
    form: Annotated[Literal["txt", "srt", "vtt", "json"], typer.Option("--format", "-f", help="What to write.")] = "txt",
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", metavar="DIR", help="Write NAME.FORMAT here.", show_default="standard output"),
    ] = None,
    language: flags.Language = None,
    endpoint_silence: flags.EndpointSilence = None,
    finished_silence: flags.FinishedSilence = None,
    words: flags.Words = None,
    vad: flags.VadChoice = None,
    quality: flags.QualityChoice = None,
    hotword: flags.HotWord = None,
    hotwords: flags.HotWordFile = None,
) -> int:
    """Turn recordings into text, subtitles or JSON.

    Works on this machine, without a server. A file that cannot be read is reported and the others are still done; then the
    exit code is 1. Without --output-dir the text goes to standard output: JSON as one line per recording, several texts each
    below the name of theirs. With it, each file that was written is named on standard error.
    """
    from starling.cli.transcribing import Job, plan, transcribe_all

    jobs: list[Job] = plan(files, form, output_dir)
    options = flags.session_options(
        language=language,
        endpoint_silence=endpoint_silence,
        finished_silence=finished_silence,
        words=words,
        vad=vad,
        quality=quality,
        hotword=hotword,
        hotwords=hotwords,
    )
    failed = transcribe_all(jobs, form, options, debug=bool(context.find_root().params.get("debug")))
    return ExitCode.FAILURE if failed else ExitCode.OK
