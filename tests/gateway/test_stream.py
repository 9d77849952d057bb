"""Sessions over a real socket."""

import asyncio
import json
import re
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection

from gateway.gateway_harness import BRIEFLY, END, FINALIZE, START, Served, hear, run, served, until
from patience import PATIENCE
from starling.core.audio import FRAME
from starling.core.config import SessionConfig, VadMode
from starling.core.errors import EngineFailed
from starling.core.records import Audio, Configure, Ended, EndReason, Finalize, Gap, Opened
from starling.core.transcript import SegmentFailed, SessionFailed
from starling.gateway.options import GatewayOptions

NOISE = np.random.default_rng(7).integers(-8000, 8000, 16_000).astype("<i2").tobytes()
"""A second the gate takes for voiced."""

NO_GATE = '{"type":"start","vad":"off"}'


def types(said: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in said]


async def opened(client: ClientConnection, start: str = START) -> dict[str, Any]:
    await client.send(start)
    (ready,) = await hear(client, until="ready")
    return ready


def test_a_session_from_start_to_done() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            ready = await opened(client, '{"type":"start","client_ref":"mine","vad":"off"}')
            assert ready["client_ref"] == "mine"
            assert re.fullmatch("[0-9a-f]{16}", ready["session_id"])
            await client.send(NOISE[: 31 * 2 * FRAME])
            said = await hear(client, until="result")
            assert types(said) == ["speech_started", "result"]
            assert said[-1]["text"] == "15872 samples"
            assert said[-1]["session_id"] == ready["session_id"]
            await client.send(FINALIZE)
            (final,) = await hear(client, until="result")
            assert final["is_final"]
            await client.send(END)
            final, done = await hear(client)
            assert (final["end"], done["audio_seconds"]) == (0.992, 0.992)
            assert [message["sequence"] for message in (ready, *said, final, done)] == [0, 1, 2, 4, 5]
            assert client.close_code == 1000
            assert [type(record) for record in it.recognizer.records] == [Opened, Audio, Finalize, Ended]
            assert it.count("starling_sessions_opened_total") == 1
            assert it.count("starling_sessions_ended_total", reason="client") == 1
            assert it.count("starling_audio_in_seconds_total") == 0.992
            assert it.count("starling_results_sent_total", type="final") == 2

    run(scenario)


def test_audio_alone_opens_a_session_with_the_defaults() -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, defaults=SessionConfig(vad=VadMode.OFF, endpoint_silence=0.7))
        async with served(options) as it, it.connect() as client:
            await client.send(NOISE)
            (ready,) = await hear(client, until="ready")
            assert (ready["vad"], ready["endpoint_silence_ms"]) == ("off", 700)
            await client.send(END)
            assert (await hear(client))[-1]["audio_seconds"] == 1.0

    run(scenario)


@pytest.mark.parametrize("traceparent", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-zero", None])
def test_a_trace_goes_on(traceparent: str | None) -> None:
    async def scenario() -> None:
        headers = {"traceparent": traceparent} if traceparent else {}
        async with served() as it, it.connect(additional_headers=headers) as client:
            trace_id = (await opened(client))["trace_id"]
            assert re.fullmatch("[0-9a-f]{32}", trace_id)
            assert (trace_id == "0af7651916cd43dd8448eb211c80319c") is (traceparent is not None and len(traceparent) > 10)

    run(scenario)


def test_silence_does_not_travel_and_positions_hold() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await opened(client)
            await client.send(NOISE + bytes(2 * 16_000 * 10) + NOISE)
            await client.send(END)
            assert (await hear(client))[-1]["audio_seconds"] == 12.0
            heard = [record for record in it.recognizer.records if isinstance(record, Audio | Gap)]
            assert sum(record.count for record in heard if isinstance(record, Gap)) > 7 * 16_000
            assert [record.start for record in heard] == [0, *(record.end for record in heard[:-1])]
            assert max(len(record.samples) for record in heard if isinstance(record, Audio)) <= 16_000
            sequences = [record.sequence for record in it.recognizer.records if not isinstance(record, Opened)]
            assert sequences == list(range(len(sequences)))

    run(scenario)


def test_configure_reaches_the_log_and_the_gate() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await opened(client)
            await client.send(NOISE + bytes(2 * 16_000 * 5 + 200))
            await client.send('{"type":"configure","endpoint_silence_ms":4000}')
            await client.send(bytes(2 * 16_000 * 4) + NOISE)
            await client.send('{"type":"configure","vad":"off"}')
            await client.send(bytes(2 * 16_000 * 9))
            await client.send(END)
            assert (await hear(client))[-1]["type"] == "done"
            records = it.recognizer.records
            heard = [record for record in records if isinstance(record, Audio | Gap)]
            assert [record.start for record in heard] == [0, *(record.end for record in heard[:-1])]
            assert heard[-1].end == 16_000 * 20 + 100
            configured = [index for index, record in enumerate(records) if isinstance(record, Configure)]
            assert not any(isinstance(record, Gap) for record in records[configured[0] :])
            assert all(gap.start % 512 == 0 for gap in heard if isinstance(gap, Gap))

    run(scenario)


@pytest.mark.parametrize(
    ("frame", "code", "closed"),
    [
        ('{"type":"strat"}', "invalid_message", 1008),
        ("{", "invalid_message", 1008),
        (FINALIZE, "invalid_message", 1008),
        (END, "invalid_message", 1008),
        ('{"type":"start","vad":"loud"}', "invalid_option", 1008),
        ('{"type":"start","language":"de"}', "invalid_option", 1008),
        ('{"type":"start","audio":{"encoding":"mp3"}}', "unsupported_audio", 1003),
        ('{"type":"start","audio":{"channels":9}}', "unsupported_audio", 1003),
    ],
)
def test_a_bad_first_frame_is_answered_and_ends_it(frame: str, code: str, closed: int) -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await client.send(frame)
            (error,) = await hear(client)
            assert (error["type"], error["code"], error["sequence"]) == ("error", code, 0)
            assert client.close_code == closed
            assert it.recognizer.records == []

    run(scenario)


@pytest.mark.parametrize("frame", ['{"type":"strat"}', "{", START, '{"type":"configure","vad":"loud"}'])
def test_a_bad_frame_later_is_answered_and_changes_nothing(frame: str) -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await opened(client, NO_GATE)
            await client.send(frame)
            (error,) = await hear(client, until="error")
            assert error["code"] in {"invalid_message", "invalid_option"}
            await client.send(NOISE)
            await client.send(END)
            assert (await hear(client))[-1]["audio_seconds"] == 1.0
            assert client.close_code == 1000

    run(scenario)


def test_audio_after_end_is_refused_and_the_rest_still_comes() -> None:
    async def scenario() -> None:
        async with served(unfinished=True) as it, it.connect() as client:
            await opened(client, NO_GATE)
            await client.send(NOISE)
            await client.send(END)
            await client.send(NOISE)
            said = await hear(client, until="error")
            assert "expected keepalive, end in state 'ending', got audio" in said[-1]["message"]
            it.recognizer.finishing.set()
            assert types(await hear(client))[-2:] == ["result", "done"]
            assert client.close_code == 1000

    run(scenario)


def test_half_a_sample_at_the_end_is_reported_and_the_tail_counts() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await opened(client, NO_GATE)
            await client.send(NOISE + b"\x01")
            await client.send(END)
            said = await hear(client)
            assert [message["code"] for message in said if message["type"] == "error"] == ["corrupt_audio"]
            assert said[-1]["audio_seconds"] == 1.0
            assert client.close_code == 1000

    run(scenario)


def test_audio_that_is_not_what_was_declared_ends_it_with_what_there_was() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await opened(client, '{"type":"start","audio":{"encoding":"wav"}}')
            await client.send(b"this is no RIFF header, nor will it ever be one" * 20)
            said = await hear(client)
            assert [message["code"] for message in said if message["type"] == "error"] == ["corrupt_audio"]
            assert said[-1]["type"] == "done"
            assert client.close_code == 1007
            assert (await it.recognizer.ended.get()).reason is EndReason.ERROR

    run(scenario)


def test_a_failed_segment_is_told_and_the_session_goes_on() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            session_id = (await opened(client, NO_GATE))["session_id"]
            await it.bus.publish(SegmentFailed(session_id, 3, EngineFailed.code, "no memory"))
            (error,) = await hear(client, until="error")
            assert (error["code"], error["segment_id"], error["retryable"]) == ("engine_failed", 3, True)
            await client.send(END)
            assert types(await hear(client)) == ["result", "done"]

    run(scenario)


def test_a_session_given_up_by_recognition_is_closed() -> None:
    async def scenario() -> None:
        async with served(held=True) as it, it.connect() as client:
            session_id = (await opened(client, NO_GATE))["session_id"]
            await it.log.forget(session_id)
            await client.send(NOISE)
            await it.bus.publish(SessionFailed(session_id, "internal", "the recognizer failed"))
            assert [message["code"] for message in await hear(client)] == ["internal"]
            assert client.close_code == 1011
            it.recognizer.records.clear()

    run(scenario)


@pytest.mark.parametrize("abrupt", [True, False])
def test_who_vanishes_mid_word_is_finalised_at_once(abrupt: bool) -> None:  # noqa: FBT001  # a parameter of pytest
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await opened(client, NO_GATE)
            await client.send(NOISE)
            await hear(client, until="result")
            if abrupt:
                client.transport.abort()
            else:
                await client.close()
            ended = await it.recognizer.ended.get()
            assert ended.reason is EndReason.DISCONNECTED
            assert it.count("starling_sessions_ended_total", reason="disconnected") == 1

    run(scenario)


def test_who_vanishes_while_waiting_for_the_end_is_noticed() -> None:
    async def scenario() -> None:
        async with served(unfinished=True) as it, it.connect() as client:
            await opened(client, NO_GATE)
            await client.send(END)
            await it.recognizer.ended.get()
            client.transport.abort()
            await gone(it)

    run(scenario)


async def gone(it: Served) -> None:
    """Wait until no session holds a place."""
    await until(lambda: not it.gateway.active)


def test_a_fast_client_is_slowed_down_and_nothing_is_dropped() -> None:
    async def scenario() -> None:
        async with served(max_lead=16_000, held=True) as it, it.connect() as client:
            await opened(client, NO_GATE)
            sending = asyncio.create_task(send_all(client, NOISE * 400))
            await until(lambda: it.log.lag() >= 16_000)
            for _ in range(1000):
                await asyncio.sleep(0)
            assert it.log.lag() <= 2 * 16_000
            assert not sending.done()
            it.recognizer.listening.set()
            await sending
            await client.send(END)
            assert (await hear(client))[-1]["audio_seconds"] == 400.0

    run(scenario)


async def send_all(client: ClientConnection, data: bytes) -> None:
    for start in range(0, len(data), 64_000):
        await client.send(data[start : start + 64_000])


def test_idle_clients_are_told_and_let_go() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, idle_timeout=BRIEFLY)) as it, it.connect() as client:
            await opened(client)
            said = await hear(client)
            assert said[0]["code"] == "idle_timeout"
            assert said[0]["retryable"]
            assert said[-1]["type"] == "done"
            assert client.close_code == 1008

    run(scenario)


def test_waiting_for_room_is_not_idling() -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, idle_timeout=BRIEFLY)
        async with served(options, max_lead=8_000, held=True) as it, it.connect() as client, it.connect() as idler:
            await opened(client, NO_GATE)
            await client.send(NOISE + NOISE)
            await until(lambda: it.log.lag() >= 16_000)
            await opened(idler)
            (error,) = await hear(idler, until="error")  # by now an idle client would have been told
            assert error["code"] == "idle_timeout"
            it.recognizer.listening.set()
            await client.send(END)
            assert (await hear(client))[-1]["audio_seconds"] == 2.0

    run(scenario)


def test_who_never_speaks_gets_no_session() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, start_timeout=BRIEFLY)) as it, it.connect() as client:
            await client.send('{"type":"keepalive"}')
            (error,) = await hear(client)
            assert error["code"] == "idle_timeout"
            assert client.close_code == 1008
            assert it.recognizer.records == []

    run(scenario)


def test_a_session_may_not_last_for_ever() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_session_seconds=BRIEFLY)) as it, it.connect() as client:
            await opened(client)
            said = await hear(client)
            assert "a session may last 0.5 seconds" in said[0]["message"]
            assert said[-1]["type"] == "done"

    run(scenario)


def test_nor_have_more_audio_than_could_be_spoken_in_its_time() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_session_seconds=20)) as it, it.connect() as client:
            await opened(client)
            await client.send(bytes(2 * 16_000 * 30))
            said = await hear(client)
            (refusal,) = [message for message in said if message["type"] == "error"]
            assert "a session may have 20 seconds of audio" in refusal["message"]
            assert said[-1]["type"] == "done"
            assert 20 < said[-1]["audio_seconds"] < 22

    run(scenario)


def test_recognition_that_never_finishes_is_not_waited_for_for_ever() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, finish_timeout=0.05), unfinished=True) as it, it.connect() as client:
            await opened(client)
            await client.send(END)
            (error,) = await hear(client)
            assert "did not finish within 0.05 seconds" in error["message"]
            assert client.close_code == 1011

    run(scenario)


def test_drain_lets_everybody_finish() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client, it.connect() as newcomer:
            await opened(client, NO_GATE)
            await client.send(NOISE)
            await hear(client, until="result")
            assert await it.gateway.drain(PATIENCE) == 0
            assert not it.health.ready
            final, error, done = await hear(client)
            assert final["is_final"]
            assert (error["code"], error["retryable"], done["type"]) == ("shutting_down", True, "done")
            assert client.close_code == 1012
            assert (await it.recognizer.ended.get()).reason is EndReason.SHUTDOWN
            assert [message["code"] for message in await hear(newcomer)] == ["shutting_down"]

    run(scenario)


def test_drain_gives_up_after_its_grace() -> None:
    async def scenario() -> None:
        async with served(unfinished=True) as it, it.connect() as client:
            await opened(client, NO_GATE)
            assert await it.gateway.drain(0.05) == 1
            it.recognizer.finishing.set()
            assert types(await hear(client))[-2:] == ["error", "done"]

    run(scenario)


def test_messages_are_json_of_the_protocol() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await client.send(START)
            assert json.loads(await client.recv())["type"] == "ready"

    run(scenario)
