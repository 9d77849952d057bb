"""A crowd that says nothing costs next to nothing, and leaves nothing behind. CPU is process time, whoever else is busy."""

from __future__ import annotations

from bench.connections import SETTINGS, Found, measure
from bench.server import own_server

from starling.cli.eventloop import run


async def found(idle: int) -> Found:
    async with own_server(settings=SETTINGS, module=("bench.edge",)) as server:
        return await measure(server, idle=idle, active=2, seconds=1.0)


def test_idle_connections_cost_nothing() -> None:
    seen: list[Found] = []

    async def scenario() -> None:
        seen.append(await found(200))

    run(scenario())
    (costs,) = seen
    assert costs.microseconds < 500  # a busy session takes 5,000
    assert costs.kilobytes < 400
    assert costs.crowded.files - costs.alone.files == 200
    assert costs.after.files == costs.alone.files
