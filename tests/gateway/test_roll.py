"""The sessions of all gateways: who sees which, page by page, and how one ends that is elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from auth.test_keys import add
from gateway.gateway_harness import START, Served, hear, run, served, until
from gateway.test_access import bearer, reply
from starling.bus.memory import MemoryColleagues
from starling.core.errors import StoreUnavailable
from starling.gateway.options import GatewayOptions
from starling.gateway.roll import End

NO_TEXT = b"\x81\xaasession_id\xa2\xff\xff"
"""A message with a text that is none."""


@asynccontextmanager
async def two_gateways(keys: Path) -> AsyncIterator[tuple[Served, Served]]:
    options, colleagues = GatewayOptions(port=0, keys_file=keys), MemoryColleagues("a")
    async with served(options, colleagues=colleagues) as one, served(options, colleagues=colleagues.at("b")) as two:
        yield one, two


async def begin(stack: AsyncExitStack, it: Served, token: str) -> tuple[Any, str]:
    """A client with its session, and the session's id."""
    client = await stack.enter_async_context(it.connect(additional_headers=bearer(token)))
    await client.send(START)
    (ready,) = await hear(client, until="ready")
    return client, ready["session_id"]


async def pages(it: Served, token: str, limit: int) -> list[list[str]]:
    """The ids on each page."""
    found, after = [], ""
    while True:
        status, body, _ = await reply(it, "GET", f"/v1/sessions?limit={limit}&after={quote(after)}", **bearer(token))
        assert (status, body["silent"]) == (200, [])
        found.append([one["session_id"] for one in body["sessions"]])
        if body["next"] is None:
            return found
        after = body["next"]


def test_sessions_of_all_gateways_are_shown_page_by_page(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    token, _ = add(keys)
    operator, _ = add(keys, tenant="staff", operator=True)

    async def scenario() -> None:
        async with two_gateways(keys) as gateways, AsyncExitStack() as stack:
            came = [(await begin(stack, gateways[number % 2], token))[1] for number in range(7)]
            for it in gateways:
                assert await pages(it, operator, 1000) == [came]
                assert await pages(it, operator, 3) == [came[:3], came[3:6], came[6:]]
                assert await pages(it, operator, 7) == [came]
            _, body, _ = await reply(gateways[0], "GET", "/v1/sessions", **bearer(operator))
            assert [one["gateway"] for one in body["sessions"]] == ["a", "b", "a", "b", "a", "b", "a"]
            status, body, _ = await reply(gateways[0], "GET", f"/v1/sessions/{came[1]}", **bearer(operator))
            assert (status, body["session_id"], body["gateway"]) == (200, came[1], "b")
            assert (await reply(gateways[0], "GET", "/v1/sessions?limit=1001", **bearer(operator)))[0] == 422
            assert (await reply(gateways[0], "GET", "/v1/sessions?limit=0", **bearer(operator)))[0] == 422

    run(scenario)


def test_a_tenant_sees_and_ends_its_own_at_any_gateway(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    mine, _ = add(keys, tenant="acme")
    theirs, _ = add(keys, tenant="other")

    async def scenario() -> None:
        async with two_gateways(keys) as (one, two), AsyncExitStack() as stack:
            client, session_id = await begin(stack, two, mine)
            other, foreign = await begin(stack, two, theirs)
            for it in (one, two):
                assert await pages(it, mine, 10) == [[session_id]]
                assert await pages(it, theirs, 10) == [[foreign]]
                assert (await reply(it, "GET", f"/v1/sessions/{foreign}", **bearer(mine)))[0] == 404
                assert (await reply(it, "DELETE", f"/v1/sessions/{foreign}", **bearer(mine)))[0] == 404
            assert (await reply(one, "DELETE", f"/v1/sessions/{session_id}", **bearer(mine)))[0] == 202
            (error,) = [said for said in await hear(client) if said["type"] == "error"]
            assert (error["code"], "API key of its tenant" in error["message"]) == ("dismissed", True)
            assert two.count("starling_sessions_dismissed_total") == 1
            await until(lambda: two.gateway.active == 1)
            assert (await reply(one, "DELETE", f"/v1/sessions/{session_id}", **bearer(mine)))[0] == 404
            assert other.close_code is None

    run(scenario)


def test_who_does_not_answer_is_named(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    operator, _ = add(keys, operator=True)
    colleagues = MemoryColleagues("a")
    colleagues.at("dumb")
    colleagues.at("later version").on_question(lambda _: b"\xc1")
    colleagues.at("mad").on_question(lambda _: b"\x91" + NO_TEXT)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys), colleagues=colleagues) as it, AsyncExitStack() as stack:
            _, session_id = await begin(stack, it, operator)
            status, body, _ = await reply(it, "GET", "/v1/sessions", **bearer(operator))
            assert (status, [one["session_id"] for one in body["sessions"]]) == (200, [session_id])
            assert body["silent"] == ["dumb", "later version", "mad"]
            for method in ("GET", "DELETE"):
                status, body, _ = await reply(it, method, "/v1/sessions/x", **bearer(operator))
                assert (status, body["error"]["code"]) == (503, "store_unavailable"), "it may be there"
                assert "dumb" in body["error"]["message"]
            assert (await reply(it, "DELETE", f"/v1/sessions/{session_id}", **bearer(operator)))[0] == 202

    run(scenario)


def test_where_others_cannot_be_asked_one_is_told_so_and_ends_what_is_here(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    operator, _ = add(keys, operator=True)

    class Away(MemoryColleagues):
        async def ask(self, question: bytes) -> Mapping[str, bytes | None]:
            raise StoreUnavailable("away")

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys), colleagues=Away("a")) as it, AsyncExitStack() as stack:
            _, session_id = await begin(stack, it, operator)
            assert (await reply(it, "GET", "/v1/sessions", **bearer(operator)))[0] == 503
            assert (await reply(it, "DELETE", f"/v1/sessions/{session_id}", **bearer(operator)))[0] == 202

    run(scenario)


def test_a_question_of_another_version_is_no_end_of_a_gateway() -> None:
    async def scenario() -> None:
        async with served() as it:
            for question in (b"", b"\xc1", b"\x80", NO_TEXT, msgspec.msgpack.encode({"type": "paint"})):
                assert it.gateway.roll.answer(question) == b""
            end = msgspec.msgpack.encode(End("x", None, "somebody"))
            assert msgspec.msgpack.decode(it.gateway.roll.answer(end)) is False

    run(scenario)
