"""One session is one connected trace on Kafka, too: one that is encrypted and wants a password, as in earnest."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from chaos.roles_harness import apart
from chaos.test_traces import telling, tree_past_one_host
from kafka_doors import SCRAM_PASSWORD, USER, guarded
from redis_server import RedisServer
from span_collector import SpanCollector

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers run on Linux")


def test_it_is_one_tree_though_its_recognizer_is_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = telling(collector) | {
            "STARLING_BUS__URL": f"kafka+ssl://{kafka.broker.behind('SECURE')}",
            "STARLING_BUS__STORE": redis.url,
            "STARLING_BUS__KAFKA_CA": str(kafka.cert("server")),
            "STARLING_BUS__KAFKA_USER": USER,
            "STARLING_BUS__KAFKA_PASSWORD": SCRAM_PASSWORD,
        }
        async with apart(redis, gateways=1, recognizers=2, settings=settings) as server:
            await tree_past_one_host(server, collector)
            for role in (*server.gateways, *server.recognizers):
                assert SCRAM_PASSWORD not in "".join(role.log)
            for role in server.gateways:
                told = await role.status()
                assert told["bus"]["kafka"]["address"].startswith("kafka+ssl://")
                assert SCRAM_PASSWORD not in str(told)

    with SpanCollector() as collector, RedisServer() as redis, guarded(tmp_path) as kafka:
        asyncio.run(scenario())
