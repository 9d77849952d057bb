"""``starling stream`` and ``starling mic`` as a person runs them: a process of their own, against a scripted server."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from client.scripted_server import DONE, READY, Peer, Script, playing, result
from patience import PATIENCE
from processes import strike
from recordings import recording_path
from starling.protocols.native.messages import End, Error, Start, decode_server

CHIME = str(recording_path("success"))
SPEECH = str(recording_path("beckett"))
FIRST = result("It was the best of times.", final=True)
PARTIAL = result("it was the worst", segment_id=1)
SECOND = result("It was the worst of times.", segment_id=1, version=1, final=True)


def run(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await test

    asyncio.run(bounded())


@asynccontextmanager
async def starling(*arguments: str, **settings: Any) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starling", *arguments, **({"stdout": PIPE, "stderr": PIPE} | settings)
    )
    try:
        yield process
    finally:
        strike(process, signal.SIGKILL)
        await process.communicate()  # the loop must hear that the pipes ended before it does


async def short(peer: Peer) -> None:
    """Two finals, and a segment that failed."""
    await peer.expect(Start)
    await peer.send(READY)
    await peer.expect(End)
    failed = Error(sequence=5, code="engine_failed", message="the decode raised", retryable=True, segment_id=2)
    await peer.send(FIRST, PARTIAL, SECOND, failed, DONE)
    await peer.close(1000)


async def endless(peer: Peer) -> None:
    """A final and a partial at once; the rest only when the client has ended."""
    await peer.expect(Start)
    await peer.send(READY, FIRST, PARTIAL)
    await peer.expect(End)
    await peer.send(SECOND, DONE)
    await peer.close(1000)


def test_a_pipe_gets_the_finals_and_stderr_the_complaints() -> None:
    async def test() -> None:
        async with playing(short) as url, starling("stream", CHIME, "--url", url, "--speed", "0") as process:
            out, err = await process.communicate()
        assert out.decode() == "It was the best of times.\nIt was the worst of times.\n"
        assert err.decode() == "starling: segment 2 has no text: the decode raised (engine_failed)\n"
        assert process.returncode == 0

    run(test())


def test_json_is_every_message_on_a_line() -> None:
    async def test() -> None:
        async with playing(short) as url, starling("stream", CHIME, "--url", url, "--speed", "0", "--json") as process:
            out, _ = await process.communicate()
        messages = [decode_server(line) for line in out.decode().splitlines()]
        assert [type(message).__name__ for message in messages] == ["Ready", "Result", "Result", "Result", "Error", "Done"]
        assert process.returncode == 0

    run(test())


def test_only_given_options_are_asked_for_and_all_of_the_audio_is_sent() -> None:
    async def script(peer: Peer) -> None:
        start = await peer.expect(Start)
        assert isinstance(start, Start)
        assert (start.language, start.endpoint_silence_ms, start.partials) == ("en-GB", 800, False)
        assert (start.finished_silence_ms, start.words, start.partial_words) == (250, True, True)
        await peer.send(READY)
        await peer.expect(End)
        assert len(peer.heard) == pytest.approx(2 * 16_000 * 1.0057, abs=100)
        await peer.send(DONE)
        await peer.close(1000)

    async def test() -> None:
        arguments = ["--speed", "0", "--language", "en-GB", "--endpoint-silence", "0.8", "--no-partials"]
        arguments += ["--finished-silence", "0.25", "--words", "--partial-words"]
        async with playing(script) as url, starling("stream", CHIME, "--url", url, *arguments) as process:
            await process.communicate()
        assert process.returncode == 0

    run(test())


def test_standard_input_is_a_recording_too() -> None:
    heard = 0
    chime = Path(CHIME).read_bytes()

    async def script(peer: Peer) -> None:
        nonlocal heard
        await short(peer)
        heard = len(peer.heard)

    async def test() -> None:
        async with playing(script) as url, starling("stream", "-", "--url", url, "--speed", "0", stdin=PIPE) as process:
            await process.communicate(chime)
        assert process.returncode == 0
        assert heard > 32_000

    run(test())


def test_ctrl_c_works_while_a_pipe_says_nothing() -> None:
    async def test() -> None:
        async with playing(endless) as url, starling("stream", "-", "--url", url, stdin=PIPE) as process:
            assert process.stdout is not None
            await process.stdout.readline()
            strike(process, signal.SIGINT)
            await process.stdout.read()
            assert await process.wait() == 130

    run(test())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_properly_with_the_last_final(number: signal.Signals) -> None:
    async def test() -> None:
        async with playing(endless) as url, starling("stream", SPEECH, "--url", url) as process:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"It was the best of times.\n"
            strike(process, number)
            out, err = await process.communicate()
        assert out.decode() == "It was the worst of times.\n"
        assert err.decode() == ""
        assert process.returncode == 130

    run(test())


def test_a_second_ctrl_c_does_not_wait_for_the_server() -> None:
    ended = asyncio.Event()

    async def deaf(peer: Peer) -> None:
        await peer.expect(Start)
        await peer.send(READY, FIRST)
        await peer.expect(End)
        ended.set()
        await peer.expect(End)

    async def test() -> None:
        async with playing(deaf) as url, starling("stream", SPEECH, "--url", url) as process:
            assert process.stdout is not None
            await process.stdout.readline()
            strike(process, signal.SIGINT)
            await ended.wait()
            strike(process, signal.SIGINT)
            _, err = await process.communicate()
        assert process.returncode == 130
        assert err == b""

    run(test())


def test_a_reader_that_goes_away_is_no_drama() -> None:
    async def chatty(peer: Peer) -> None:
        await peer.expect(Start)
        await peer.send(READY)
        for segment_id in count():  # more than a pipe holds that nobody reads
            await peer.send(result("It was the age of wisdom.", segment_id=segment_id, final=True))

    async def test() -> None:
        reader, writer = os.pipe()
        async with playing(chatty) as url, starling("stream", SPEECH, "--url", url, stdout=writer) as process:
            os.close(writer)
            assert await asyncio.to_thread(os.read, reader, 5) == b"It wa"
            os.close(reader)
            _, err = await process.communicate()
        assert (process.returncode, err) == (141, b"")

    run(test())


def test_a_server_that_vanishes_is_one_line_and_1() -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Start)
        await peer.send(READY, FIRST)
        peer.vanish()

    async def test() -> None:
        async with playing(script) as url, starling("stream", SPEECH, "--url", url) as process:
            out, err = await process.communicate()
        assert out == b"It was the best of times.\n"
        assert err.decode().startswith("starling: the server ended the connection before the session was done (close code 1006")
        assert err.count(b"\n") == 1
        assert process.returncode == 1

    run(test())


@pytest.mark.parametrize("done", [True, False])
def test_a_server_that_ends_the_session_is_one_line_and_1(*, done: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Start)
        leaving = Error(sequence=2, code="shutting_down", message="the server is shutting down", retryable=True)
        await peer.send(READY, FIRST, leaving, *([DONE] if done else []))
        await peer.close(1012)

    async def test() -> None:
        async with playing(script) as url, starling("stream", SPEECH, "--url", url) as process:
            out, err = await process.communicate()
        assert out == b"It was the best of times.\n"
        assert b"shutting down" in err
        assert err.count(b"\n") == 1, err
        assert process.returncode == 1

    run(test())


def on_a_terminal(*arguments: str, until: Callable[[bytes], bool] | None = None) -> tuple[int, str]:
    """Run ``starling`` on a pseudo-terminal; press Ctrl-C once ``until`` says so. Returns the exit code and what was written."""
    main, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "starling", *arguments]
    process = subprocess.Popen(  # noqa: S603 - our own
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
    )
    os.close(terminal)
    written = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:  # how Linux reports that the other side is closed
            break
        if not piece:
            break
        written += piece
        if until and until(written):
            until = None
            process.send_signal(signal.SIGINT)
    os.close(main)
    return process.wait(), written.decode()


def play_on_a_terminal(script: Script, *arguments: str, until: Callable[[bytes], bool] | None = None) -> tuple[int, str]:
    outcome: list[tuple[int, str]] = []

    async def test() -> None:
        async with playing(script) as url:
            outcome.append(await asyncio.to_thread(on_a_terminal, *arguments, "--url", url, until=until))

    run(test())
    return outcome[0]


def test_on_a_terminal_partials_are_dim_and_rewritten_and_finals_stay() -> None:
    code, written = play_on_a_terminal(endless, "stream", SPEECH, until=lambda seen: b"worst" in seen)
    assert code == 130
    assert "It was the best of times.\x1b[K\r\n" in written
    assert "\x1b[2mit was the worst\x1b[0m\x1b[J" in written
    assert "\rIt was the worst of times.\x1b[K\r\n\x1b[J" in written
    assert "latency (median)" in written
    assert written.index("latency") > written.index("It was the worst of times.")
    assert "^C" not in written


def test_on_a_terminal_no_colour_is_ever_used() -> None:
    _, written = play_on_a_terminal(short, "stream", CHIME, "--speed", "0")
    assert "\x1b[3" not in written
