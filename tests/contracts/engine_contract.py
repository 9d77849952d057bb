"""What every Engine promises. A test module inherits EngineContract and says how to make its engine."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from starling.core.audio import Samples
from starling.core.errors import ClientError, EngineFailed, IllegalTransition, InvalidOption, ShuttingDown, UnsupportedAudio
from starling.core.ports import Engine, EngineStream, StreamOptions
from starling.core.transcript import Hypothesis

STEP = 8_000


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """An engine to try. ``speech``: three utterances of 1 to 4 s with text. ``break_stream`` makes a stream's decodes fail."""

    engine: Engine
    speech: Sequence[Samples]
    break_stream: Callable[[EngineStream], None]

    def stream(self, samples: Samples | None = None, *, chunk: int = STEP) -> EngineStream:
        stream = self.engine.create_stream(StreamOptions())
        for start in range(0, 0 if samples is None else len(samples), chunk):
            assert samples is not None
            stream.accept_waveform(samples[start : start + chunk])
        return stream

    def finished(self, samples: Samples) -> EngineStream:
        stream = self.stream(samples)
        stream.input_finished(len(samples))
        return stream

    def decode(self, stream: EngineStream) -> Hypothesis:
        (outcome,) = self.engine.decode_streams([stream])
        assert isinstance(outcome, Hypothesis), outcome
        return outcome

    def final(self, samples: Samples) -> Hypothesis:
        return self.decode(self.finished(samples))


class ForeignStream:
    def accept_waveform(self, samples: Samples) -> None:
        raise NotImplementedError

    def input_finished(self, end: int) -> None:
        raise NotImplementedError


class EngineContract:
    @pytest.fixture
    def subject(self) -> Subject:
        raise NotImplementedError

    def test_answers_come_in_the_order_of_the_streams(self, subject: Subject) -> None:
        alone = [subject.final(samples) for samples in subject.speech]
        assert len({hypothesis.text for hypothesis in alone}) == len(alone)
        assert subject.engine.decode_streams([subject.finished(samples) for samples in subject.speech]) == alone
        assert subject.engine.decode_streams([subject.finished(samples) for samples in reversed(subject.speech)]) == alone[::-1]

    def test_a_batch_of_none_has_no_answers(self, subject: Subject) -> None:
        assert subject.engine.decode_streams([]) == []

    def test_a_bad_stream_gets_an_error_and_its_batch_mates_their_text(self, subject: Subject) -> None:
        good, other, *_ = subject.speech
        bad = subject.stream(good)
        subject.break_stream(bad)
        first, failure, last = subject.engine.decode_streams([subject.finished(good), bad, subject.finished(other)])
        assert isinstance(failure, EngineFailed)
        assert subject.final(good).text not in failure.message
        assert [first, last] == [subject.final(good), subject.final(other)]

    def test_a_stream_of_another_engine_is_a_bad_stream(self, subject: Subject) -> None:
        good = subject.speech[0]
        failure, answer = subject.engine.decode_streams([ForeignStream(), subject.finished(good)])
        assert isinstance(failure, EngineFailed)
        assert answer == subject.final(good)

    def test_batch_mates_do_not_matter_to_partials_and_finals(self, subject: Subject) -> None:
        def answers(batches: Callable[[Sequence[EngineStream]], list[object]]) -> list[object]:
            streams = [subject.stream() for _ in subject.speech]
            told: list[object] = []
            for start in range(0, min(map(len, subject.speech)), STEP):
                for stream, samples in zip(streams, subject.speech, strict=True):
                    stream.accept_waveform(samples[start : start + STEP])
                told += batches(streams)
            for stream in streams:
                stream.input_finished(subject.engine.capabilities.max_utterance)
            return told + batches(streams)

        def together(streams: Sequence[EngineStream]) -> list[object]:
            return list(subject.engine.decode_streams(streams))

        def alone(streams: Sequence[EngineStream]) -> list[object]:
            return [subject.decode(stream) for stream in streams]

        assert answers(together) == answers(alone)

    @pytest.mark.parametrize("chunk", [999, STEP, 10**6])
    def test_a_final_does_not_depend_on_cuts_or_on_partials_before_it(self, subject: Subject, chunk: int) -> None:
        samples = subject.speech[0]
        stream = subject.stream()
        for start in range(0, len(samples), chunk):
            stream.accept_waveform(samples[start : start + chunk])
            if start // STEP < (start + chunk) // STEP:
                subject.decode(stream)
        stream.input_finished(len(samples))
        assert subject.decode(stream) == subject.final(samples)

    def test_a_final_can_be_asked_for_again(self, subject: Subject) -> None:
        stream = subject.finished(subject.speech[0])
        assert subject.decode(stream) == subject.decode(stream)

    def test_text_grows_with_the_audio(self, subject: Subject) -> None:
        samples = subject.speech[0]
        short, whole = subject.final(samples[: len(samples) // 4]), subject.final(samples)
        assert 0 <= len(short.text) < len(whole.text)
        assert (short.end, whole.end) == (len(samples) // 4, len(samples))

    def test_what_follows_the_end_does_not_matter(self, subject: Subject) -> None:
        samples, tail, *_ = subject.speech
        stream = subject.stream(np.concatenate([samples, tail]))
        stream.input_finished(len(samples))
        assert subject.decode(stream) == subject.final(samples)

    def test_an_end_past_the_audio_means_all_of_it(self, subject: Subject) -> None:
        samples = subject.speech[0]
        stream = subject.stream(samples)
        stream.input_finished(len(samples) + 1)
        assert subject.decode(stream) == subject.final(samples)

    @pytest.mark.parametrize("length", [0, 1, 100, 894, 895, 1600, 3199])
    def test_hardly_any_audio_is_no_failure(self, subject: Subject, length: int) -> None:
        samples = subject.speech[0][:length]
        stream = subject.stream(samples)
        assert subject.decode(stream).end == length
        assert subject.final(samples).end == length
        stream.input_finished(0)
        assert subject.decode(stream) == subject.final(samples[:0])

    def test_no_audio_is_no_text(self, subject: Subject) -> None:
        hypothesis = subject.final(np.zeros(0, np.int16))
        assert (hypothesis.text, hypothesis.end, hypothesis.confidence, hypothesis.words) == ("", 0, None, ())

    def test_audio_may_grow_while_a_decode_runs(self, subject: Subject) -> None:
        samples = subject.speech[0]
        stream = subject.stream()
        accepted = 0

        def feed() -> None:
            nonlocal accepted
            for start in range(0, len(samples), 1_000):
                stream.accept_waveform(samples[start : start + 1_000])
                accepted = min(start + 1_000, len(samples))

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            for _ in range(5):
                least = accepted
                hypothesis = subject.decode(stream)
                assert least <= hypothesis.end <= min(accepted + 1_000, len(samples))
        finally:
            feeder.join()
        stream.input_finished(len(samples))
        assert subject.decode(stream) == subject.final(samples)

    def test_confidence_is_a_probability(self, subject: Subject) -> None:
        for samples in subject.speech:
            confidence = subject.final(samples).confidence
            assert confidence is None or 0 < confidence <= 1
            assert (confidence is not None) == subject.engine.capabilities.confidence

    def test_words_are_told_only_when_wanted_and_possible(self, subject: Subject) -> None:
        samples = subject.speech[0]
        assert subject.final(samples).words == ()
        stream = subject.engine.create_stream(StreamOptions(words=True))
        stream.accept_waveform(samples)
        stream.input_finished(len(samples))
        hypothesis = subject.decode(stream)
        assert bool(hypothesis.words) == subject.engine.capabilities.word_times
        for word in hypothesis.words:
            assert 0 <= word.start < word.end <= hypothesis.end
        for before, after in itertools.pairwise(hypothesis.words):
            assert before.end <= after.start

    def test_a_partial_is_its_words_where_their_times_are_known(self, subject: Subject) -> None:
        for samples in subject.speech:
            hypothesis = subject.decode(subject.stream(samples))
            if subject.engine.capabilities.word_times:
                assert " ".join(word.text for word in hypothesis.words) == " ".join(hypothesis.text.split())
            for word in hypothesis.words:
                assert 0 <= word.start < word.end <= hypothesis.end
                assert word.confidence is None or 0 < word.confidence <= 1

    def test_an_utterance_is_bounded(self, subject: Subject) -> None:
        limit = subject.engine.capabilities.max_utterance
        stream = subject.stream(np.zeros(limit, np.int16), chunk=limit // 2)
        with pytest.raises(ClientError, match="at most"):
            stream.accept_waveform(np.zeros(1, np.int16))
        assert subject.decode(stream).end == limit

    @pytest.mark.parametrize("samples", [np.zeros(160, np.float32), np.zeros((1, 160), np.int16)], ids=["dtype", "shape"])
    def test_other_samples_than_int16_are_refused(self, subject: Subject, samples: Samples) -> None:
        stream = subject.stream()
        with pytest.raises(UnsupportedAudio, match="int16"):
            stream.accept_waveform(samples)
        assert subject.decode(stream).end == 0

    def test_a_finished_stream_takes_no_more(self, subject: Subject) -> None:
        stream = subject.finished(subject.speech[0])
        with pytest.raises(IllegalTransition):
            stream.accept_waveform(subject.speech[0])
        with pytest.raises(IllegalTransition):
            stream.input_finished(0)
        assert subject.decode(stream) == subject.final(subject.speech[0])

    def test_it_speaks_its_languages_and_their_variants(self, subject: Subject) -> None:
        for language in subject.engine.capabilities.languages:
            for tag in (language, language.upper(), f"{language}-x-home"):
                subject.engine.create_stream(StreamOptions(language=tag))
        with pytest.raises(InvalidOption, match="tlh"):
            subject.engine.create_stream(StreamOptions(language="tlh"))

    def test_answers_name_a_language_of_the_engine(self, subject: Subject) -> None:
        assert subject.final(subject.speech[0]).language in subject.engine.capabilities.languages

    def test_warming_up_changes_nothing(self, subject: Subject) -> None:
        stream = subject.stream(subject.speech[0])
        before = subject.decode(stream)
        subject.engine.warm_up()
        subject.engine.warm_up()
        stream.input_finished(len(subject.speech[0]))
        assert subject.decode(stream) == subject.final(subject.speech[0])
        assert before.end == len(subject.speech[0])

    def test_closing_twice_is_closing(self, subject: Subject) -> None:
        stream = subject.stream(subject.speech[0])
        subject.engine.close()
        subject.engine.close()
        with pytest.raises(ShuttingDown, match="closed"):
            subject.engine.create_stream(StreamOptions())
        with pytest.raises(ShuttingDown, match="closed"):
            subject.engine.decode_streams([stream])
        with pytest.raises(ShuttingDown, match="closed"):
            subject.engine.warm_up()
        assert subject.engine.capabilities.languages
