"""Who gets in, and the plain HTTP side."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from gateway.gateway_harness import START, Served, hear, run, served, until
from starling import __version__
from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption, StarlingError
from starling.core.load import Load, Rung
from starling.gateway import app
from starling.gateway.gateway import Gateway
from starling.gateway.newcomers import TRANSIT
from starling.gateway.options import GatewayOptions
from starling.gateway.server import serving
from starling.telemetry.health import State


async def refused(client: object) -> tuple[int, str | None, str]:
    """Status, Retry-After and error code of an upgrade that must fail."""
    with pytest.raises(InvalidStatus) as raised:
        await client  # type: ignore[misc]  # websockets' connect is awaitable
    response = raised.value.response
    assert response.body is not None
    return response.status_code, response.headers.get("Retry-After"), json.loads(response.body)["error"]["code"]


def test_too_many_sessions() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_sessions=1, retry_after=1.5)) as it:
            async with it.connect() as client:
                await client.send(START)
                await hear(client, until="ready")
                assert await refused(it.connect()) == (503, "2", "overloaded")
                assert it.count("starling_sessions_refused_total", reason="capacity") == 1
                assert it.count("starling_sessions_active") == 1
            await until(lambda: not it.gateway.active)
            async with it.connect() as client:
                await client.send(START)
                await hear(client, until="ready")

    run(scenario)


def test_too_many_sessions_of_one_address() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_sessions_per_address=1)) as it, it.connect():
            assert await refused(it.connect()) == (503, "2", "overloaded")
            assert it.count("starling_sessions_refused_total", reason="address") == 1

    run(scenario)


def load(it: Served, places: float, rung: Rung = Rung.NORMAL, *, sessions: int = 0, retry_after: float = 2.0) -> Load:
    room = 0.05 * places
    at = it.gateway.ports.clock.now()
    return Load(sessions=sessions, demand=0.5, room=room, each=0.05, rung=rung, retry_after=retry_after, at=at)


def test_nobody_is_admitted_while_every_recognizer_refuses() -> None:
    async def scenario() -> None:
        async with served() as it:
            it.board.post("w1", load(it, 3, Rung.REFUSING, retry_after=6.2))
            it.board.post("w2", load(it, -1, Rung.REFUSING, retry_after=4.2))
            assert await refused(it.connect()) == (503, "5", "overloaded")
            assert it.count("starling_sessions_refused_total", reason="engine") == 1
            it.board.post("w2", load(it, 1.2, Rung.STRETCHED))
            async with it.connect() as client:
                await client.send(START)
                await hear(client, until="ready")

    run(scenario)


def test_a_burst_of_clients_gets_the_room_that_recognizers_said_they_have_once() -> None:
    async def scenario() -> None:
        async with served() as it:
            it.board.post("w1", load(it, 1.9))
            it.board.post("w2", load(it, 1.9))
            async with it.connect(), it.connect():
                assert await refused(it.connect()) == (503, "2", "overloaded")
                it.board.withdraw("w1")
                it.board.withdraw("w2")
                async with it.connect():
                    pass

    run(scenario)


def test_a_crowd_of_silent_sessions_takes_no_room() -> None:
    async def scenario() -> None:
        async with served() as it, AsyncExitStack() as crowd:
            for sessions in range(40):
                it.board.post("w1", load(it, 1, sessions=sessions))
                client = await crowd.enter_async_context(it.connect())
                await client.send(START)
                await hear(client, until="ready")
                assert await refused(it.connect()) == (503, "2", "overloaded"), "the newest one may speak yet"
                await asyncio.sleep(TRANSIT)

    run(scenario)


def test_nobody_is_admitted_before_the_server_is_ready_or_while_it_drains() -> None:
    async def scenario() -> None:
        async with served() as it:
            it.health.set("model", State.STARTING)
            assert await refused(it.connect()) == (503, "2", "overloaded")
            assert (await it.get("/readyz")).startswith("HTTP/1.1 503")
            it.health.set("model", State.OK)
            assert (await it.get("/readyz")).startswith("HTTP/1.1 200")
            await it.gateway.drain(1)
            assert await refused(it.connect()) == (503, None, "shutting_down")
            assert (await it.get("/readyz")).startswith("HTTP/1.1 503")
            assert (await it.get("/healthz")).startswith("HTTP/1.1 200")
            assert it.count("starling_sessions_refused_total", reason="starting") == 1
            assert it.count("starling_sessions_refused_total", reason="draining") == 1

    run(scenario)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "https://", "http://[", "file://"])
def test_pages_of_other_sites_may_not_connect(origin: str) -> None:
    async def scenario() -> None:
        async with served() as it:
            assert await refused(it.connect(origin=origin)) == (403, None, "forbidden")
            assert it.count("starling_sessions_refused_total", reason="forbidden") == 1

    run(scenario)


@pytest.mark.parametrize("origin", [None, "http://same", "https://captions.example", "https://Captions.Example"])
def test_the_console_and_named_sites_may_connect(origin: str | None) -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, allowed_origins=("https://captions.example/",))
        async with served(options) as it, it.connect(origin=origin and origin.replace("same", it.authority)) as client:
            await client.send(START)
            await hear(client, until="ready")

    run(scenario)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("192.168.1.7", 200),
        ("localhost", 200),
        ("LOCALHOST.:80", 200),
        ("captions.example:8000", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:8000", 403),
        ("", 403),
    ],
)
def test_only_names_of_this_server_are_served(host: str, status: int) -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, allowed_hosts=("captions.example",))) as it:
            assert (await it.get("/healthz", Host=host)).startswith(f"HTTP/1.1 {status}")

    run(scenario)


def test_a_foreign_name_gets_no_socket_either() -> None:
    async def scenario() -> None:
        async with served() as it:
            answer = await it.get(
                "/v1/stream",
                Host="evil.example",
                Upgrade="websocket",
                **{"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"},
            )
            assert answer.startswith("HTTP/1.1 403")

    run(scenario)


def test_every_route_is_on_the_protocol_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()

    async def scenario() -> None:
        async with served() as it:
            for route in app.create_app(it.gateway).routes:
                path = getattr(route, "path", "") or "/"
                assert f"`{path}`" in page or path == "/v1/stream" or path.endswith("{path:path}"), path

    run(scenario)


def test_plain_routes() -> None:
    async def scenario() -> None:
        async with served() as it:
            assert '"ready":true' in await it.get("/readyz")
            assert '"live":true' in await it.get("/healthz")
            version = json.loads((await it.get("/version")).partition("\r\n\r\n")[2])
            assert version == {"version": __version__, "model": "scripted", "model_version": "1"}
            metrics = await it.get("/metrics")
            assert "text/plain; version=0.0.4" in metrics
            assert "starling_sessions_active 0.0" in metrics
            for path in ("/docs", "/redoc", "/../pyproject.toml", "/nothing"):
                assert (await it.get(path)).startswith("HTTP/1.1 404"), path

    run(scenario)


@pytest.mark.parametrize(
    ("path", "status", "code", "says"),
    [
        ("/nothing", 404, "not_found", "/v1/stream"),
        ("/v1/stream", 426, "upgrade_required", "use a WebSocket"),
    ],
)
def test_a_request_that_is_no_session_is_refused_in_the_shape_of_all_refusals(
    path: str, status: int, code: str, says: str
) -> None:
    async def scenario() -> None:
        async with served() as it:
            head, _, body = (await it.get(path)).partition("\r\n\r\n")
            assert head.startswith(f"HTTP/1.1 {status}")
            assert ("\r\nupgrade: websocket" in head.lower()) is (status == 426)
            refused = json.loads(body)["error"]
            assert (refused["code"], refused["retryable"]) == (code, False)
            assert says in refused["message"]

    run(scenario)


def test_the_console_is_served_with_every_protection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    monkeypatch.setattr(app, "CONSOLE", tmp_path)

    async def scenario() -> None:
        async with served() as it:
            page = (await it.get("/")).lower()
            assert page.startswith("http/1.1 200")
            assert "content-security-policy: default-src 'none'" in page
            assert "cache-control: no-cache" in page
            assert "etag: " in page
            assert "cache-control: no-store" in (await it.get("/healthz")).lower()
            for path in ("/", "/healthz", "/nothing"):
                answer = (await it.get(path)).lower()
                for name in app.SECURITY_HEADERS:
                    assert f"\r\n{name.lower()}: " in answer, (path, name)
                assert "\r\nserver: " not in answer

    run(scenario)


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    async def scenario() -> None:
        async with served() as it:
            it.gateway.options = GatewayOptions(port=it.port)
            with pytest.raises(StarlingError, match=f"cannot listen on 127.0.0.1 port {it.port}"):
                async with serving(it.gateway):
                    pass

    run(scenario)


def test_a_host_that_is_none_is_a_clear_error() -> None:
    async def scenario() -> None:
        async with served() as it:
            it.gateway.options = GatewayOptions(host="no.such.host.invalid", port=0)
            with pytest.raises(InvalidOption, match="no address of this machine"):
                async with serving(it.gateway):
                    pass

    run(scenario)


def test_a_default_language_that_is_not_spoken_is_found_at_the_start() -> None:
    async def scenario() -> None:
        async with served() as it:
            options = GatewayOptions(defaults=SessionConfig(language="de"))
            with pytest.raises(InvalidOption, match="language must be one of en, got 'de'"):
                Gateway(options, it.gateway.ports, it.gateway.ability.known, it.health)

    run(scenario)


@pytest.mark.parametrize(
    "wrong",
    [{"max_sessions": 0}, {"idle_timeout": 0.0}, {"port": 70_000}, {"retry_after": -1.0}, {"max_session_seconds": float("nan")}],
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidOption, match=next(iter(wrong))):
        GatewayOptions(**wrong)  # type: ignore[arg-type]  # values of every field's type


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/v1/health"), ("POST", "/api/v1/asr/submit"), ("POST", "/v1/audio/transcriptions")]
)
def test_a_server_that_could_not_open_its_store_says_so_where_recordings_would_be_taken(method: str, path: str) -> None:
    async def scenario() -> None:
        async with served() as it:
            answer = await it.request(f"{method} {path} HTTP/1.1\r\nHost: {it.authority}\r\nContent-Length: 0\r\n\r\n")
            assert answer.startswith("HTTP/1.1 503")
            assert "store_unavailable" in answer
            assert "live captions only" in answer

    run(scenario)
