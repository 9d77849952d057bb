"""Who gets in with which credential, what is asked of operators, and that no key is ever told."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

import virtual_time
from auth.test_keys import add
from gateway.gateway_harness import CAPABILITIES, END, START, Served, hear, run, served, until
from gateway.test_admission_http import refused
from patience import PATIENCE
from starling.auth import tickets
from starling.auth.keyfile import KeyFile, changing
from starling.auth.tenants import Tenant
from starling.bus.memory import MemoryNotary, MemoryTally
from starling.core.errors import StoreUnavailable
from starling.core.load import Priority
from starling.core.records import Opened
from starling.gateway import allowance, glossaries, seats
from starling.gateway.options import GatewayOptions
from starling.gateway.seats import Seats

NO_GATE = '{"type":"start","vad":"off"}'


def limited(path: Path, tenant: Tenant) -> None:
    with changing(path) as change:
        change.content = change.content.with_tenant(tenant)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def reply(it: Served, method: str, path: str, **headers: str) -> tuple[int, dict[str, Any], str]:
    """Status, body and head of the answer to a request without a body."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": it.authority} | headers).items())
    answer = await it.request(f"{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ", 2)[1]), json.loads(body), head


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture(autouse=True)
def lasting_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    """They outlast a test, however slow."""
    monkeypatch.setattr(tickets, "LIFETIME", round(PATIENCE))


def test_a_key_is_taken_as_header_and_as_subprotocol(keys_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token, key_id = add(keys_file)
    limited(keys_file, Tenant(name="acme", priority=Priority.HIGH))

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            assert await refused(it.connect()) == (401, None, "unauthenticated")
            for wrong in ("x", token[:-1] + "#", "stl_" + "a" * 62):
                assert await refused(it.connect(additional_headers=bearer(wrong))) == (401, None, "unauthenticated")
            for query in (f"?key={token}", f"?api_key={token}", f"?token={token}"):
                assert await refused(it.connect(query=query)) == (401, None, "unauthenticated")
            offered = [Subprotocol("starling"), Subprotocol(f"key.{token}")]
            for given in ({"additional_headers": bearer(token)}, {"subprotocols": offered}):
                async with it.connect(**given) as client:
                    await client.send(START)
                    await hear(client, until="ready")
                    assert client.subprotocol == ("starling" if "subprotocols" in given else None)
                    assert client.response is not None
                    assert token not in str(client.response.headers)
            opened = [record for record in it.recognizer.records if isinstance(record, Opened)]
            assert [record.priority for record in opened] == [Priority.HIGH, Priority.HIGH]
            assert it.count("starling_sessions_refused_total", reason="unauthenticated") == 7
            assert token not in await it.get("/metrics", **bearer(token))

    run(scenario)
    ours = [record for record in caplog.records if record.name != "websockets.client"]
    said = "\n".join(f"{record.name} {record.getMessage()} {record.msg}" for record in ours)
    assert token not in said
    assert token[-20:] not in said
    assert key_id in said


def test_a_revoked_key_opens_nothing_and_its_sessions_end(keys_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = add(keys_file)
    monkeypatch.setattr(allowance, "RECHECK", 0.0)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            async with it.connect(additional_headers=bearer(token)) as client:
                await client.send(NO_GATE)
                await hear(client, until="ready")
                await client.send(bytes(32_000))
                await hear(client, until="result")
                with changing(keys_file) as change:
                    change.content = KeyFile()
                await client.send(bytes(3_200))
                said = await hear(client)
                assert [message["code"] for message in said if message["type"] == "error"] == ["unauthenticated"]
                assert said[-1]["type"] == "done"
                assert any(message.get("is_final") for message in said)
                assert client.close_code == 1008
            assert await refused(it.connect(additional_headers=bearer(token))) == (401, None, "unauthenticated")

    run(scenario)


def test_sessions_of_a_revoked_key_end_although_their_clients_are_silent(
    keys_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, key_id = add(keys_file)
    other, _ = add(keys_file)
    monkeypatch.setattr(seats, "RECHECK", 0.01)

    async def scenario() -> None:
        options = GatewayOptions(port=0, keys_file=keys_file)
        async with served(options) as it, it.connect(additional_headers=bearer(other)) as good:
            await good.send(NO_GATE)
            await hear(good, until="ready")
            async with (
                it.connect(additional_headers=bearer(token)) as mute,
                it.connect(additional_headers=bearer(token)) as client,
            ):
                await client.send(NO_GATE)
                await client.send(bytes(32_000))
                await hear(client, until="result")
                with changing(keys_file) as change:
                    kept = tuple(record for record in change.content.keys if record.key_id != key_id)
                    change.content = KeyFile(keys=kept)
                said = await hear(client)
                assert [message["code"] for message in said if message["type"] == "error"] == ["unauthenticated"]
                assert [said[-1]["type"], client.close_code] == ["done", 1008]
                assert [message["code"] for message in await hear(mute)] == ["unauthenticated"]
            await good.send(END)
            assert (await hear(good))[-1]["type"] == "done"

    run(scenario)


def test_keys_are_looked_at_every_two_seconds() -> None:
    async def scenario() -> None:
        gateway_seats = Seats.__new__(Seats)  # its clock is all that counts here
        looked: list[float] = []
        gateway_seats.recheck = lambda: looked.append(asyncio.get_running_loop().time())  # type: ignore[method-assign]
        watching = asyncio.create_task(gateway_seats.watch_keys())
        await asyncio.sleep(7)
        await virtual_time.stopped(watching)
        assert looked == [2, 4, 6]

    virtual_time.run(scenario())


def test_keys_that_cannot_be_read_end_no_session_but_begin_none(keys_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = add(keys_file)
    monkeypatch.setattr(allowance, "RECHECK", 0.0)

    async def scenario() -> None:
        options = GatewayOptions(port=0, keys_file=keys_file)
        async with served(options) as it, it.connect(additional_headers=bearer(token)) as client:
            await client.send(START)
            await hear(client, until="ready")
            keys_file.write_text("{")  # noqa: ASYNC240  # one byte
            await client.send(bytes(3_200))
            assert await refused(it.connect(additional_headers=bearer(token))) == (503, None, "keys_unavailable")
            await client.send(END)
            assert (await hear(client))[-1]["type"] == "done"

    run(scenario)


def test_wrong_keys_too_often_are_told_to_wait_and_good_ones_are_not(keys_file: Path) -> None:
    token, _ = add(keys_file)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file, failures_per_minute=3), still=True) as it:
            codes = [(await refused(it.connect()))[0] for _ in range(5)]
            assert codes == [401, 401, 401, 429, 429]
            assert it.count("starling_sessions_refused_total", reason="attempts") == 2
            async with it.connect(additional_headers=bearer(token)) as client:
                await client.send(START)
                await hear(client, until="ready")

    run(scenario)


def test_limits_of_a_tenant_hold_for_all_its_keys(keys_file: Path) -> None:
    one, _ = add(keys_file, tenant="small")
    two, _ = add(keys_file, tenant="small")
    other, _ = add(keys_file, tenant="large")
    limited(keys_file, Tenant(name="small", max_sessions=1))

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it, it.connect(additional_headers=bearer(one)):
            assert await refused(it.connect(additional_headers=bearer(two))) == (429, "5", "quota_exceeded")
            assert it.count("starling_sessions_refused_total", reason="tenant") == 1
            async with it.connect(additional_headers=bearer(other)):
                pass

    run(scenario)


def test_sessions_of_a_tenant_are_counted_over_all_gateways(keys_file: Path) -> None:
    token, _ = add(keys_file, tenant="small")
    limited(keys_file, Tenant(name="small", max_sessions=2))
    options, tally = GatewayOptions(port=0, keys_file=keys_file), MemoryTally("one")

    async def scenario() -> None:
        async with served(options, tally=tally) as one, served(options, tally=tally.at("two")) as two:
            async with one.connect(additional_headers=bearer(token)), two.connect(additional_headers=bearer(token)):
                assert await refused(one.connect(additional_headers=bearer(token))) == (429, "5", "quota_exceeded")
                assert await refused(two.connect(additional_headers=bearer(token))) == (429, "5", "quota_exceeded")
            await until(lambda: not one.gateway.active)
            await one.gateway.reconcile()
            async with two.connect(additional_headers=bearer(token)):
                pass

    run(scenario)


def test_a_day_that_is_used_up_ends_the_session_with_all_that_was_heard(keys_file: Path) -> None:
    token, _ = add(keys_file, tenant="trial")
    limited(keys_file, Tenant(name="trial", audio_seconds_per_day=2))

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            async with it.connect(additional_headers=bearer(token)) as client:
                await client.send(NO_GATE)
                for _ in range(3):
                    await client.send(bytes(32_000))
                said = await hear(client)
                (refusal,) = [message for message in said if message["type"] == "error"]
                assert (refusal["code"], refusal["retry_after"] > 0) == ("quota_exceeded", True)
                assert said[-1]["audio_seconds"] == 2.0
                assert client.close_code == 1013
            status, retry_after, code = await refused(it.connect(additional_headers=bearer(token)))
            assert (status, code, retry_after is not None) == (429, "quota_exceeded", True)

    run(scenario)


def test_a_feature_that_a_tenant_lacks_is_not_served(keys_file: Path) -> None:
    token, _ = add(keys_file, tenant="plain")
    limited(keys_file, Tenant(name="plain", features=()))

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            it.gateway.ability.known = replace(it.gateway.ability.capabilities, word_times=True)
            async with it.connect(additional_headers=bearer(token)) as client:
                await client.send('{"type":"start","words":true}')
                assert (await hear(client, until="ready"))[0]["words"] is False

    run(scenario)


def test_tickets_stand_for_keys_for_a_while(keys_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = add(keys_file, operator=True)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            assert (await reply(it, "POST", "/v1/tickets"))[0] == 401
            status, body, _ = await reply(it, "POST", "/v1/tickets", **bearer(token))
            assert (status, body["expires_in"]) == (200, tickets.LIFETIME)
            ticket = body["ticket"]
            assert token not in ticket
            protocols = [Subprotocol("starling"), Subprotocol(f"ticket.{ticket}")]
            async with it.connect(subprotocols=protocols) as client:
                await client.send(START)
                await hear(client, until="ready")
            assert await refused(it.connect(subprotocols=protocols)) == (401, None, "unauthenticated"), "it was used"
            status, body, _ = await reply(it, "GET", "/v1/sessions", **{"Sec-WebSocket-Protocol": f"starling, ticket.{ticket}"})
            assert status == 403, "a page's ticket must not see everybody"
            status, body, _ = await reply(it, "POST", "/v1/tickets", **{"Sec-WebSocket-Protocol": f"starling, ticket.{ticket}"})
            assert status == 403, "a ticket that gets another is never over"
            status, body, _ = await reply(it, "GET", "/v1/admission", **{"Sec-WebSocket-Protocol": f"starling, ticket.{ticket}"})
            assert status == 200, "a question uses nothing up"
            for wrong in (ticket[:-1] + ("0" if ticket[-1] != "0" else "1"), "", "x.9999999999.y", "x"):
                protocols = [Subprotocol("starling"), Subprotocol(f"ticket.{wrong}")]
                assert (await refused(it.connect(subprotocols=protocols)))[0] == 401
            monkeypatch.setattr(tickets, "LIFETIME", -1)
            status, body, _ = await reply(it, "POST", "/v1/tickets", **bearer(token))
            protocols = [Subprotocol("starling"), Subprotocol(f"ticket.{body['ticket']}")]
            assert (await refused(it.connect(subprotocols=protocols)))[0] == 401

    run(scenario)


def test_a_ticket_opens_one_connection_at_whatever_gateway(keys_file: Path) -> None:
    token, _ = add(keys_file)
    notary = MemoryNotary()

    async def scenario() -> None:
        options = GatewayOptions(port=0, keys_file=keys_file, max_sessions=1)
        async with served(options, notary=notary) as one, served(options, notary=notary) as two:
            for it in (one, two):
                await it.gateway.agree()
            _, body, _ = await reply(one, "POST", "/v1/tickets", **bearer(token))
            protocols = [Subprotocol("starling"), Subprotocol(f"ticket.{body['ticket']}")]
            async with two.connect(additional_headers=bearer(token)):
                assert (await refused(two.connect(subprotocols=protocols)))[0] == 503, "who finds no room has used nothing up"
            await until(lambda: not two.gateway.active)
            async with two.connect(subprotocols=protocols):
                assert (await refused(one.connect(subprotocols=protocols)))[0] == 401
                assert not one.gateway.active

    run(scenario)


def test_a_ticket_of_a_key_that_was_revoked_opens_nothing(keys_file: Path) -> None:
    token, _ = add(keys_file)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            _, body, _ = await reply(it, "POST", "/v1/tickets", **bearer(token))
            with changing(keys_file) as change:
                change.content = KeyFile()
            protocols = [Subprotocol("starling"), Subprotocol(f"ticket.{body['ticket']}")]
            assert (await refused(it.connect(subprotocols=protocols)))[0] == 401

    run(scenario)


def test_a_ticket_waits_for_other_gateways_to_be_asked(keys_file: Path) -> None:
    token, _ = add(keys_file)

    class Away(MemoryNotary):
        async def spend(self, number: str, seconds: int, root: bytes) -> bool:
            raise StoreUnavailable("away")

    async def scenario() -> None:
        notary = Away()
        async with served(GatewayOptions(port=0, keys_file=keys_file), notary=notary) as it:
            await it.gateway.agree()
            _, body, _ = await reply(it, "POST", "/v1/tickets", **bearer(token))
            protocols = [Subprotocol("starling"), Subprotocol(f"ticket.{body['ticket']}")]
            status, _, code = await refused(it.connect(subprotocols=protocols))
            assert (status, code) == (503, "store_unavailable")
            async with it.connect(additional_headers=bearer(token)):
                pass

    run(scenario)


def test_where_no_keys_are_asked_for_there_are_no_tickets() -> None:
    async def scenario() -> None:
        async with served() as it:
            status, body, _ = await reply(it, "POST", "/v1/tickets")
            assert (status, body["error"]["code"]) == (403, "forbidden")

    run(scenario)


def test_a_page_that_is_refused_a_socket_can_ask_why(keys_file: Path) -> None:
    token, _ = add(keys_file)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file, max_sessions=1)) as it:
            status, body, head = await reply(it, "GET", "/v1/admission")
            assert (status, body["error"]["code"]) == (401, "unauthenticated")
            assert "www-authenticate: bearer" in head.lower()
            assert (await reply(it, "GET", "/v1/admission", **bearer(token)))[:2] == (200, {"tenant": "acme"})
            async with it.connect(additional_headers=bearer(token)):
                status, body, head = await reply(it, "GET", "/v1/admission", **bearer(token))
                assert (status, body["error"]["code"], "retry-after: 2" in head.lower()) == (503, "overloaded", True)
            assert (await reply(it, "GET", "/v1/admission", Origin="https://evil.example", **bearer(token)))[0] == 403
            assert it.count("starling_sessions_refused_total", reason="capacity") == 0

    run(scenario)


def test_operators_see_sessions_and_end_them(keys_file: Path) -> None:
    token, _ = add(keys_file)
    operator, _ = add(keys_file, tenant="staff", operator=True)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            for method, path in (("GET", "/v1/sessions"), ("DELETE", "/v1/sessions/x")):
                assert (await reply(it, method, path))[0] == 401
            assert (await reply(it, "DELETE", "/v1/sessions/x", **bearer(token)))[0] == 404
            assert (await reply(it, "GET", "/v1/sessions/x", **bearer(operator)))[0] == 404
            async with it.connect(additional_headers=bearer(token)) as client:
                await client.send(NO_GATE)
                (ready,) = await hear(client, until="ready")
                await client.send(bytes(32_000))
                await hear(client, until="result")
                status, body, _ = await reply(it, "GET", "/v1/sessions", **bearer(operator))
                assert status == 200
                (seen,) = body["sessions"]
                assert (seen["state"], seen["language"], seen["worker"]) == ("live", "en", "worker-0")
                assert (seen["lag_seconds"], seen["backlog"]) == (0.0, 0)
                assert (seen["session_id"], seen["tenant"], seen["audio_seconds"]) == (ready["session_id"], "acme", 1.0)
                assert "text" not in str(body)
                path = f"/v1/sessions/{ready['session_id']}"
                assert (await reply(it, "DELETE", path, **bearer(operator)))[0] == 202
                said = await hear(client)
                assert [message["code"] for message in said if message["type"] == "error"] == ["dismissed"]
                assert any(message.get("is_final") for message in said)
                assert (said[-1]["type"], client.close_code) == ("done", 1008)
                assert it.count("starling_sessions_dismissed_total") == 1
            await until(lambda: not it.gateway.active)
            assert (await reply(it, "DELETE", path, **bearer(operator)))[0] == 404
            assert (await reply(it, "GET", "/v1/sessions", **bearer(operator)))[1] == {"sessions": [], "next": None, "silent": []}

    run(scenario)


def test_without_keys_this_machine_is_the_operator_and_nobody_behind_a_proxy_is() -> None:
    async def scenario() -> None:
        async with served() as it:
            assert (await reply(it, "GET", "/v1/sessions"))[0] == 200
            for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
                assert (await reply(it, "GET", "/v1/sessions", **{header: "192.0.2.7"}))[0] == 403
            assert (await reply(it, "GET", "/v1/sessions", Origin="https://evil.example"))[0] == 403

    run(scenario)


def test_metrics_are_for_this_machine_and_operators_where_keys_are_asked_for(keys_file: Path) -> None:
    operator, _ = add(keys_file, operator=True)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            assert "200 OK" in await it.get("/metrics")
            assert (await reply(it, "GET", "/metrics", Via="proxy"))[0] == 401
            assert "200 OK" in await it.get("/metrics", Via="proxy", **bearer(operator))
        async with served() as it:
            assert "200 OK" in await it.get("/metrics", Via="proxy")

    run(scenario)


def test_too_many_openings_are_told_to_wait() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, opens_per_minute=3), still=True) as it:
            for _ in range(3):
                async with it.connect():
                    pass
            status, retry_after, code = await refused(it.connect())
            assert (status, code) == (429, "quota_exceeded")
            assert 1 <= int(retry_after or 0) <= 20
            assert it.count("starling_sessions_refused_total", reason="rate") == 1

    run(scenario)


def test_nobody_begins_while_recognition_is_far_behind() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_lag_seconds=0.5), held=True) as it, it.connect() as client:
            await client.send(NO_GATE)
            await hear(client, until="ready")
            await client.send(bytes(64_000))
            await until(lambda: it.log.lag() > 16_000)
            assert await refused(it.connect()) == (503, "5", "overloaded")
            assert it.count("starling_sessions_refused_total", reason="lag") == 1

    run(scenario)


def test_who_sends_audio_too_fast_is_left_unread_for_a_while() -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, audio_speed=50, audio_burst=5)
        async with served(options) as it, it.connect() as client:
            began = asyncio.get_running_loop().time()
            await client.send(NO_GATE)
            for _ in range(20):
                await client.send(bytes(32_000))
            await client.send(END)
            assert (await hear(client))[-1]["audio_seconds"] == 20.0
            assert asyncio.get_running_loop().time() - began >= 15 / 50
            assert it.count("starling_slowed_seconds_total") <= 1.5 * 15 / 50

    run(scenario)


def test_who_sends_messages_too_fast_is_left_unread_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "BURST", 0.01)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, messages_per_second=100)) as it, it.connect() as client:
            await client.send(NO_GATE)
            for _ in range(50):
                await client.send(bytes(2))
            await client.send(END)
            assert (await hear(client))[-1]["type"] == "done"
            assert it.count("starling_slowed_seconds_total") > 0

    run(scenario)


def test_who_changes_hot_words_too_often_is_left_unread_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "HOTWORDS_BURST", 100.0)
    monkeypatch.setattr(allowance, "HOTWORDS_PER_SECOND", 500.0)

    async def scenario() -> None:
        async with served(capabilities=replace(CAPABILITIES, hotwords=True)) as it, it.connect() as client:
            began = asyncio.get_running_loop().time()
            await client.send(NO_GATE)
            for change in range(10):
                await client.send(json.dumps({"type": "configure", "hotwords": [f"word {change} {n}" for n in range(10)]}))
            await client.send(bytes(32_000))
            await hear(client, until="result")
            assert it.count("starling_slowed_seconds_total") == 0
            for change in range(10):
                await client.send(json.dumps({"type": "configure", "hotwords": [f"name {change} {n}" for n in range(10)]}))
            await client.send(END)
            assert (await hear(client))[-1]["type"] == "done"
            assert asyncio.get_running_loop().time() - began >= 100 / 500
            assert it.count("starling_slowed_seconds_total") <= 1.5 * 100 / 500

    run(scenario)


def test_who_opens_session_after_session_with_new_hot_words_is_left_unread_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(glossaries, "BURST", 10.0)
    monkeypatch.setattr(glossaries, "PER_SECOND", 4.0)

    async def scenario() -> None:
        async with served(capabilities=replace(CAPABILITIES, hotwords=True)) as it:
            for number, slowed in ((0, False), (0, False), (1, True)):
                async with it.connect() as client:
                    words = [f"name {number} {index}" for index in range(10)]
                    await client.send(json.dumps({"type": "start", "vad": "off", "hotwords": words}))
                    await client.send(bytes(32_000))
                    await hear(client, until="result")
                    assert (it.count("starling_slowed_seconds_total") > 0) is slowed
                    await client.send(END)
                    assert (await hear(client))[-1]["type"] == "done"

    run(scenario)


def test_who_is_left_unread_is_still_told_that_the_server_ends() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, audio_speed=1, audio_burst=1)) as it, it.connect() as client:
            await client.send(NO_GATE)
            await client.send(bytes(32_000 * 30))
            await until(lambda: it.count("starling_slowed_seconds_total") > 0)
            assert await it.gateway.drain(PATIENCE) == 0
            try:
                said = await hear(client)
            except ConnectionClosed:  # pragma: no cover
                pytest.fail("no goodbye")
            assert [message["code"] for message in said if message["type"] == "error"] == ["shutting_down"]

    run(scenario)


def test_who_leaves_while_left_unread_gives_its_place_back_at_once() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, audio_speed=1, audio_burst=1)) as it:
            async with it.connect() as client:
                await client.send(NO_GATE)
                await client.send(bytes(32_000 * 30))
                await until(lambda: it.count("starling_slowed_seconds_total") > 0)
                assert it.gateway.active == 1
                client.transport.abort()
            await until(lambda: it.gateway.active == 0)

    run(scenario)


def test_the_document_describes_what_there_is() -> None:
    async def scenario() -> None:
        async with served() as it:
            status, document, _ = await reply(it, "GET", "/openapi.json")
            assert status == 200
            assert {"/v1/sessions", "/v1/sessions/{session_id}", "/v1/tickets", "/v1/admission"} <= set(document["paths"])
            answers = document["paths"]["/v1/sessions"]["get"]["responses"]
            assert {"200", "401", "403", "429", "503"} <= set(answers)
            assert "SessionsView" in str(answers["200"])

    run(scenario)
