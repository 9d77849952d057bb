"""``starling stream``: a recording through a server, as if it were spoken now."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from starling.cli import flags
from starling.cli.exits import ExitCode

EXAMPLES = (
    "starling stream talk.mp3",
    "starling stream talk.wav --speed 0 > talk.txt",
    "ffmpeg -i talk.mkv -f wav - | starling stream - --url captions.example:8000",
)


def stream(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A recording of any format, or - for standard input.", show_default=False)
    ],
    *,
    url: flags.Url = flags.DEFAULT_URL,
    speed: Annotated[
        float, typer.Option("--speed", metavar="TIMES", min=0, help="Times real time; 0 sends as fast as the server takes it.")
    ] = 1.0,
    api_key: flags.ApiKey = None,
    ca: flags.Ca = None,
    as_json: flags.Json = False,
    language: flags.Language = None,
    partials: flags.Partials = None,
    partial_interval: flags.PartialInterval = None,
    endpoint_silence: flags.EndpointSilence = None,
    finished_silence: flags.FinishedSilence = None,
    words: flags.Words = None,
    partial_words: flags.PartialWords = None,
    vad: flags.VadChoice = None,
    quality: flags.QualityChoice = None,
    hotword: flags.HotWord = None,
    hotwords: flags.HotWordFile = None,
) -> int:
    """Caption a recording through a server.

    Sends it as if it were spoken now and shows the captions as they come. On a terminal captions grow in place; into a pipe
    go finished lines only. Ctrl-C stops the recording; what was heard is still captioned.
    """
    from starling.cli.eventloop import run
    from starling.cli.live import caption, is_live, presenter, wanted
    from starling.cli.recorded import recorded
    from starling.cli.report import say

    options = flags.session_options(
        language=language,
        partials=partials,
        partial_interval=partial_interval,
        endpoint_silence=endpoint_silence,
        finished_silence=finished_silence,
        words=words,
        partial_words=partial_words,
        vad=vad,
        quality=quality,
        hotword=hotword,
        hotwords=hotwords,
    )
    audio, shown = recorded(file, speed=speed), presenter(as_json=as_json)
    credentials = flags.credentials(api_key, ca)
    heard = run(caption(url, audio, shown, wanted(options, as_json=as_json), credentials=credentials))
    if is_live(sys.stdout) and speed == 1:
        say(heard.latency, sys.stderr)
    return ExitCode.INTERRUPTED if heard.interrupted else ExitCode.OK
