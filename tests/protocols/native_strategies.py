"""Hypothesis strategies for the frames of the native protocol."""

from __future__ import annotations

import hypothesis.strategies as st
from msgspec import UNSET

from starling.core.audio import Encoding
from starling.core.config import Quality, VadMode
from starling.protocols.native.messages import (
    Ack,
    Audio,
    ClientMessage,
    Configure,
    Done,
    EffectiveAudio,
    End,
    Error,
    Finalize,
    HotWord,
    KeepAlive,
    Ready,
    Result,
    Resume,
    Resumed,
    ServerMessage,
    SetLangs,
    SpeechEnded,
    SpeechStarted,
    Start,
    Word,
)

text = st.text(st.characters(codec="utf-8"), max_size=40)
languages = st.sampled_from(["en", "pt-BR", "zh-Hans-CN", "es-419"])
positions = st.integers(0, 10**9).map(lambda ms: ms / 1000)
counts = st.integers(0, 2**31)
confidences = st.none() | st.floats(0, 1)
unset = st.just(UNSET)

_phrases = st.text("Kaldi é1-", max_size=20).map(lambda letters: f"{letters}x")

_options = {
    "language": unset | languages,
    "partials": unset | st.booleans(),
    "partial_interval_ms": unset | st.integers(100, 10_000),
    "endpoint_silence_ms": unset | st.integers(100, 10_000),
    "finished_silence_ms": unset | st.integers(100, 10_000),
    "words": unset | st.booleans(),
    "partial_words": unset | st.booleans(),
    "vad": unset | st.sampled_from(VadMode),
    "quality": unset | st.sampled_from(Quality),
    "hotwords": unset | st.lists(_phrases | st.builds(HotWord, phrase=_phrases, weight=st.floats(0.1, 2)), max_size=5).map(tuple),
}

audio = st.builds(
    Audio,
    encoding=unset | st.sampled_from(Encoding),
    sample_rate=unset | st.integers(8_000, 96_000),
    channels=unset | st.integers(1, 8),
)
starts = st.builds(Start, audio=unset | audio, client_ref=unset | text, resume=unset | st.booleans(), **_options)
resumes = st.builds(Resume, token=text, sent=counts, last_result=st.none() | counts)
configures = st.builds(Configure, **_options)
set_langs = st.builds(SetLangs, source_language=unset | languages, target_language=unset | st.none() | languages)
controls: st.SearchStrategy[ClientMessage] = st.one_of(
    configures, set_langs, st.builds(Finalize), st.builds(KeepAlive), st.builds(End)
)
client_messages: st.SearchStrategy[ClientMessage] = st.one_of(starts, resumes, controls)

_readies = st.builds(
    Ready,
    sequence=counts,
    session_id=text,
    trace_id=text,
    model=text,
    sample_rate=counts,
    audio=st.builds(EffectiveAudio, encoding=st.sampled_from(Encoding), sample_rate=counts, channels=counts),
    language=languages,
    partials=st.booleans(),
    partial_interval_ms=counts,
    endpoint_silence_ms=counts,
    finished_silence_ms=counts,
    words=st.booleans(),
    partial_words=st.booleans(),
    vad=st.sampled_from(VadMode),
    quality=st.sampled_from(Quality),
    hotwords=counts,
    client_ref=unset | text,
    resume_token=unset | text,
    resume_grace=unset | positions,
)
_words = st.builds(Word, text=text, start=positions, end=positions, confidence=confidences)
_results = st.builds(
    Result,
    sequence=counts,
    session_id=text,
    segment_id=counts,
    version=counts,
    result_type=st.sampled_from(["partial", "final"]),
    is_final=st.booleans(),
    text=text,
    stable_text=text,
    start=positions,
    end=positions,
    confidence=confidences,
    language=st.none() | languages,
    trace_id=text,
    words=unset | st.lists(_words, max_size=3).map(tuple),
)
server_messages: st.SearchStrategy[ServerMessage] = st.one_of(
    _readies,
    st.builds(Resumed, sequence=counts, session_id=text, received=counts, resume_grace=positions),
    st.builds(Ack, sequence=counts, received=counts),
    st.builds(SpeechStarted, sequence=counts, at=positions, segment_id=unset | counts),
    st.builds(SpeechEnded, sequence=counts, at=positions, segment_id=unset | counts, noticed=unset | positions),
    _results,
    st.builds(
        Error,
        sequence=counts,
        code=text,
        message=text,
        retryable=st.booleans(),
        retry_after=unset | positions,
        segment_id=unset | counts,
    ),
    st.builds(Done, sequence=counts, session_id=text, trace_id=text, audio_seconds=positions, segments=counts),
)
