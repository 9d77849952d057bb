"""A gateway that goes on where another one stopped."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from gateway.gateway_harness import CAPABILITIES, hear, run, served, until
from gateway.test_resume import END, cut, detached, heard, noise, opened, resume
from starling.core.audio import FRAME, AudioFormat, Encoding, Samples
from starling.core.config import SessionConfig, VadMode
from starling.core.errors import NotResumable
from starling.core.records import Audio, EndReason, Gap, SessionRecord, Tail
from starling.gateway.gateway import Gateway
from starling.gateway.intake import Intake
from starling.gateway.options import GatewayOptions
from starling.gateway.server import serving
from starling.protocols.verbs import OpenRequest
from starling.telemetry.metrics import Metrics
from starling.vad.gate import GateOptions

METRICS = Metrics()
RATES = [8_000, 11_025, 16_000, 22_050, 44_100, 44_101, 48_000, 96_000]
UNCOMPRESSED = [Encoding.PCM_S16LE, Encoding.PCM_F32LE, Encoding.MULAW, Encoding.ALAW, Encoding.WAV]
HEADERLESS = [Encoding.PCM_S16LE, Encoding.PCM_F32LE, Encoding.MULAW, Encoding.ALAW]


def encoded(encoding: Encoding, frames: int, channels: int) -> bytes:
    random = np.random.default_rng(0)
    if encoding is Encoding.PCM_F32LE:
        return random.uniform(-1, 1, frames * channels).astype("<f4").tobytes()
    if encoding is Encoding.PCM_S16LE:
        return random.integers(-9000, 9000, frames * channels).astype("<i2").tobytes()
    return random.integers(0, 256, frames * channels).astype(np.uint8).tobytes()


def wave_file(body: bytes, code: int, channels: int, rate: int, bits: int, *, live: bool = False) -> bytes:
    frame = channels * bits // 8
    shape = struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits)
    chunks = b"LIST\x03\0\0\0abc\0" + b"fmt \x10\0\0\0" + shape if live else b"fmt \x10\0\0\0" + shape
    size = 0 if live else len(body)
    return b"RIFF\0\0\0\0WAVE" + chunks + b"data" + struct.pack("<I", size) + body


def wav(frames: int, rate: int, channels: int, data: st.DataObject) -> bytes:
    code, bits, live = data.draw(st.tuples(st.just(1), st.sampled_from([8, 16, 24]), st.booleans()))
    body = np.random.default_rng(0).integers(0, 256, frames * channels * bits // 8).astype(np.uint8).tobytes()
    return wave_file(body, code, channels, rate, bits, live=live)


def fed(intake: Intake, data: bytes, size: int) -> list[SessionRecord]:
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    records = [record for piece in pieces for some in intake.feed(piece, 0.0) for record in some]
    return [*records, *intake.end(EndReason.CLIENT, 0.0)[0]]


def told(records: Sequence[SessionRecord], start: int = 0) -> Samples:
    """The samples from position ``start`` on, skipped silence as zeros."""
    parts = [np.empty(0, np.int16)]
    position = start
    for record in records:
        if isinstance(record, Audio | Gap):
            assert record.start == position
            parts.append(record.samples if isinstance(record, Audio) else np.zeros(record.count, np.int16))
            position = record.end
    return np.concatenate(parts)


@settings(max_examples=60)
@given(st.sampled_from(UNCOMPRESSED), st.sampled_from(RATES), st.integers(1, 2), st.sampled_from(list(VadMode)), st.data())
def test_whatever_record_was_the_last_the_rest_is_the_same(
    encoding: Encoding, rate: int, channels: int, vad: VadMode, data: st.DataObject
) -> None:
    request = OpenRequest(audio=AudioFormat(encoding, rate, channels), config=SessionConfig(vad=vad))
    sent = wav(3 * rate, rate, channels, data) if encoding is Encoding.WAV else encoded(encoding, 3 * rate, channels)
    intake = Intake("s", request, GateOptions(), METRICS)
    records = fed(intake, sent, data.draw(st.integers(500, 50_000)))
    last = data.draw(st.sampled_from([record for record in records if isinstance(record, Audio | Gap)]))
    tail = Tail(position=last.end, sequence=last.sequence, received=last.received)
    rest = fed(
        Intake("s", request, GateOptions(), METRICS, tail=tail, wave=intake.wave),
        sent[tail.received :],
        data.draw(st.integers(500, 50_000)),
    )
    assert (told(rest, tail.position) == told(records)[tail.position :]).all()
    assert rest[0].sequence == tail.sequence + 1
    received = [record.received for record in [*records[: last.sequence + 1], *rest]]
    assert received == sorted(received)


def test_who_goes_on_before_a_wave_header_was_read_reads_it_anew() -> None:
    request = OpenRequest(audio=AudioFormat(Encoding.WAV), config=SessionConfig(vad=VadMode.OFF))
    sent = wave_file(encoded(Encoding.PCM_S16LE, 16_000, 1), 1, 1, 16_000, 16)
    intake = Intake("s", request, GateOptions(), METRICS)
    controls = [*next(iter(intake.feed(sent[:30], 0.0))), *intake.finalize(0.0)]
    assert [record.received for record in controls] == [0]
    tail = Tail(position=0, sequence=controls[-1].sequence, received=0)
    rest = fed(Intake("s", request, GateOptions(), METRICS, tail=tail), sent, 999)
    assert told(rest).tobytes() == sent[44:]


@pytest.mark.parametrize("encoding", sorted(set(Encoding) - set(UNCOMPRESSED)))
def test_audio_whose_header_is_gone_cannot_go_on(encoding: Encoding) -> None:
    request = OpenRequest(audio=AudioFormat(encoding))
    with pytest.raises(NotResumable, match="start a new session"):
        Intake("s", request, GateOptions(), METRICS, tail=Tail(position=0, sequence=-1, received=0))


@pytest.mark.parametrize("header", [b"", wave_file(b"", 1, 1, 16_000, 16, live=True)], ids=["pcm", "wav"])
@pytest.mark.parametrize("ended", [False, True])
def test_a_client_finds_its_session_at_the_next_gateway(header: bytes, *, ended: bool) -> None:
    sound = noise(64 * FRAME)
    sent = header + sound
    start = '{"type":"start","resume":true,"audio":{"encoding":"%s"}}' % ("wav" if header else "pcm_s16le")

    async def scenario() -> None:
        async with served() as it:
            async with it.connect() as first:
                ready = await opened(first, start)
                await first.send(sent[:50_001])
                await until(lambda: len(it.recognizer.records) > 1)
                if ended:
                    await first.send(sent[50_001:])
                    await first.send(END)
                    await it.recognizer.ended.get()
                cut(first)
            await detached(it)
            following = Gateway(GatewayOptions(port=0), it.gateway.ports, CAPABILITIES, it.health)
            async with serving(following) as (host, port):
                assert await following.adopt() == 1
                await until(lambda: following.active == 1)
                async with it.connect(to=f"ws://{host}:{port}/v1/stream?resume") as second:
                    resumed = await resume(second, ready["resume_token"], len(sent))
                    assert resumed["type"] == "resumed", resumed
                    assert ended or resumed["received"] == len(header) + 48 * FRAME * 2
                    await second.send(sent[resumed["received"] :]) if not ended else None
                    await second.send(END)
                    said = await hear(second)
                    assert said[-1]["type"] == "done"
                    assert [message["is_final"] for message in said if message["type"] == "result"][-1]
                assert heard(it) == sound
                await until(lambda: following.active == 0)
                assert not await it.gateway.ports.directory.entries()

    run(scenario)


def test_what_nobody_comes_back_to_is_ended_by_the_next_gateway() -> None:
    async def scenario() -> None:
        async with served() as it:
            async with it.connect() as first:
                await opened(first)
                await first.send(noise(2 * FRAME))
                cut(first)
            async with it.connect() as headed:
                await opened(headed, '{"type":"start","resume":true,"audio":{"encoding":"webm_opus"}}')
                cut(headed)
            await detached(it, 2)
            following = Gateway(GatewayOptions(port=0, resume_grace=0.05), it.gateway.ports, CAPABILITIES, it.health)
            assert await following.adopt() == 2
            for _ in range(2):
                assert (await it.recognizer.ended.get()).reason is EndReason.DISCONNECTED
            await until(lambda: not following.active)
            assert not await it.gateway.ports.directory.entries()

    run(scenario)
