"""``starling transcribe``: recordings to text files, on this machine or at a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from starling.cli import flags
from starling.cli.exits import ExitCode

EXAMPLES = (
    "starling transcribe talk.mp3",
    "starling transcribe *.mp4 --format srt,vtt --output-dir subtitles",
    "starling transcribe recordings/ --output-dir texts --jobs 4",
    "starling transcribe call.wav --channels separate --server https://captions.example",
    "curl -s https://captions.example/talk.ogg | starling transcribe - --format json",
)


def transcribe(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Recordings of any format, or directories of them; - is standard input.", show_default=False
        ),
    ],
    *,
    forms: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            metavar="txt|srt|vtt|tsv|json",
            help="What to write; several with commas, or given again, with --output-dir.",
            show_default="txt",
        ),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", metavar="DIR", help="Write NAME.FORMAT here.", show_default="standard output"),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Of directories, do what is done already too.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", metavar="N", min=1, max=256, help="Recordings at once.", show_default="one per core; 4 at a server"
        ),
    ] = None,
    channels: Annotated[
        Literal["mixed", "separate"], typer.Option("--channels", help="One text of all channels, or one of each.")
    ] = "mixed",
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="Let this server do it, which keeps them as jobs.", show_default="here"),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="At a server: Ctrl-C leaves the jobs there, and the same command finds them again.")
    ] = False,
    callback: flags.CallbackUrl = None,
    callback_secret: flags.CallbackSecret = None,
    api_key: flags.ApiKey = None,
    ca: flags.Ca = None,
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

    Works on this machine, without a server, several recordings side by side; or at a --server, where they are jobs. A file that
    cannot be read is reported and the others are still done; then the exit code is 1. Without --output-dir the text goes to
    standard output: JSON as one line per recording, several texts each below the name of theirs. With it, each file that was
    written is named on standard error, and of a directory only what is new or has changed is done: a run that was interrupted
    goes on where it was. Ctrl-C cancels the jobs that a server has of this command, unless they are to --keep.
    """
    from starling.cli.transcribing import plan
    from starling.cli.transcribing_all import Wish, transcribe_all
    from starling.cli.transcripts import forms_of
    from starling.core.errors import InvalidOption
    from starling.core.jobs import Channels

    if server is None and (callback or callback_secret):
        raise InvalidOption("--callback is told by a server: name it with --server, or leave --callback out")
    chosen = forms_of(forms or ["txt"])
    wish = Wish(
        forms=chosen,
        options=flags.session_options(
            language=language,
            endpoint_silence=endpoint_silence,
            finished_silence=finished_silence,
            words=words,
            vad=vad,
            quality=quality,
            hotword=hotword,
            hotwords=hotwords,
        ),
        channels=Channels(channels),
        count=jobs,
        server=server,
        credentials=flags.credentials(api_key, ca) if server is not None else None,
        keep=keep,
        telling=flags.telling(callback, callback_secret),
        debug=bool(context.find_root().params.get("debug")),
    )
    planned = plan(files, chosen, output_dir)
    failed = transcribe_all(planned, wish, again=again)
    return ExitCode.FAILURE if failed else ExitCode.OK
