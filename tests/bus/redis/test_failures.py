"""What Redis may answer, or not, at any time: whoever asked it waits, and nothing is lost or said twice by that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import ResponseError

from bus.redis.faults import FAULTS, Faults, error_of
from bus.redis.rig import PARTITIONS, OnRedis
from chaos.platform_harness import eventually
from contracts.audio_log_contract import Follower, audio, checkpoint, opened
from contracts.result_bus_contract import final
from starling.bus.redis import inbox, link
from starling.bus.redis.inquest import Banned, bury_gateway, bury_recognizer
from starling.bus.redis.leases import Leases
from starling.bus.redis.sides import GatewaySide, RecognizerSide
from starling.core.records import Ended, EndReason
from starling.core.transcript import SessionDone
from starling.redis.failures import passes

CHUNKS = 40


@pytest.mark.parametrize("fault", [*FAULTS, "connection refused"])
def test_what_will_be_otherwise_later_passes(fault: str) -> None:
    assert passes(ConnectionRefusedError() if fault == "connection refused" else error_of(fault))


@pytest.mark.parametrize(
    "error",
    [
        error_of("WRONGTYPE Operation against a key holding the wrong kind of value"),
        error_of("ERR unknown command 'XREED'"),
        error_of("CROSSSLOT Keys in request don't hash to the same slot"),
        ResponseError("user_script:1: attempt to index a nil value: OOM"),
        RuntimeError("dictionary changed size during iteration"),
        ValueError("LOADING"),
    ],
)
def test_mistakes_do_not_pass(error: Exception) -> None:
    assert not passes(error)


class TestFaults(OnRedis):
    @pytest.mark.parametrize("seed", range(3))
    def test_whatever_redis_answers_all_is_done_and_nobody_ends(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        faults = Faults(seed=seed)
        monkeypatch.setattr(link, "pause_after", lambda _failures: 0.001)
        monkeypatch.setattr(inbox, "PAUSE", 0.001)

        async def scenario() -> None:
            prefix = f"faults {seed}:"
            gateway = GatewaySide.of(self.link(prefix), "g", lambda: 0.0, max_lead=10**9)
            recognizer = RecognizerSide.of(self.link(prefix), "r", lambda: 0.0)
            chores = asyncio.create_task(looking(self, gateway, prefix))
            works = [asyncio.create_task(gateway.inbox.run()), asyncio.create_task(recognizer.tenure.run())]
            faults.share = 0.3
            while len(recognizer.tenure.held) < PARTITIONS:
                recognizer.tenure.changed.clear()
                await recognizer.tenure.changed.wait()
            await gateway.inbox.listening.wait()
            follower = Follower(recognizer.audio_log)
            subscription = await gateway.results.subscribe("s")
            await gateway.audio_log.append(opened())
            for start in range(CHUNKS):
                await gateway.audio_log.append(audio(100 * start, 100 * start + 100, start))
            await gateway.audio_log.append(Ended("s", CHUNKS, EndReason.CLIENT))
            await eventually(lambda: len(follower.records) >= CHUNKS + 2)
            for segment in range(CHUNKS):
                await recognizer.results.publish(final(segment, 1))
                await recognizer.audio_log.commit("s", checkpoint(100 * segment, segment + 1))
            done = SessionDone("s", 100 * CHUNKS, CHUNKS)
            await recognizer.results.publish(done)
            listening = aiter(subscription)
            heard = [await anext(listening) for _ in range(CHUNKS + 1)]
            assert heard == [*(final(segment, 1) for segment in range(CHUNKS)), done]
            assert [record.start for record in follower.records if hasattr(record, "start")] == [100 * it for it in range(CHUNKS)]
            await chores
            for work in (*works, follower.task):
                assert not work.done()
                work.cancel()
            ended = await asyncio.gather(*works, follower.task, return_exceptions=True)
            assert all(isinstance(it, asyncio.CancelledError) for it in ended), ended

        with faults.injected():
            self.run(scenario())
        assert faults.made > len(FAULTS), "each was made"


async def looking(test: OnRedis, gateway: GatewaySide, prefix: str) -> None:
    """What else roles ask, again and again."""
    way = test.link(prefix)
    leases, banned = Leases(way), Banned(way)
    asking: tuple[Callable[[], Awaitable[object]], ...] = (
        leases.look,
        banned.look,
        lambda: gateway.directory.orphans(60.0),
        gateway.directory.entries,
        lambda: gateway.directory.find(b"token"),
        lambda: gateway.directory.claim("nobody"),
        lambda: gateway.tally.enter("tenant", 1, 9),
        lambda: gateway.tally.exchange(1, {"tenant": (1, 2.0)}),
        lambda: bury_recognizer(way, "nobody", {1}),
        lambda: bury_gateway(way, "nobody", {1}),
        lambda: way.tell("loads", b"nothing"),
    )
    for _ in range(10):
        for ask in asking:
            await ask()
