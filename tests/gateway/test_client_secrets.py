"""Client secrets over HTTP: whoever has one opens sessions as they were described, until it is over or its key is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from auth.test_keys import add
from gateway.gateway_harness import Served, run, served
from starling.auth.keyfile import changing
from starling.gateway.options import GatewayOptions
from starling.protocols.dialects import spoken
from starling.protocols.registry import DIALECTS

PATH = "/v1/realtime/client_secrets"
SESSION = {
    "type": "transcription",
    "audio": {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": None, "transcription": {"keywords": ["Ada"]}}},
}


def options(**changes: Any) -> GatewayOptions:
    return GatewayOptions(port=0, protocols=spoken(["openai-realtime"], DIALECTS), **changes)


async def ask(it: Served, body: Any = None, key: str | None = None) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body)
        return await client.post(f"http://{it.authority}{PATH}", content=content, headers=headers)


async def greeting(it: Served, **shown: Any) -> dict[str, Any]:
    """The first event of a connection."""
    async with it.connect(to=f"ws://{it.authority}/v1/realtime", **shown) as client:
        event: dict[str, Any] = json.loads(await client.recv())
        return event


def as_page(secret: str) -> dict[str, Any]:
    return {"subprotocols": ["realtime", f"openai-insecure-api-key.{secret}"]}


def as_program(secret: str) -> dict[str, Any]:
    return {"additional_headers": {"Authorization": f"Bearer {secret}"}}


def test_a_secret_opens_the_session_that_was_described(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key, _ = add(keys)

    async def scenario() -> None:
        async with served(options(keys_file=keys)) as it:
            answer = await ask(it, {"session": SESSION, "expires_after": {"anchor": "created_at", "seconds": 30}}, key)
            assert answer.status_code == 200
            issued = answer.json()
            assert issued["session"]["audio"]["input"]["turn_detection"] is None
            for shown in (as_page(issued["value"]), as_program(issued["value"])):
                event = await greeting(it, **shown)
                assert event["type"] == "session.created"
                assert event["session"]["audio"] == issued["session"]["audio"]
                assert event["session"]["audio"]["input"]["format"] == {"type": "audio/pcmu"}
            again = await ask(it, {}, issued["value"])
            assert (again.status_code, again.json()["error"]["code"]) == (403, "forbidden")
            spoiled = issued["value"][:-1] + ("0" if issued["value"][-1] != "0" else "1")
            with pytest.raises(InvalidStatus) as refused:
                await greeting(it, **as_page(spoiled))
            assert refused.value.response.status_code == 401
            with changing(keys) as change:
                change.content = type(change.content)()
            with pytest.raises(InvalidStatus) as refused:
                await greeting(it, **as_page(issued["value"]))
            assert refused.value.response.status_code == 401

    run(scenario)


def test_nobody_gets_one_without_a_key(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    add(keys)

    async def scenario() -> None:
        async with served(options(keys_file=keys)) as it:
            for key in (None, "wrong", "ek_x.y.1.z"):
                answer = await ask(it, {}, key)
                assert answer.status_code == 401
                assert answer.json()["error"]["type"] == "invalid_request_error"

    run(scenario)


def test_a_server_that_asks_for_no_keys_issues_them_all_the_same() -> None:
    async def scenario() -> None:
        async with served(options()) as it:
            issued = (await ask(it, {"session": SESSION})).json()
            event = await greeting(it, **as_page(issued["value"]))
            assert event["session"]["audio"] == issued["session"]["audio"]
            assert (await ask(it, b"")).status_code == 200

    run(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        {"session": 1},
        {"session": {"type": "realtime"}},
        {"session": {"audio": {"input": {"transcription": {"language": "xx"}}}}},
        {"session": {"audio": {"input": {"transcription": {"keywords": ["word " * 10] * 200}}}}},
        {"expires_after": 1},
        {"expires_after": {"anchor": "now"}},
        {"expires_after": {"seconds": 9}},
        {"expires_after": {"seconds": 7201}},
        {"expires_after": {"seconds": True}},
        {"expires_after": {"seconds": "60"}},
    ],
)
def test_what_cannot_be_promised_is_refused(body: Any) -> None:
    async def scenario() -> None:
        async with served(options()) as it:
            answer = await ask(it, body)
            assert answer.status_code == 400
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}

    run(scenario)


def test_too_much_is_not_read() -> None:
    async def scenario() -> None:
        async with served(options(max_frame_bytes=1000)) as it:
            assert (await ask(it, b" " * 2000)).status_code == 413

    run(scenario)


@pytest.mark.parametrize("secret", ["ek_", "ek_!.a.1.b", "ek_W10.a.1.b"])
def test_a_secret_that_is_none_is_told_where_nobody_asks_for_keys(secret: str) -> None:
    async def scenario() -> None:
        async with served(options()) as it:
            with pytest.raises(InvalidStatus) as refused:
                await greeting(it, **as_program(secret))
            assert refused.value.response.status_code == 400

    run(scenario)


def test_it_is_not_there_where_the_protocol_is_not_spoken() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0)) as it:
            assert (await ask(it)).status_code in {404, 405}

    run(scenario)
