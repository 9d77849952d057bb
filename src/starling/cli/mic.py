"""``starling mic``: this machine's microphone through a server."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from starling.cli import flags
from starling.cli.exits import ExitCode

EXAMPLES = (
    "starling mic",
    "starling mic --list-devices",
    "starling mic --device headset --endpoint-silence 0.8",
)


def mic(
    *,
    url: flags.Url = flags.DEFAULT_URL,
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="Index or part of the name of an input device.")
    ] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="Show the input devices and exit.")] = False,
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
    """Caption what you say, until Ctrl-C.

    Needs the extra package `starling[mic]` and PortAudio (Debian: `apt-get install libportaudio2`).
    """
    from starling.client import microphone

    if list_devices:
        for found in microphone.list_devices():
            typer.echo(f"{'*' if found.is_default else ' '} {found.index:3}  {found.name} ({found.channels} channels)")
        return ExitCode.OK
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
    from starling.cli.eventloop import run
    from starling.cli.live import Heard, caption, is_live, presenter, wanted
    from starling.cli.report import say

    credentials = flags.credentials(api_key, ca)

    async def record() -> Heard:
        with microphone.open_microphone(int(device) if device is not None and device.isdecimal() else device) as capture:
            if sys.stderr.isatty():
                typer.secho("Listening. Ctrl-C ends.", err=True, dim=True)
            return await caption(
                url,
                capture.blocks,
                presenter(as_json=as_json),
                wanted(options, as_json=as_json),
                encoded=capture.audio,
                credentials=credentials,
            )

    heard = run(record())
    if is_live(sys.stdout):
        say(heard.latency, sys.stderr)
    return ExitCode.OK
