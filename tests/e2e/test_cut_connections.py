"""The real model behind a real socket that is cut again and again: the captions are those of an undisturbed session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import uvloop

from client.test_client_resume import Wire
from recordings import recording
from starling import Recognizer
from starling.app import running
from starling.client import connect
from starling.client.conversation import converse
from starling.client.line import Link
from starling.config.groups.edge import Server
from starling.config.groups.jobs import Jobs
from starling.config.settings import Settings
from starling.core.audio import SAMPLE_RATE, Samples, seconds
from starling.protocols.native.messages import Result, ServerMessage

CHUNK = SAMPLE_RATE // 10


def test_captions_of_a_cut_connection_are_those_of_a_whole_one() -> None:
    sound = recording("beckett")
    with Recognizer() as recognizer:
        whole = [(said.segment_id, said.text, round(seconds(said.start), 3)) for said in recognizer.transcribe(sound)]

    async def scenario() -> tuple[list[ServerMessage], list[Link]]:
        heard: list[ServerMessage] = []
        links: list[Link] = []
        async with running(Settings(server=Server(port=0), jobs=Jobs(workers=0))) as server:
            host, port = server.url.removeprefix("http://").strip("/").rsplit(":", 1)
            async with Wire(host, int(port)).open() as wire:

                async def spoken() -> AsyncIterator[Samples]:
                    for number, start in enumerate(range(0, len(sound), CHUNK)):
                        await asyncio.sleep(0.02)
                        if number % 25 == 17:
                            wire.cut()
                        yield sound[start : start + CHUNK]

                async with connect(f"ws://127.0.0.1:{wire.port}", notice=links.append) as session:
                    await converse(session, spoken(), heard.append)
        return heard, links

    heard, links = uvloop.run(scenario())
    finals = [(said.segment_id, said.text, said.start) for said in heard if isinstance(said, Result) and said.is_final]
    assert finals == whole
    assert len(links) >= 6
    assert links == [Link.LOST, Link.RESTORED] * (len(links) // 2)
