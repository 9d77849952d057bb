from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from contracts.recordings_contract import BYTES, RecordingsContract, broken, chunks, keys, read
from maven import JarsMissing
from s3proxy_server import s3proxy
from starling.core.errors import InvalidOption, StoreUnavailable
from starling.core.job_store import Recordings
from starling.jobs.s3 import S3Recordings

NUMBERS = count()
BUCKET = "recordings"


def client(endpoint: str) -> Any:
    untyped: Any = boto3
    return untyped.client("s3", endpoint_url=endpoint)


@pytest.fixture(scope="module", params=["moto", "s3proxy"])
def endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that speaks S3, with a bucket: one that takes nearly anything, and one that is picky."""
    patch = pytest.MonkeyPatch()
    for name, value in (("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_DEFAULT_REGION", "us-east-1")):
        patch.setenv(name, value)
    try:
        with moto() if request.param == "moto" else s3proxy("k", "s") as url:
            client(url).create_bucket(Bucket=BUCKET)
            yield url
    except JarsMissing as reason:
        pytest.skip(str(reason))
    finally:
        patch.undo()


@contextmanager
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class TestS3Recordings(RecordingsContract):
    @pytest.fixture(autouse=True)
    def _endpoint(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        asyncio.run(scenario)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Recordings]:
        recordings = S3Recordings(f"s3://{BUCKET}/some/{next(NUMBERS)}", endpoint=self.endpoint)
        yield recordings
        await recordings.close()


def test_one_of_many_parts_is_whole_or_not_there(endpoint: str, request: pytest.FixtureRequest) -> None:
    async def large() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield BYTES
        async for chunk in broken():
            yield chunk

    async def scenario() -> None:
        recordings = S3Recordings(f"s3://{BUCKET}/large", endpoint=endpoint)
        key, size, _ = await recordings.put(chunks(BYTES * 20), limit=1 << 30)
        assert size == 20 << 20
        assert await read(recordings, key, start=(8 << 20) - 5, end=(8 << 20) + 5) == BYTES[-5:] + BYTES[:5]
        with pytest.raises(ConnectionResetError):
            await recordings.put(large(), limit=1 << 30)
        assert await keys(recordings) == [key]

    asyncio.run(scenario())
    if request.node.callspec.params["endpoint"] == "s3proxy":
        return  # it fails when it is to list uploads
    uploads = client(endpoint).list_multipart_uploads(Bucket=BUCKET)
    assert not uploads.get("Uploads")


def test_a_store_that_does_not_take_it_is_said(endpoint: str) -> None:
    async def scenario() -> None:
        recordings = S3Recordings("s3://another-bucket", endpoint=endpoint)
        with pytest.raises(StoreUnavailable, match="object store"):
            await recordings.put(chunks(BYTES), limit=1 << 30)

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["s3://", "https://bucket", "bucket", "s3:///prefix"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(InvalidOption, match="expected s3://"):
        S3Recordings(url)


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(InvalidOption, match="pip install"):
        S3Recordings(f"s3://{BUCKET}")
