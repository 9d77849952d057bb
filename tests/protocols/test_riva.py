"""Riva's speech recognition: calls as sessions, over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.streams import mux, wav
from protocols.dialect_server import native_texts, speaking
from protocols.foreign_client import OFFER, Gate, play, steps, transcript
from recordings import recording
from starling.app import Running
from starling.core.audio import AudioFormat, Encoding, Samples
from starling.core.errors import EngineFailed, InvalidMessage, InvalidOption, QuotaExceeded, StarlingError, UnsupportedAudio
from starling.core.transcript import SessionFailed
from starling.protocols.calls import HALF_CLOSED, Code, code_of
from starling.protocols.errors import KINDS
from starling.protocols.foreign import Head
from starling.protocols.riva import RIVA, credential
from starling.protocols.riva.adapter import RecordingAdapter, StreamingAdapter, adapter, configurations
from starling.protocols.trailers import DETAILS, PUSHBACK, trailers
from starling.protocols.verbs import Feed, Frame, Leave, Open
from starling.protocols.wire import riva_asr_pb2 as wire
from starling.protocols.wire import rpc_status_pb2
from starling.protocols.wire.generate import HERE, generate

assert RIVA.service is not None
PATH = f"/{RIVA.service.name}/"
HEAD = Head(path=f"{PATH}StreamingRecognize", trace_id="7" * 32)
AUDIO = wire.StreamingRecognizeRequest(audio_content=b"\1\0\2\0").SerializeToString()


def recognition(**fields: Any) -> wire.RecognitionConfig:
    return wire.RecognitionConfig(**{"encoding": wire.LINEAR_PCM, "sample_rate_hertz": 16000, **fields})


def config(*, interim: bool = True, **fields: Any) -> bytes:
    """A first message."""
    asked = wire.StreamingRecognitionConfig(config=recognition(**fields), interim_results=interim)
    return wire.StreamingRecognizeRequest(streaming_config=asked).SerializeToString()


def audio(data: bytes) -> bytes:
    return wire.StreamingRecognizeRequest(audio_content=data).SerializeToString()


def connected(*frames: Frame) -> Gate:
    gate = Gate(StreamingAdapter(OFFER, HEAD))
    for frame in frames:
        gate.send(frame)
    return gate


def opened(gate: Gate) -> Any:
    (request,) = [verb.request for verb in gate.verbs if isinstance(verb, Open)]
    return request


def told(gate: Gate) -> list[wire.StreamingRecognizeResponse]:
    """What was said since the last time."""
    found = [wire.StreamingRecognizeResponse.FromString(frame) for frame in gate.said if isinstance(frame, bytes)]
    gate.said.clear()
    return found


# --- streams -----------------------------------------------------------------------------------------------------------


def test_a_stream_is_a_session_from_its_first_audio_to_the_half_close() -> None:
    gate = connected(config())
    assert not gate.open
    gate.send(AUDIO)
    assert opened(gate).audio == AudioFormat()
    gate.hear("One two.", partials=("One",))
    gate.hear("")
    gate.send(HALF_CLOSED)
    assert gate.over
    interim, final = told(gate)
    assert [(it.alternatives[0].transcript, it.is_final) for it in interim.results] == [("one", False)]
    (result,) = final.results
    assert (result.alternatives[0].transcript, result.is_final) == ("one two ", True)
    assert result.alternatives[0].confidence == pytest.approx(0.5)
    assert result.audio_processed > 0
    assert result.channel_tag == 1
    assert final.id.value == "7" * 32


def test_words_that_stay_and_words_that_may_not_read_on() -> None:
    gate = connected(config(enable_automatic_punctuation=True), AUDIO)
    grown = replace(transcript("One two three", final=False), stable_text="One two")
    gate.said += gate.adapter.event(grown)
    (response,) = told(gate)
    assert [it.alternatives[0].transcript for it in response.results] == ["One two", " three"]
    assert [round(it.stability, 1) for it in response.results] == [0.9, 0.1]


def test_text_that_was_shown_and_withdrawn_has_an_empty_final() -> None:
    gate = connected(config(), AUDIO)
    gate.hear("", partials=("hm",))
    *_, final = told(gate)
    assert final.results[0].is_final
    assert final.results[0].alternatives[0].transcript == ""


def test_words_have_times_in_milliseconds_when_asked_for() -> None:
    gate = connected(config(enable_word_time_offsets=True), AUDIO)
    gate.hear("One -- two.")
    (final,) = told(gate)
    assert opened(gate).config.words
    found = [(it.word, it.start_time, it.end_time) for it in final.results[0].alternatives[0].words]
    assert found == [("one", 0, 200), ("two", 500, 700)]
    plain = connected(config(), AUDIO)
    plain.hear("One")
    assert not told(plain)[0].results[0].alternatives[0].words


def test_options_are_taken() -> None:
    contexts = [
        wire.SpeechContext(phrases=["Ada", "Grace"], boost=20),
        wire.SpeechContext(phrases=["Lovelace"], boost=100),
        wire.SpeechContext(phrases=["lamp"]),
        wire.SpeechContext(phrases=["never"], boost=-4),
        wire.SpeechContext(phrases=["faint"], boost=5),
    ]
    ends = wire.EndpointingConfig(stop_history=800, stop_history_eou=100, start_history=1, start_threshold=0.5)
    asked = config(
        speech_contexts=contexts, endpointing_config=ends, language_code="en-US", max_alternatives=3, audio_channel_count=2
    )
    request = opened(connected(asked, AUDIO))
    assert {word.phrase: word.weight for word in request.config.hotwords} == {
        "Ada": 1.0,
        "Grace": 1.0,
        "Lovelace": 2.0,
        "lamp": 1.0,
        "faint": 0.25,
    }
    assert (request.config.endpoint_silence, request.config.finished_silence) == (0.8, 0.3)
    assert request.config.partials
    assert request.audio == AudioFormat(channels=2)
    assert not opened(connected(config(interim=False), AUDIO)).config.partials


@pytest.mark.parametrize(
    ("fields", "data", "expected"),
    [
        ({"encoding": wire.MULAW, "sample_rate_hertz": 0}, b"\1", AudioFormat(Encoding.MULAW, 8000)),
        ({"encoding": wire.ALAW, "sample_rate_hertz": 16000}, b"\1", AudioFormat(Encoding.ALAW, 16000)),
        ({"encoding": wire.OGGOPUS}, b"x", AudioFormat(Encoding.OGG_OPUS)),
        ({"encoding": wire.FLAC}, b"x", AudioFormat(Encoding.FLAC)),
        ({"encoding": 0, "sample_rate_hertz": 0}, b"fLaC", AudioFormat(Encoding.FLAC)),
        ({"encoding": 0, "sample_rate_hertz": 0}, b"RIFF", AudioFormat(Encoding.WAV)),
        ({"encoding": 0, "sample_rate_hertz": 0}, b"OggS", AudioFormat(Encoding.OGG_OPUS)),
        ({"encoding": 1, "sample_rate_hertz": 22050}, b"RIFFsize", AudioFormat(Encoding.WAV)),
        ({"encoding": 0, "sample_rate_hertz": 22050}, b"\0\0\0\0", AudioFormat(sample_rate=22050)),
    ],
)
def test_audio_is_what_its_header_says_or_else_its_configuration(fields: Any, data: bytes, expected: AudioFormat) -> None:
    pieces = [audio(data[place : place + 1]) for place in range(len(data))]
    gate = connected(config(**fields), *pieces, HALF_CLOSED)
    assert opened(gate).audio == expected
    assert b"".join(verb.data for verb in gate.verbs if isinstance(verb, Feed)) == data


def test_less_than_a_header_is_audio_and_none_is_no_session() -> None:
    gate = connected(config(), audio(b"\1\0"), HALF_CLOSED)
    assert [verb.data for verb in gate.verbs if isinstance(verb, Feed)] == [b"\1\0"]
    silent = connected(config(), audio(b""), HALF_CLOSED)
    assert silent.verbs == [Leave()]
    assert silent.adapter.closing(None) == (Code.OK, "")


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([AUDIO], InvalidMessage),
        ([HALF_CLOSED], InvalidMessage),
        ([b""], InvalidMessage),
        ([b"\xff"], InvalidMessage),
        ([config(), config()], InvalidMessage),
        ([config(), AUDIO, config()], InvalidMessage),
        ([config(language_code="xx")], InvalidOption),
        ([config(max_alternatives=-1)], InvalidOption),
        ([config(profanity_filter=True)], InvalidOption),
        ([config(enable_separate_recognition_per_channel=True, audio_channel_count=2)], InvalidOption),
        ([config(diarization_config=wire.SpeakerDiarizationConfig(enable_speaker_diarization=True))], InvalidOption),
        ([config(endpointing_config=wire.EndpointingConfig(stop_history=-1))], InvalidOption),
        ([config(endpointing_config=wire.EndpointingConfig(stop_history=60_000))], InvalidOption),
        ([config(speech_contexts=[wire.SpeechContext(phrases=["x"], boost=float("nan"))])], InvalidOption),
        ([config(encoding=77)], UnsupportedAudio),
        ([config(encoding=wire.MULAW, sample_rate_hertz=1)], UnsupportedAudio),
        ([config(sample_rate_hertz=0), AUDIO], InvalidOption),
        ([config(sample_rate_hertz=1), AUDIO], UnsupportedAudio),
    ],
)
def test_what_cannot_be_taken_ends_the_call_with_its_reason(frames: list[Frame], error: type[StarlingError]) -> None:
    gate = connected(*frames)
    assert isinstance(gate.failed, error)
    code, message = gate.adapter.closing(error)
    assert code == Code.INVALID_ARGUMENT
    assert message == gate.failed.message
    assert not told(gate)


def test_harmless_wishes_are_harmless() -> None:
    gate = connected(config(enable_separate_recognition_per_channel=True, custom_configuration={"a": "b"}, model="x"), AUDIO)
    assert gate.open


# --- recordings --------------------------------------------------------------------------------------------------------


def request(data: bytes = b"\1\0\2\0", **fields: Any) -> bytes:
    asked = wire.RecognizeRequest(config=recognition(**fields), audio=data, id=wire.RequestId(value="mine"))
    return asked.SerializeToString()


def test_a_recording_is_answered_once_with_all_of_it() -> None:
    gate = Gate(RecordingAdapter(OFFER, HEAD))
    found = gate.adapter.receive(request(enable_automatic_punctuation=True))
    gate._obey(found[:-1])
    gate.hear("One.")
    gate.hear("")
    gate.hear("Two.")
    assert not gate.said
    gate._obey(found[-1:])
    assert gate.over
    (frame,) = gate.said
    assert isinstance(frame, bytes)
    response = wire.RecognizeResponse.FromString(frame)
    assert [it.alternatives[0].transcript for it in response.results] == ["One. ", "Two. "]
    assert response.id.value == "mine"
    assert not gate.adapter.receive(HALF_CLOSED)
    with pytest.raises(InvalidMessage):
        gate.adapter.receive(request())


@pytest.mark.parametrize("frame", [HALF_CLOSED, b"\xff", request(sample_rate_hertz=0), request(language_code="xx")])
def test_no_recording_at_all(frame: Frame) -> None:
    gate = Gate(RecordingAdapter(OFFER, HEAD))
    gate.send(frame)
    assert gate.failed is not None
    assert not gate.said


def test_the_path_says_which_call_it_is() -> None:
    assert isinstance(adapter(OFFER, Head(path=f"{PATH}Recognize")), RecordingAdapter)
    assert isinstance(adapter(OFFER, Head(path=f"{PATH}StreamingRecognize")), StreamingAdapter)


def test_the_model_is_named() -> None:
    answer = wire.RivaSpeechRecognitionConfigResponse.FromString(configurations(OFFER, b""))
    assert {(it.model_name, it.parameters["type"]) for it in answer.model_config} == {
        ("scripted", "online"),
        ("scripted", "offline"),
    }
    for wrong in (b"\xff", wire.RivaSpeechRecognitionConfigRequest(model_name="other").SerializeToString()):
        with pytest.raises(InvalidMessage):
            configurations(OFFER, wrong)


# --- how calls end -----------------------------------------------------------------------------------------------------


def test_every_error_has_a_status() -> None:
    assert {code_of(kind) for kind in KINDS.values()} == set(Code) - {Code.OK}


def test_a_session_that_failed_gives_its_reason() -> None:
    gate = connected(config(), AUDIO)
    gate.said += gate.adapter.event(SessionFailed("s", EngineFailed.code, "the decode failed"))
    assert gate.adapter.closing(EngineFailed) == (Code.UNAVAILABLE, "the decode failed")
    assert not gate.said


def test_who_is_refused_for_load_hears_when_to_come_back() -> None:
    said = dict(trailers(QuotaExceeded("too many", gate="rate", retry_after=1.25)))
    assert said[PUSHBACK] == "1250"
    detailed = said[DETAILS]
    assert isinstance(detailed, bytes)
    status = rpc_status_pb2.Status.FromString(detailed)
    assert (status.code, status.message) == (Code.RESOURCE_EXHAUSTED, "too many")
    delay = rpc_status_pb2.RetryInfo.FromString(status.details[0].value).retry_delay
    assert (delay.seconds, delay.nanos) == (1, 250_000_000)
    assert not trailers(InvalidOption("no"))


def test_keys_are_shown_as_bearer_or_by_name() -> None:
    assert credential(Head(headers={"authorization": "Bearer k"})) == "k"
    assert credential(Head(headers={"x-api-key": "k"})) == "k"
    assert credential(Head()) is None


def test_the_modules_are_those_of_the_definitions(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="make setup-dev installs it")
    generate(tmp_path)
    for module in tmp_path.iterdir():
        assert module.read_text() == (HERE / module.name).read_text(), "make stubs"


# --- whatever comes ----------------------------------------------------------------------------------------------------


contexts = st.builds(
    wire.SpeechContext, phrases=st.lists(st.text(max_size=120), max_size=3), boost=st.floats(width=32) | st.just(20.0)
)
configs = st.builds(
    wire.RecognitionConfig,
    encoding=st.integers(0, 30),
    sample_rate_hertz=st.sampled_from([0, 8000, 16000]) | st.integers(-(2**31), 2**31 - 1),
    language_code=st.sampled_from(["en", "", "en-US"]) | st.text(max_size=5),
    max_alternatives=st.integers(-1, 5),
    audio_channel_count=st.integers(-1, 9),
    speech_contexts=st.lists(contexts, max_size=3),
    enable_automatic_punctuation=st.booleans(),
    enable_word_time_offsets=st.booleans(),
    profanity_filter=st.booleans(),
    endpointing_config=st.builds(
        wire.EndpointingConfig, stop_history=st.integers(-1, 20_000), stop_history_eou=st.integers(0, 900)
    ),
)
streams = st.builds(
    wire.StreamingRecognizeRequest,
    streaming_config=st.builds(wire.StreamingRecognitionConfig, config=configs, interim_results=st.booleans()),
).map(lambda message: message.SerializeToString())
frames: st.SearchStrategy[Frame] = (
    st.just(config())
    | streams
    | st.binary(max_size=12).map(audio)
    | st.just(HALF_CLOSED)
    | st.sampled_from([b"", request()])
    | st.binary(max_size=20)
)


def check_streamed(frame: Frame) -> None:
    assert isinstance(frame, bytes)
    assert wire.StreamingRecognizeResponse.FromString(frame).results


def check_recorded(frame: Frame) -> None:
    assert isinstance(frame, bytes)
    wire.RecognizeResponse.FromString(frame)


@given(steps(frames))
def test_whatever_comes_is_answered_in_the_protocol_s_words(happenings: list[Frame | int]) -> None:
    gate = play(StreamingAdapter(OFFER, HEAD), [config(), *happenings], check_streamed)
    assert gate.sessions <= 1
    verdict = type(gate.failed) if gate.failed else None
    assert gate.adapter.closing(verdict)[0] in set(Code)


@given(steps(frames))
def test_a_recording_is_never_answered_twice(happenings: list[Frame | int]) -> None:
    assert len(play(RecordingAdapter(OFFER, HEAD), happenings, check_recorded).said) <= 1


# --- over sockets ------------------------------------------------------------------------------------------------------


class Stub:
    """As protoc writes it for a channel."""

    def __init__(self, channel: Any) -> None:
        self.StreamingRecognize = channel.stream_stream(
            f"{PATH}StreamingRecognize",
            request_serializer=wire.StreamingRecognizeRequest.SerializeToString,
            response_deserializer=wire.StreamingRecognizeResponse.FromString,
        )
        self.Recognize = channel.unary_unary(
            f"{PATH}Recognize",
            request_serializer=wire.RecognizeRequest.SerializeToString,
            response_deserializer=wire.RecognizeResponse.FromString,
        )


async def spoken(sound: Samples, **fields: Any) -> AsyncIterator[Any]:
    yield wire.StreamingRecognizeRequest.FromString(config(**fields))
    for start in range(0, len(sound), 1600):
        yield wire.StreamingRecognizeRequest(audio_content=sound[start : start + 1600].tobytes())


@pytest.mark.model
def test_streams_and_recordings_read_as_in_starling_s_own_protocol() -> None:
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        native = await native_texts(server, sound)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{urlsplit(url).port}") as channel:
            stub = Stub(channel)
            options = {"enable_automatic_punctuation": True, "enable_word_time_offsets": True}
            finals = []
            async for response in stub.StreamingRecognize(spoken(sound, **options)):
                finals += [it.alternatives[0] for it in response.results if it.is_final]
            assert [final.transcript.strip() for final in finals] == native
            ends = [word.end_time for final in finals for word in final.words]
            assert ends == sorted(ends)
            assert 0 < ends[-1] <= len(sound) / 16
            asked = recognition(encoding=0, sample_rate_hertz=0, enable_automatic_punctuation=True)
            recorded = await stub.Recognize(wire.RecognizeRequest(config=asked, audio=wav(sound.tobytes())))
            assert [it.alternatives[0].transcript.strip() for it in recorded.results] == native
            asked.encoding = wire.FLAC
            flac = await stub.Recognize(wire.RecognizeRequest(config=asked, audio=mux("flac", "flac", sound, 16_000)))
            assert [it.alternatives[0].transcript.strip() for it in flac.results] == native
            asked.encoding = wire.ENCODING_UNSPECIFIED
            several = await asyncio.gather(
                *(stub.Recognize(wire.RecognizeRequest(config=asked, audio=wav(sound[:40_000].tobytes()))) for _ in range(4))
            )
            assert len({it.results[0].alternatives[0].transcript for it in several}) == 1

    speaking("riva", scenario)
