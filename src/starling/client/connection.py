"""Reach a server: dial, open a session, and say in plain words why not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Unpack

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from starling.client.address import is_loopback, returning, stream_url
from starling.client.errors import Refused, Unreachable, overloaded
from starling.client.line import Link
from starling.client.options import Options
from starling.client.retrying import waits
from starling.client.session import NATIVE_PCM, Session
from starling.client.trust import trusting
from starling.core.audio import AudioFormat
from starling.core.errors import Overloaded, QuotaExceeded, StarlingError, Unauthenticated

MESSAGE_BYTES: Final = 1024 * 1024
"""The largest text frame taken from a server."""

PING_INTERVAL: Final = 20.0
"""Seconds between pings, which keep the entries of routers and proxies on the way alive."""

PING_TIMEOUT: Final = 120.0
"""Seconds without a pong until the server counts as gone.

The library's 20 s would end healthy sessions: a server that slows a fast client down does not read, so a ping waits behind audio.
"""

CLOSE_TIMEOUT: Final = 2.0

PATIENCE: Final = 5.0
"""Seconds that a server may ask to be waited for, which is more than one asks that recovers."""


@asynccontextmanager
async def connect(
    url: str,
    *,
    audio: AudioFormat = NATIVE_PCM,
    client_ref: str | None = None,
    api_key: str | None = None,
    ca: Path | None = None,
    headers: Mapping[str, str] | None = None,
    open_timeout: float = 10.0,
    patience: float = PATIENCE,
    resume: bool = True,
    notice: Callable[[Link], None] = lambda _: None,
    **options: Unpack[Options],
) -> AsyncIterator[Session]:
    """Open a session at ``url`` (see ``address.stream_url``) and close the connection on the way out, however that is.

    ``audio`` says how the bytes to come are encoded; ``options`` are those of the session, the server's own where not given.
    ``api_key`` is for a server that asks for one; ``ca``: certificates in PEM that may vouch for a ``wss`` server, those of the
    system if None. ``headers`` go with the upgrade request. A proxy set in the environment is used, except to this machine.
    A connection that is lost is made again, for as long as the server keeps the session, unless ``resume`` is False; ``notice``
    is told of it, and of the moment at which the session goes on. A server that takes no new session now is asked again when it
    says, if that is within ``patience`` seconds. Raises Unreachable when nobody answers within ``open_timeout`` seconds,
    Overloaded with ``retry_after`` when the server takes no more sessions, Refused for any other answer, and what ``Session``
    raises.
    """
    address = stream_url(url)
    credentials = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    reach = partial(_dial, headers=credentials | dict(headers or {}), context=trusting(ca, address), open_timeout=open_timeout)

    async def opened() -> Session:
        session = Session(await reach(address), audio, partial(reach, returning(address)) if resume else None, notice)
        try:
            async with asyncio.timeout(open_timeout):
                await session.open(client_ref, options)
        except TimeoutError:
            await session.close()
            raise Unreachable(f"{address} took the connection but opened no session within {open_timeout:g} s") from None
        except BaseException:
            await session.close()
            raise
        return session

    session = await _admitted(opened, patience)
    try:
        yield session
    finally:
        await session.close()


async def _admitted(opened: Callable[[], Awaitable[Session]], patience: float) -> Session:
    """What ``opened`` gives once the server takes a session. Raises Overloaded if it asks for more ``patience`` than there is."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    for more in waits():
        try:
            return await opened()
        except Overloaded as busy:
            wait = busy.retry_after + more  # whoever was refused at the same moment is told the same
            if loop.time() + wait > deadline:
                raise
        await asyncio.sleep(wait)
    raise AssertionError("waits never ends")


async def _dial(
    address: str, headers: Mapping[str, str], context: ssl.SSLContext | None, open_timeout: float
) -> ClientConnection:
    try:
        return await dial(
            address,
            additional_headers=headers,
            ssl=context,
            compression=None,  # speech does not compress, results are small
            proxy=None if is_loopback(address) else True,
            open_timeout=open_timeout,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            max_size=MESSAGE_BYTES,
        )
    except InvalidStatus as refused:
        raise _refusal(address, refused) from None
    except (InvalidHandshake, InvalidURI, ConnectionResetError) as error:
        hint = f"; if it serves TLS, its address is wss{address[2:]}" if address.startswith("ws:") else ""
        raise Refused(f"{address} does not answer as a WebSocket server: {error}{hint}", status=0) from None
    except TimeoutError:
        raise Unreachable(f"nobody answered at {address} within {open_timeout:g} s") from None
    except ssl.SSLCertVerificationError as error:
        why = f"the certificate of {address} cannot be trusted ({error.verify_message})"
        raise Unreachable(f"{why}; if it is yours, name its authority with --ca") from None
    except ssl.SSLError as error:
        raise Unreachable(
            f"{address} does not speak TLS as expected ({error.reason}); if it serves none, its address is ws{address[3:]}"
        ) from None
    except OSError as error:
        raise Unreachable(
            f"nobody answers at {address} ({error.strerror or error}): is the server running? `starling serve` starts one"
        ) from None


def _refusal(address: str, refused: InvalidStatus) -> StarlingError:
    response = refused.response
    status = response.status_code
    said = _said(response.body or b"")
    if status == Unauthenticated.http_status:
        hint = "give it with --api-key, STARLING_API_KEY, or connect(api_key=...)"
        return Refused(f"{address} takes nobody without a good API key ({said or 'HTTP 401'}): {hint}", status=status)
    if status not in {Overloaded.http_status, QuotaExceeded.http_status}:
        reason = said or "is this the address of a Starling server?"
        return Refused(f"{address} answered HTTP {status}, not a session: {reason}", status=status)
    try:
        retry_after = float(response.headers["Retry-After"])
    except (KeyError, ValueError):  # absent, or a date
        retry_after = None
    return overloaded(f"{address} takes no new session now{f' ({said})' if said else ''}", retry_after)


class _Reason(msgspec.Struct):
    message: str


class _Refusal(msgspec.Struct):
    error: _Reason


def _said(body: bytes | bytearray) -> str | None:
    """The server's own words in the body of a refusal, if it is one of ours."""
    try:
        return msgspec.json.decode(body, type=_Refusal).error.message
    except ValueError:  # msgspec's errors are ValueErrors
        return None
