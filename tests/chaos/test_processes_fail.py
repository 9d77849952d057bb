"""Processes of a real server are killed, stopped and drained while people speak; nobody's captions change for it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from websockets.asyncio.client import connect as dial

from chaos.brittle_gateway import DEADLY_HEADER
from chaos.deadly_client import deadly
from chaos.platform_harness import Final, all_captions, caption, platform
from chaos.poisoned_worker import poisonous
from patience import PATIENCE
from processes import strike
from recordings import recording
from starling import Recognizer
from starling.client.errors import SessionAborted
from starling.core.audio import Samples, seconds
from starling.core.errors import StarlingError
from starling.core.ports import Engine
from starling.engine.scripted import ScriptedEngine
from starling.protocols.wire import riva_asr_pb2 as wire

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes share memory on Linux only")

BECKETT = recording("beckett")


def undisturbed(sound: Samples, engine: Engine | None = None) -> list[Final]:
    with Recognizer(engine=engine) as recognizer:
        said = list(recognizer.transcribe(sound))
    return [(final.segment_id, final.text, round(seconds(final.start), 3), round(seconds(final.end), 3)) for final in said]


def scripted(sound: Samples) -> list[Final]:
    return undisturbed(sound, ScriptedEngine())


def test_captions_are_the_same_whichever_workers_are_killed(tmp_path: Path) -> None:
    sounds = [BECKETT[n * 4000 :] for n in range(6)]

    async def scenario() -> None:
        async with platform(workers=2, directory=tmp_path) as server:
            talking = asyncio.create_task(all_captions(server.url, sounds, speed=2))
            for turn in range(3):
                await server.until_heard(len(sounds), 1.0)
                victim = server.of_role("worker")[turn % 2]
                os.kill(victim, signal.SIGKILL)
                await server.ended(victim)
                await server.until_logged("process ready", 4 + turn)
            assert await talking == [scripted(sound) for sound in sounds]

    asyncio.run(scenario())


def test_a_lone_worker_that_is_killed_takes_its_sessions_up_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with platform(workers=1, directory=tmp_path) as server:
            talking = asyncio.create_task(caption(server.url, BECKETT, speed=2))
            await server.until_heard(1, 1.5)
            os.kill(server.of_role("worker")[0], signal.SIGSEGV)
            assert await talking == scripted(BECKETT)

    asyncio.run(scenario())


def test_a_worker_that_stands_still_is_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with platform(workers=2, directory=tmp_path) as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT, BECKETT], speed=2))
            await server.until_heard(2, 1.0)
            stopped, _ = server.of_role("worker")
            os.kill(stopped, signal.SIGSTOP)
            await server.ended(stopped)
            assert await talking == [scripted(BECKETT)] * 2
            assert any('"cause": "stopped"' in line for line in server.log)

    asyncio.run(scenario())


def test_a_reload_replaces_every_worker_and_disturbs_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with platform(workers=2, directory=tmp_path) as server:
            before = server.of_role("worker")
            talking = asyncio.create_task(all_captions(server.url, [BECKETT] * 3, speed=1))
            await server.until_heard(3, 1.0)
            strike(server.process, signal.SIGHUP)
            await server.until_logged("process ready", 5)
            for pid in before:
                await server.ended(pid)
            assert len(server.of_role("worker")) == 2
            assert await talking == [scripted(BECKETT)] * 3

    asyncio.run(scenario())


def test_a_server_that_is_told_to_end_lets_open_segments_finish(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with platform(workers=2, directory=tmp_path) as server:
            talking = asyncio.create_task(caption(server.url, BECKETT, speed=1))
            await server.until_heard(1, 3.0)
            strike(server.process, signal.SIGTERM)
            with pytest.raises(StarlingError, match="shutting down"):
                await talking
            await server.until_logged("final sent")  # of what was said before
            await server.process.wait()

    asyncio.run(scenario())


def test_children_go_with_their_supervisor(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with platform(workers=2, directory=tmp_path, status=-signal.SIGKILL) as server:
            children = server.of_role("worker") + server.of_role("gateway")
            assert len(children) == 3
            os.kill(server.pid, signal.SIGKILL)
            for pid in children:
                await server.ended(pid)

    asyncio.run(scenario())


@pytest.mark.model
def test_the_real_model_says_the_same_though_its_worker_is_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with platform(workers=2, directory=tmp_path, settings={"STARLING_ENGINE__NAME": "moonshine-tiny-en"}) as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT, BECKETT], speed=1))
            await server.until_heard(2, 4.0)
            os.kill(server.of_role("worker")[0], signal.SIGKILL)
            assert await talking == [undisturbed(BECKETT)] * 2

    asyncio.run(scenario())


def test_audio_that_ends_two_workers_ends_its_own_session_and_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
        async with platform(workers=2, directory=tmp_path, settings=paths, module="chaos.poisoned") as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT] * 3, speed=1))
            with pytest.raises(SessionAborted, match="ended its recognizer twice") as ended:
                await caption(server.url, poisonous(BECKETT), speed=4)
            assert ended.value.reason == "quarantined"
            assert await talking == [scripted(BECKETT)] * 3
            assert sum('"cause": "crash"' in line and '"event": "process ended"' in line for line in server.log) == 2

    asyncio.run(scenario())


def test_bytes_that_end_two_gateways_are_not_unpacked_by_a_third(tmp_path: Path) -> None:
    async def scenario() -> None:
        paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
        async with platform(workers=1, directory=tmp_path, settings=paths, module="chaos.brittle") as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT] * 2, speed=1))
            await server.until_logged("session opened", 2)
            for deaths in (1, 2):
                assert (await deadly(server.url))["type"] == "ready"
                await server.until_logged("process ready", 2 + deaths)
            last = await deadly(server.url)
            assert (last["type"], last["code"]) == ("error", "quarantined"), last
            assert await talking == [scripted(BECKETT)] * 2
            assert sum('"cause": "crash"' in line and '"event": "process ended"' in line for line in server.log) == 2

    asyncio.run(scenario())


def test_whose_request_ends_two_gateways_is_not_read_a_third_time(tmp_path: Path) -> None:
    async def deadly(port: int) -> bytes:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /healthz HTTP/1.1\r\n" + DEADLY_HEADER + b": yes\r\n\r\n")
            answer = await reader.read()
            writer.close()
        except ConnectionError:
            return b""
        return answer

    async def scenario() -> None:
        paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
        async with platform(workers=1, directory=tmp_path, settings=paths, module="chaos.brittle") as server:
            port = urlsplit(server.url).port
            assert port is not None
            for deaths in (1, 2):
                assert await deadly(port) == b""
                await server.until_logged("process ended", deaths)
                await server.until_logged("process ready", 2 + deaths)
            await server.until_logged("sender banned", 1)
            for _ in range(3):
                assert await deadly(port) == b""
            assert sum('"event": "process ended"' in line for line in server.log) == 2

    asyncio.run(scenario())


def test_a_gateway_that_is_killed_is_missed_by_nobody(tmp_path: Path) -> None:
    sounds = [BECKETT[n * 4000 :] for n in range(4)]

    async def scenario() -> None:
        async with platform(workers=2, directory=tmp_path) as server:
            talking = asyncio.create_task(all_captions(server.url, sounds, speed=1))
            for restarts in (1, 2):
                await server.until_heard(len(sounds), 1.5)
                [gateway] = server.of_role("gateway")
                os.kill(gateway, signal.SIGKILL)
                await server.ended(gateway)
                await server.until_logged("process ready", 3 + restarts)
            assert await talking == [scripted(sound) for sound in sounds]
            assert any('"event": "sessions adopted"' in line and '"sessions": 4' in line for line in server.log)

    asyncio.run(scenario())


def test_a_reload_with_wrong_settings_changes_nothing_and_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "starling.toml"

    async def scenario() -> None:
        async with platform(workers=1, directory=tmp_path) as server:
            [before] = server.of_role("worker")
            file.write_text("[segmentation]\nmin_speech = 'long'\n")
            strike(server.process, signal.SIGHUP)
            await server.until_logged("settings not reloaded")
            assert any("segmentation.min_speech: expected a number" in line for line in server.log)
            file.write_text("[segmentation]\nidle_checkpoint = 59\n")  # more than the memory that was laid out takes
            strike(server.process, signal.SIGHUP)
            await server.until_logged("settings not reloaded", 2)
            assert server.of_role("worker") == [before]
            file.write_text("[log]\nlevel = 'warning'\n[engine]\nprecision = 'exact'\n[server]\nmax_sessions = 7\n")
            strike(server.process, signal.SIGHUP)
            await server.until_logged("settings need a restart")
            assert any('"settings": ["engine.precision", "server.max_sessions"]' in line for line in server.log)
            await server.ended(before)
            assert len(server.of_role("worker")) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("protocol", ["vosk", "riva"])
def test_clients_of_other_servers_find_their_port_again_after_the_gateway_was_killed(tmp_path: Path, protocol: str) -> None:
    speak = {"vosk": vosk, "riva": riva}[protocol]

    async def scenario() -> None:
        async with platform("--protocols", f"{protocol}:0", workers=1, directory=tmp_path) as server:
            await server.until_logged("serving")
            [port] = [int(found[1]) for line in server.log if (found := re.search(rf'"protocols": "{protocol}:(\d+)"', line))]
            restarts = sum('"event": "process ready"' in line for line in server.log)
            before = await speak(port)
            assert before
            [gateway] = server.of_role("gateway")
            os.kill(gateway, signal.SIGKILL)
            await server.ended(gateway)
            await server.until_logged("process ready", 1 + restarts)
            assert await speak(port) == before

    asyncio.run(scenario())


@pytest.mark.parametrize("role", ["worker", "gateway"])
def test_copies_outlive_their_template_and_a_killed_one_is_back_at_once(tmp_path: Path, role: str) -> None:
    async def scenario() -> None:
        async with platform(workers=2, directory=tmp_path) as server:
            talking = asyncio.create_task(all_captions(server.url, [BECKETT] * 3, speed=1))
            before, [template] = server.of_role(role), server.of_role(f"template-{role}"[:15])
            os.kill(template, signal.SIGKILL)
            await server.until_logged("template ready", 3)
            assert server.of_role(role) == before
            os.kill(before[0], signal.SIGKILL)
            await server.until_logged("process ready", 4)
            [template] = server.of_role(f"template-{role}"[:15])
            os.kill(template, signal.SIGSTOP)
            os.kill(server.of_role(role)[-1], signal.SIGKILL)
            await server.until_logged("process ready", 5)
            assert await talking == [scripted(BECKETT)] * 3

    asyncio.run(scenario())


async def vosk(port: int) -> str:
    """The last text for a Vosk client that says everything at once."""
    async with dial(f"ws://127.0.0.1:{port}", compression=None, open_timeout=None) as socket:
        await socket.send('{"config": {"sample_rate": 16000}}')
        await socket.send(BECKETT.tobytes())
        await socket.recv()
        await socket.send('{"eof" : 1}')
        text: str = json.loads(await socket.recv())["text"]
        return text


async def riva(port: int) -> str:
    """The last text for a Riva client that sends a recording."""
    config = wire.RecognitionConfig(encoding=wire.LINEAR_PCM, sample_rate_hertz=16000)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        recognize = channel.unary_unary("/nvidia.riva.asr.RivaSpeechRecognition/Recognize")
        request = wire.RecognizeRequest(config=config, audio=BECKETT.tobytes())
        response = wire.RecognizeResponse.FromString(
            await recognize(request.SerializeToString(), wait_for_ready=True, timeout=PATIENCE)
        )
    return response.results[-1].alternatives[0].transcript


def test_what_keeps_the_model_from_loading_reaches_who_starts_the_server(tmp_path: Path) -> None:
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "chaos.modelless", "serve", "--port", "0", "--workers", "2"],
        env=os.environ | paths, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "the weights are on holiday" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
