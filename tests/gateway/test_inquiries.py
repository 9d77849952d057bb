"""What anybody may ask over gRPC, with gRPC's own client: health as it changes, and the server's definitions."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from gateway.gateway_harness import BRIEFLY, Served, run, served
from gateway.test_calls import dial, ended, options, stream
from patience import PATIENCE
from starling.bus.memory import MemoryWitness
from starling.core.ports import Work
from starling.gateway import inquiries, readers
from starling.protocols.reflection import Reflection
from starling.protocols.wire import health_pb2
from starling.protocols.wire import reflection_pb2 as wire
from starling.telemetry.health import State

Status = health_pb2.HealthCheckResponse


def watch(channel: Any, service: str = "") -> Any:
    ask = channel.unary_stream("/grpc.health.v1.Health/Watch", response_deserializer=Status.FromString)
    return ask(health_pb2.HealthCheckRequest(service=service).SerializeToString())


def reflect(channel: Any, version: str = "v1") -> Any:
    return channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=wire.ServerReflectionRequest.SerializeToString,
        response_deserializer=wire.ServerReflectionResponse.FromString,
    )()


async def told(call: Any) -> Any:
    answer = await call.read()
    assert answer is not grpc.aio.EOF, await call.details()
    return answer


def test_who_watches_hears_what_is_and_what_changes_until_the_server_is_gone() -> None:
    async def leave(it: Served) -> None:
        assert await it.gateway.drain(PATIENCE) == 0

    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel, dial(it) as another:
            calls = [watch(channel), watch(another, "nvidia.riva.asr.RivaSpeechRecognition")]
            for call in calls:
                assert (await told(call)).status == Status.SERVING
            it.health.set("model", State.OK)  # which is no news
            it.health.set("model", State.STARTING)
            for call in calls:
                assert (await told(call)).status == Status.NOT_SERVING
            it.health.set("model", State.OK)
            for call in calls:
                assert (await told(call)).status == Status.SERVING
            await leave(it)
            for call in calls:
                assert (await told(call)).status == Status.NOT_SERVING

    run(scenario)


def test_a_server_that_ends_holds_nobody_who_watches_or_asks_what_it_is() -> None:
    async def scenario() -> None:
        async with served(options()) as it:
            port = it.ports["riva"]
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)])
            watching, asking = watch(channel), reflect(channel)
            await told(watching)
            await asking.write(wire.ServerReflectionRequest(list_services="*"))
            await told(asking)
        for call in (watching, asking):
            assert (await ended(call))[0] is grpc.StatusCode.UNAVAILABLE
        await channel.close()

    run(scenario)


def test_a_service_that_is_not_here_is_watched_nevertheless() -> None:
    """As the protocol has it: it may be here one day."""

    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            call = watch(channel, "other")
            assert (await told(call)).status == Status.SERVICE_UNKNOWN
            call.cancel()

    run(scenario)


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_a_client_without_definitions_learns_them(version: str) -> None:
    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            call = reflect(channel, version)
            for question, answer in (
                (wire.ServerReflectionRequest(list_services="*"), "list_services_response"),
                (wire.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health"), "file_descriptor_response"),
                (wire.ServerReflectionRequest(file_by_filename="none"), "error_response"),
            ):
                await call.write(question)
                assert (await told(call)).WhichOneof("message_response") == answer
            await call.done_writing()
            assert (await ended(call))[0] is grpc.StatusCode.OK

    run(scenario)


def test_who_asks_nothing_is_not_waited_for() -> None:
    async def scenario() -> None:
        async with served(options(start_timeout=BRIEFLY, idle_timeout=BRIEFLY)) as it, dial(it) as channel:
            for call in [channel.stream_stream("/grpc.health.v1.Health/Check")(), reflect(channel)]:
                assert (await ended(call))[0] is grpc.StatusCode.ABORTED

    run(scenario)


def test_messages_are_read_under_their_senders_name_and_who_ended_two_gateways_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "is_public", lambda _: True)
    witness = MemoryWitness()
    seen: list[tuple[str, ...] | None] = []
    answer = Reflection.answer

    def spied(self: Reflection, message: bytes) -> bytes:
        seen.append(witness.in_hand.get(Work.READ))
        return answer(self, message)

    monkeypatch.setattr(Reflection, "answer", spied)

    async def scenario() -> None:
        async with served(options(), witness=witness) as it, dial(it) as channel:
            call = reflect(channel)
            await call.write(wire.ServerReflectionRequest(list_services="*"))
            await told(call)
            await call.done_writing()
            assert (await ended(call))[0] is grpc.StatusCode.OK
            assert seen == [("reader 127.0.0.1",)]
            assert witness.in_hand == {}
            witness.suspected.add("reader 127.0.0.1")
            for refused in (reflect(channel), watch(channel), stream(channel)):
                assert (await ended(refused))[0] is grpc.StatusCode.PERMISSION_DENIED

    run(scenario)


def test_strangers_leave_room_for_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiries, "MOST", 2)

    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            first, second = watch(channel), watch(channel)
            await asyncio.gather(told(first), told(second))
            assert (await ended(watch(channel)))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
            call = stream(channel)
            await call.done_writing()
            assert (await ended(call))[0] is grpc.StatusCode.INVALID_ARGUMENT, "it is heard"
            first.cancel()
            second.cancel()

    run(scenario)


def test_one_stranger_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiries, "EACH", 1)
    public = True
    monkeypatch.setattr(inquiries, "is_public", lambda _: public)

    async def scenario() -> None:
        nonlocal public
        async with served(options()) as it, dial(it) as channel:
            first = watch(channel)
            await told(first)
            assert (await ended(watch(channel)))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
            public = False
            behind_a_proxy = [watch(channel) for _ in range(2)]
            await asyncio.gather(*map(told, behind_a_proxy))
            for call in (first, *behind_a_proxy):
                call.cancel()

    run(scenario)
