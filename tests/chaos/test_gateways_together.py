"""Two gateways on one Redis are one server: to who shows a ticket or a client secret, and to who sees and ends sessions."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from auth.test_keys import add
from chaos.roles_harness import Apart, Role, apart
from patience import PATIENCE
from redis_server import RedisServer
from starling.auth.keyfile import KeyFile, changing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers run on Linux")


async def ask(role: Role, method: str, path: str, key: str, body: Any = None) -> tuple[int, Any]:
    """Status and answer."""
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
        answer = await client.request(method, role.url + path, headers={"Authorization": f"Bearer {key}"}, json=body)
        return answer.status_code, answer.json()


def page(role: Role, path: str, *protocols: str) -> connect:
    return connect(
        role.url.replace("http", "ws", 1) + path,
        subprotocols=[Subprotocol(name) for name in protocols],
        ping_interval=None,
        open_timeout=PATIENCE,
        proxy=None,
    )


async def refusal(role: Role, path: str, *protocols: str) -> int:
    """The status with which a page is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with page(role, path, *protocols):
            pass
    return refused.value.response.status_code


async def session(client: ClientConnection) -> str:
    """Its id, once it is open."""
    await client.send('{"type":"start"}')
    said: dict[str, Any] = json.loads(await client.recv())
    assert said["type"] == "ready"
    return str(said["session_id"])


async def ended(client: ClientConnection) -> list[dict[str, Any]]:
    """What is said until the end."""
    said = []
    with suppress(ConnectionClosed):
        while True:
            said.append(json.loads(await client.recv()))
    return said


async def tickets_are_one(server: Apart, keys: Path) -> None:
    one, two = server.gateways
    token, _ = add(keys)
    status, body = await ask(one, "POST", "v1/tickets", token)
    assert status == 200
    shown = "starling", f"ticket.{body['ticket']}"
    async with page(two, "v1/stream", *shown):
        for role in (one, two):
            assert await refusal(role, "v1/stream", *shown) == 401
    at_once = [(await ask(two, "POST", "v1/tickets", token))[1]["ticket"] for _ in range(5)]
    tries = [(role, ticket) for ticket in at_once for role in (one, two)]

    async def attempt(role: Role, ticket: str) -> bool:
        try:
            async with page(role, "v1/stream", "starling", f"ticket.{ticket}"):
                return True
        except InvalidStatus:
            return False

    assert sum(await asyncio.gather(*(attempt(*it) for it in tries))) == len(at_once)
    _, body = await ask(one, "POST", "v1/realtime/client_secrets", token, {})
    secret = "realtime", f"openai-insecure-api-key.{body['value']}"
    for role in (one, two, two):
        async with page(role, "v1/realtime", *secret) as client:
            assert json.loads(await client.recv())["type"] == "session.created"
    _, late = await ask(one, "POST", "v1/tickets", token)
    with changing(keys) as change:
        change.content = KeyFile(keys=tuple(it for it in change.content.keys if it.tenant != "acme"))
    assert await refusal(two, "v1/realtime", *secret) == 401
    assert await refusal(two, "v1/stream", "starling", f"ticket.{late['ticket']}") == 401


async def sessions_are_one(server: Apart, keys: Path, operator: str) -> None:
    one, two = server.gateways
    mine, _ = add(keys, tenant="mine")
    names = {}
    for role in (one, two):
        names[role.url] = (await role.status())["instance"]
    async with (
        page(two, "v1/stream", "starling", f"key.{mine}") as client,
        page(one, "v1/stream", "starling", f"key.{operator}") as other,
    ):
        theirs, ours = await session(other), await session(client)
        for role in (one, two):
            _, body = await ask(role, "GET", "v1/sessions", operator)
            seen = {it["session_id"]: it["gateway"] for it in body["sessions"]}
            assert seen == {ours: names[two.url], theirs: names[one.url]}
            assert body["silent"] == []
            _, body = await ask(role, "GET", "v1/sessions", mine)
            assert [it["session_id"] for it in body["sessions"]] == [ours]
        assert (await ask(two, "DELETE", f"v1/sessions/{theirs}", mine))[0] == 404
        assert (await ask(one, "DELETE", f"v1/sessions/{ours}", mine))[0] == 202
        assert [it["code"] for it in await ended(client) if it["type"] == "error"] == ["dismissed"]
        await two.until_said("session dismissed")


def test_what_one_gateway_gives_out_or_has_is_every_gateways(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    operator, _ = add(keys, tenant="staff", operator=True)
    settings = {"STARLING_AUTH__KEYS_FILE": str(keys), "STARLING_SERVER__PROTOCOLS": "openai-realtime"}
    roles: dict[str, Any] = {"gateways": 2, "recognizers": 1, "settings": settings, "module": "chaos.patient_role"}

    async def scenario() -> None:
        with RedisServer() as redis:
            async with (
                apart(redis, **roles) as server,
                asyncio.timeout(PATIENCE),
            ):
                await tickets_are_one(server, keys)
                await sessions_are_one(server, keys, operator)
                await asyncio.to_thread(redis.stop)
                gateway = server.gateways[0]
                await gateway.until_ready(ready=False)
                assert (await ask(gateway, "GET", "v1/sessions", operator))[0] == 503
                await asyncio.to_thread(redis.start)
                await server.settled()

    asyncio.run(scenario())
