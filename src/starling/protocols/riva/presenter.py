"""What recognition says, in Riva's words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starling.core.audio import seconds
from starling.core.transcript import Transcript, Word
from starling.protocols.riva.options import Wish
from starling.protocols.verbs import Frame
from starling.protocols.wire import riva_asr_pb2 as wire
from starling.protocols.words import plain, plain_text

SURE: Final = 0.9
"""The stability of words that will stay."""

UNSURE: Final = 0.1

CHANNEL: Final = 1
"""The first, which is all that there is once they are mixed."""


class Presenter:
    """Writes the messages of one call. ``name``: of it, as every response has it."""

    def __init__(self, wish: Wish, name: str) -> None:
        self._wish = wish
        self._id = wire.RequestId(value=name)

    def interim(self, transcript: Transcript) -> Frame:
        """The text so far in two parts, which read on: what will stay, and what may not."""
        whole, stable = self._text(transcript.text), self._text(transcript.stable_text)
        parts = ((stable, SURE), (whole[len(stable) :], UNSURE)) if whole.startswith(stable) else ((whole, UNSURE),)
        return self._streamed(
            wire.StreamingRecognitionResult(
                alternatives=[wire.SpeechRecognitionAlternative(transcript=text)],
                stability=stability,
                channel_tag=CHANNEL,
                audio_processed=seconds(transcript.end),
            )
            for text, stability in parts
            if text
        )

    def final(self, transcript: Transcript) -> Frame:
        return self._streamed(
            [
                wire.StreamingRecognitionResult(
                    alternatives=[self._alternative(transcript)],
                    is_final=True,
                    stability=1.0,
                    channel_tag=CHANNEL,
                    audio_processed=seconds(transcript.end),
                )
            ]
        )

    def recognized(self, finals: Iterable[Transcript]) -> Frame:
        """All of a recording."""
        results = [
            wire.SpeechRecognitionResult(
                alternatives=[self._alternative(final)], channel_tag=CHANNEL, audio_processed=seconds(final.end)
            )
            for final in finals
        ]
        return wire.RecognizeResponse(results=results, id=self._id).SerializeToString()

    def _streamed(self, results: Iterable[wire.StreamingRecognitionResult]) -> Frame:
        return wire.StreamingRecognizeResponse(results=results, id=self._id).SerializeToString()

    def _alternative(self, final: Transcript) -> wire.SpeechRecognitionAlternative:
        """Its text ends with a space, since clients put texts together without one."""
        text = self._text(final.text)
        overall = final.confidence or 0.0
        words = [self._word(word, overall) for word in final.words] if self._wish.words else []
        return wire.SpeechRecognitionAlternative(
            transcript=f"{text} " if text else "",
            confidence=overall,
            words=[word for word in words if word.word],
            language_code=[self._wish.config.language],
        )

    def _word(self, word: Word, overall: float) -> wire.WordInfo:
        return wire.WordInfo(
            start_time=milliseconds(word.start),
            end_time=milliseconds(word.end),
            word=word.text if self._wish.formatted else plain(word.text),
            confidence=overall if word.confidence is None else word.confidence,
            language_code=self._wish.config.language,
        )

    def _text(self, text: str) -> str:
        return text if self._wish.formatted else plain_text(text)


def milliseconds(position: int) -> int:
    """The nearest whole number of them to ``position`` samples."""
    return round(seconds(position) * 1000)
