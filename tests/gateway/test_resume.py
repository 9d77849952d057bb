"""A client that lost its connection, on real sockets: it gets what it missed, and what it sent is heard once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from gateway.gateway_harness import BRIEFLY, Served, hear, run, served, until
from patience import PATIENCE
from starling.core.audio import FRAME
from starling.core.records import Audio, Ended, EndReason
from starling.gateway.options import GatewayOptions

START = '{"type":"start","vad":"off","resume":true}'
END = '{"type":"end"}'


def noise(count: int) -> bytes:
    return (bytes(range(256)) * (count // 128 + 1))[: 2 * count]


def cut(client: ClientConnection) -> None:
    """Without a goodbye, as a network does."""
    client.transport.abort()


async def opened(client: ClientConnection, start: str = START) -> dict[str, Any]:
    await client.send(start)
    (ready,) = await hear(client, until="ready")
    return ready


def again(it: Served, **options: Any) -> Any:
    return it.connect(query="?resume", **options)


async def resume(client: ClientConnection, token: str, sent: int, last: int | None = None) -> dict[str, Any]:
    await client.send(json.dumps({"type": "resume", "token": token, "sent": sent, "last_result": last}))
    answer: dict[str, Any] = json.loads(await client.recv())
    return answer


async def detached(it: Served, sessions: int = 1) -> None:
    await until(lambda: it.count("starling_sessions_detached") == sessions)


def heard(it: Served) -> bytes:
    """All audio that came to the recognizer, without holes and repetitions."""
    records = [record for record in it.recognizer.records if isinstance(record, Audio)]
    position = 0
    for record in records:
        assert record.start == position
        position = record.end
    return b"".join(record.samples.tobytes() for record in records)


def test_a_session_goes_on_where_its_connection_was_cut() -> None:
    sound = noise(64 * FRAME)

    async def scenario() -> None:
        async with served() as it:
            async with it.connect() as first:
                ready = await opened(first)
                assert ready["resume_grace"] == 30
                await first.send(sound[:40_001])
                await until(lambda: len(it.recognizer.records) > 1)
                cut(first)
            await detached(it)
            assert it.gateway.active == 1
            async with again(it) as second:
                resumed = await resume(second, ready["resume_token"], 50_000)
                assert resumed == {
                    "type": "resumed",
                    "sequence": 0,
                    "session_id": ready["session_id"],
                    "received": 40_001,
                    "resume_grace": 30,
                }
                await second.send(sound[40_001:])
                await second.send(END)
                said = await hear(second)
                assert [message["type"] for message in said][-2:] == ["result", "done"]
                assert said[-1]["session_id"] == ready["session_id"]
            assert heard(it) == sound
            assert it.count("starling_sessions_opened_total") == 1
            assert it.count("starling_sessions_ended_total", reason="client") == 1
            assert it.count("starling_sessions_resumed_total", outcome="resumed") == 1
            await until(lambda: it.gateway.active == 0)

    run(scenario)


def test_results_that_were_missed_come_first() -> None:
    async def scenario() -> None:
        async with served() as it:
            async with it.connect() as first:
                ready = await opened(first)
                await first.send(noise(FRAME))
                await first.send('{"type":"finalize"}')
                await until(lambda: it.count("starling_results_sent_total", type="final") == 1)
                cut(first)
            await detached(it)
            for last, missed in ((None, ["speech_started", "result"]), (0, [])):
                async with again(it) as client:
                    await resume(client, ready["resume_token"], 2 * FRAME, last)
                    await client.send('{"type":"unknown"}')
                    said = await hear(client, until="error")
                    assert [message["type"] for message in said] == [*missed, "error"]
                    cut(client)
                await detached(it)

    run(scenario)


def test_the_newer_connection_wins_and_the_older_is_told() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as first:
            ready = await opened(first)
            await first.send(noise(FRAME))
            async with again(it) as second:
                resumed = await resume(second, ready["resume_token"], 2 * FRAME)
                assert resumed["type"] == "resumed"
                said = await hear(first)
                assert (said[-1]["type"], said[-1]["code"]) == ("error", "superseded")
                assert first.close_code == 1008
                await second.send(END)
                assert (await hear(second))[-1]["type"] == "done"
            assert it.count("starling_sessions_ended_total", reason="client") == 1

    run(scenario)


def test_a_connection_that_came_back_gives_way_to_the_next_as_the_first_did() -> None:
    """The server may hold connections for alive that the network has lost, one after the other."""

    async def scenario() -> None:
        async with served() as it, it.connect() as first:
            token = (await opened(first))["resume_token"]
            async with again(it) as second, again(it) as third, again(it) as fourth:
                for older, newer in ((first, second), (second, third), (third, fourth)):
                    assert (await resume(newer, token, 0))["type"] == "resumed"
                    assert (await hear(older))[-1]["code"] == "superseded"
                await fourth.send(END)
                assert (await hear(fourth))[-1]["type"] == "done"

    run(scenario)


def test_who_comes_back_and_does_not_say_to_what_keeps_nobody_of_another_address_out() -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, max_sessions_per_address=2, max_sessions=3)
        async with served(options) as it, it.connect() as client:
            token = (await opened(client))["resume_token"]
            async with again(it) as silent, again(it):
                with pytest.raises(InvalidStatus, match="503"):
                    await again(it)
                await silent.close()
                async with again(it) as newer:
                    assert (await resume(newer, token, 0))["type"] == "resumed"

    run(scenario)


@pytest.mark.parametrize("token", ["", "x" * 256, "wrong"])
def test_a_token_that_is_not_known_gets_the_same_answer_as_one_that_expired(token: str) -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, resume_grace=BRIEFLY)) as it, it.connect() as other:
            await opened(other)
            async with it.connect() as first:
                ready = await opened(first)
                await first.send(noise(FRAME))
                cut(first)
            ended = await it.recognizer.ended.get()
            assert ended.reason is EndReason.DISCONNECTED
            await until(lambda: it.gateway.active == 1)
            answers = []
            for tried in (token, ready["resume_token"]):
                async with again(it) as second:
                    answers.append(await resume(second, tried, 0))
                    await second.wait_closed()
                    assert second.close_code == 1008
            assert answers[0] == answers[1]
            assert answers[0]["code"] == "not_resumable"
            assert it.count("starling_sessions_resumed_total", outcome="refused") == 2

    run(scenario)


@pytest.mark.parametrize("start", ['{"type":"start","vad":"off"}', START])
def test_who_says_goodbye_or_never_asked_is_not_kept(start: str) -> None:
    async def scenario() -> None:
        async with served() as it:
            async with it.connect() as first:
                await opened(first, start)
                if start == START:
                    await first.close()
                else:
                    cut(first)
            assert (await it.recognizer.ended.get()).reason is EndReason.DISCONNECTED
            await until(lambda: it.gateway.active == 0)
            assert not it.bus._channels

    run(scenario)


def test_the_last_words_wait_for_a_client_that_was_cut_before_it_read_them() -> None:
    async def scenario() -> None:
        async with served(unfinished=True) as it:
            async with it.connect() as first:
                ready = await opened(first)
                await first.send(noise(FRAME))
                await first.send(END)
                await it.recognizer.ended.get()
                cut(first)
            await detached(it)
            it.recognizer.finishing.set()
            async with again(it) as second:
                assert (await resume(second, ready["resume_token"], 2 * FRAME))["received"] == 2 * FRAME
                await second.send(END)
                said = await hear(second)
                assert [message["type"] for message in said if message["type"] != "speech_started"][-2:] == ["result", "done"]
            await until(lambda: it.gateway.active == 0)
            assert len([record for record in it.recognizer.records if isinstance(record, Ended)]) == 1

    run(scenario)


def test_audio_is_confirmed_about_every_second() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await opened(client)
            for _ in range(32):
                await client.send(noise(1_600))
            await client.send('{"type":"finalize"}')
            said = await hear(client, until="ack")
            while said[-1]["received"] != 32 * 3_200:
                said += await hear(client, until="ack")
            acks = [message["received"] for message in said if message["type"] == "ack"]
            assert acks == sorted(acks)
            assert len(acks) == 4
            cut(client)
            await detached(it)

    run(scenario)


def test_a_full_server_takes_back_whose_place_is_held() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_sessions=1)) as it:
            async with it.connect() as first:
                ready = await opened(first)
                cut(first)
            await detached(it)
            async with again(it) as second:
                await resume(second, ready["resume_token"], 0)
                await second.send(END)
                await hear(second)

    run(scenario)


def test_a_drain_does_not_wait_for_who_is_away() -> None:
    async def scenario() -> None:
        async with served() as it:
            async with it.connect() as first:
                await opened(first)
                cut(first)
            await detached(it)
            async with asyncio.timeout(PATIENCE / 2):
                assert await it.gateway.drain(PATIENCE) == 0
            assert (await it.recognizer.ended.get()).reason is EndReason.SHUTDOWN

    run(scenario)


def test_a_drain_does_not_wait_for_who_loses_its_connection_meanwhile() -> None:
    """However long it might have come back, and though recognition has not said its last words."""

    async def scenario() -> None:
        options = GatewayOptions(port=0, resume_grace=PATIENCE)
        async with served(options, unfinished=True) as it, it.connect() as client, it.connect() as other:
            await opened(client)
            await opened(other)
            draining = asyncio.create_task(it.gateway.drain(PATIENCE))
            await until(lambda: it.count("starling_sessions_ended_total", reason="shutdown") == 2)
            cut(client)
            await until(lambda: it.gateway.active == 1)
            assert not draining.done(), "who is there hears the rest"
            it.recognizer.finishing.set()
            assert (await hear(other))[-1]["type"] == "done"
            assert await draining == 0

    run(scenario)


def test_a_client_that_may_come_back_learns_whether_the_network_is_there() -> None:
    async def scenario() -> None:
        keepalive = '{"type":"keepalive"}'
        async with served(unfinished=True) as it, it.connect() as client:
            await opened(client)
            for _ in range(2):
                await client.send(keepalive)
                (answer,) = await hear(client, until="ack")
                assert answer["received"] == 0
            await client.send(noise(2 * FRAME))
            await client.send(keepalive)
            assert (await hear(client, until="ack"))[-1]["received"] == 4 * FRAME
            await client.send(END)
            await it.recognizer.ended.get()
            for _ in range(2):
                await client.send(keepalive)
                assert (await hear(client, until="ack"))[-1]["received"] == 4 * FRAME
            it.recognizer.finishing.set()
            assert (await hear(client))[-1]["type"] == "done"
        async with served() as it, it.connect() as client:
            await opened(client, '{"type":"start","vad":"off"}')
            await client.send(keepalive)
            await client.send(END)
            assert "ack" not in [message["type"] for message in await hear(client)], "it did not ask to come back"

    run(scenario)
