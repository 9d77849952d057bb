"""One stretch of speech, from its first partial to its final."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from starling.core.audio import samples
from starling.core.config import SessionConfig
from starling.core.errors import EngineFailed, IllegalTransition
from starling.core.transcript import Hypothesis, Transcript, Word
from starling.session.nonspeech import Evidence, Nonspeech, nonspeech
from starling.session.stability import StablePrefix, open_ended


class SegmentState(Enum):
    """Where a segment is in its life."""

    OPEN = auto()
    FINALIZING = auto()
    SETTLED = auto()


class SegmentEvent(Enum):
    """What happens to a segment."""

    PARTIAL = auto()
    ENDPOINT = auto()
    FINAL = auto()


TRANSITIONS: dict[tuple[SegmentState, SegmentEvent], SegmentState] = {
    (SegmentState.OPEN, SegmentEvent.PARTIAL): SegmentState.OPEN,
    (SegmentState.OPEN, SegmentEvent.ENDPOINT): SegmentState.FINALIZING,
    (SegmentState.FINALIZING, SegmentEvent.FINAL): SegmentState.SETTLED,
}
"""A missing key is the error."""


@dataclass(frozen=True, slots=True)
class _Caption:
    """What a partial shows. ``words``: those of ``text``, with positions in the utterance, where they are known."""

    text: str
    stable: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """What the segment's stream was read as when its speech paused at ``speech_end``; it takes no audio since."""

    speech_end: int
    outcome: Hypothesis | EngineFailed


class Segment:
    """Its engine stream holds the audio from position ``audio_start``; speech was first heard at ``onset``.

    ``first``: seconds of speech before the first partial. ``guarded``: texts that nobody can have said are withheld.
    """

    __slots__ = (
        "_guarded", "_partial", "_revision", "_session_id", "_speech_end", "_stable", "_voicing",
        "audio_start", "config", "fed", "next_partial", "onset", "segment_id", "state", "tried", "withheld",
    )  # fmt: skip

    def __init__(
        self,
        session_id: str,
        segment_id: int,
        *,
        onset: int,
        audio_start: int,
        config: SessionConfig,
        first: float,
        guarded: bool = True,
    ) -> None:
        self.segment_id = segment_id
        self.onset = onset
        self.audio_start = audio_start
        self.config = config
        self.fed = audio_start
        self.next_partial = onset + samples(first)
        self.state = SegmentState.OPEN
        self.tried: Tried | None = None
        self.withheld: Nonspeech | None = None
        """Why the final has no text although the engine had one."""
        self._session_id = session_id
        self._guarded = guarded
        self._revision = 0
        self._partial: tuple[str, str] = ("", "")
        self._speech_end = onset
        self._stable = StablePrefix()
        self._voicing = 1.0

    def partial(self, hypothesis: Hypothesis, voicing: float = 1.0, firm: int | None = None) -> Transcript | None:
        """The next revision, or None where it would say what the last one said, or what nobody can have said.

        ``voicing``: the mean speech probability of the segment so far, 0 to 1. ``firm``: the position before which the segment
        will not be cut, or None when it will not be cut at all. A hypothesis without words has nothing stable.
        """
        self._advance(SegmentEvent.PARTIAL)
        if self._verdict(hypothesis, voicing) is not None:
            return None
        said = self._caption(hypothesis, hypothesis.end if firm is None else firm - self.audio_start)
        if (said.text, said.stable) == self._partial:
            return None
        self._partial = (said.text, said.stable)
        told = replace(hypothesis, text=said.text, words=said.words if self.config.words and self.config.partial_words else ())
        return self._transcript(told, stable=said.stable, end=self.audio_start + hypothesis.end, is_final=False)

    def _caption(self, hypothesis: Hypothesis, firm: int) -> _Caption:
        """What to show of ``hypothesis`` while speech goes on."""
        if not hypothesis.words:
            return _Caption(open_ended(hypothesis.text), "", ())
        words, count = self._stable.update(hypothesis.words, heard=hypothesis.end, firm=firm)
        return _Caption(" ".join(word.text for word in words), " ".join(word.text for word in words[:count]), tuple(words))

    def endpoint(self, speech_end: int, voicing: float = 1.0) -> None:
        """Speech ended at ``speech_end``; only the final is still to come. ``voicing``: as in ``partial``."""
        self._advance(SegmentEvent.ENDPOINT)
        self._voicing = voicing
        self._speech_end = speech_end

    def final(self, outcome: Hypothesis | EngineFailed) -> Transcript:
        """The last revision. A failed decode gives an empty text, so that whoever showed a partial takes it away.

        So does a text that nobody can have said.
        """
        self._advance(SegmentEvent.FINAL)
        hypothesis = outcome if isinstance(outcome, Hypothesis) else Hypothesis(text="", end=0)
        self.withheld = self._verdict(hypothesis, self._voicing)
        if self.withheld is not None:
            hypothesis = replace(hypothesis, text="", confidence=None, words=())
        return self._transcript(hypothesis, stable=hypothesis.text, end=self._speech_end, is_final=True)

    def _verdict(self, hypothesis: Hypothesis, voicing: float) -> Nonspeech | None:
        if not self._guarded:
            return None
        return nonspeech(Evidence(hypothesis.text, voicing, hypothesis.confidence))

    def _advance(self, event: SegmentEvent) -> None:
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise IllegalTransition(f"segment {self.segment_id} is {self.state.name}, which has no {event.name}") from None

    def _transcript(self, hypothesis: Hypothesis, *, stable: str, end: int, is_final: bool) -> Transcript:
        self._revision += 1
        return Transcript(
            session_id=self._session_id,
            segment_id=self.segment_id,
            revision=self._revision,
            is_final=is_final,
            text=hypothesis.text,
            stable_text=stable,
            start=self.onset,
            end=end,
            confidence=hypothesis.confidence,
            language=hypothesis.language or self.config.language,
            words=tuple(
                Word(word.text, self.audio_start + word.start, self.audio_start + word.end, word.confidence)
                for word in hypothesis.words
            ),
        )
