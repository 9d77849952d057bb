"""The work of ``starling demo``: the server, the recording through it, and the verdict."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from starling.app import Running, running
from starling.audio import duration
from starling.cli.exits import ExitCode
from starling.cli.interrupts import interrupts
from starling.cli.live import Heard, caption, presenter
from starling.cli.reach import to_open
from starling.cli.recorded import recorded
from starling.cli.report import complain, printable, say
from starling.client.options import Options
from starling.client.sample import REFERENCE, WORD_ERROR_LIMIT, sample_recording
from starling.client.word_errors import word_error_rate
from starling.config.doctor import Status, check_port
from starling.config.loading import load_settings
from starling.config.settings import Settings
from starling.core.errors import StarlingError


async def demonstrate(*, once: bool, file: Path | None, port: int | None) -> ExitCode:
    """Serve, caption ``file`` (None: the sample recording), and go on serving until Ctrl-C unless ``once``.

    Raises StarlingError when the server cannot start or the recording cannot be read.
    """
    recording = file or sample_recording()
    length = duration(recording)
    settings = _settings(port, any_free=once and port is None)
    with Console(stderr=True).status("Loading the model ...") as status:
        async with running(settings) as server:
            status.stop()
            _say(f"Starling listens on {to_open(server.url)}")
            _say(f"Captioning {printable(recording.name)}{f' ({length:.0f} s)' if length else ''} as if it were spoken now:\n")
            heard = await caption(
                to_open(server.stream_url), recorded(str(recording), speed=1), presenter(as_json=False), Options()
            )
            _say(f"\n{heard.latency}")
            right = _judge(heard) if file is None and not heard.interrupted else True
            if not once and not heard.interrupted:
                await _serve_on(server)
    if once and heard.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if right or not once else ExitCode.FAILURE


def _settings(port: int | None, *, any_free: bool) -> Settings:
    """The effective settings with a quiet log; ``any_free`` takes another port where theirs is taken.

    For this machine alone, so that the demo's own client needs neither key nor certificate.
    """
    quiet = {"log.level": "warning", "server.host": "127.0.0.1", "auth.mode": "open"}
    settings = _plain(load_settings(overrides=quiet | {"server.port": port}).settings)
    check = check_port(settings)
    if check.status is Status.OK:
        return settings
    if any_free:
        return _plain(load_settings(overrides=quiet | {"server.port": 0}).settings)
    raise StarlingError(f"cannot listen on {check.detail}: choose another port with --port, or any free one with --port 0")


def _plain(settings: Settings) -> Settings:
    """``settings`` without TLS."""
    return settings.model_copy(update={"server": settings.server.model_copy(update={"tls_cert": None, "tls_key": None})})


def _judge(heard: Heard) -> bool:
    """Whether the sample's text is right, said aloud."""
    errors = word_error_rate(REFERENCE, " ".join(heard.finals))
    _say(f"word error rate: {errors:.1%} against the novel")
    if errors > WORD_ERROR_LIMIT:
        complain(f"expected at most {WORD_ERROR_LIMIT:.0%} of the words to be wrong: run `starling doctor`")
    return errors <= WORD_ERROR_LIMIT


async def _serve_on(server: Running) -> None:
    _say(f"\nThe console is at {to_open(server.url)}: speak into it, or drop a recording. Ctrl-C ends.")
    with interrupts() as stop:
        await stop.wait()


def _say(message: str) -> None:
    for line in message.split("\n"):
        say(line, sys.stdout)
