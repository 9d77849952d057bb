"""A gateway without sockets, for adapters of other servers' dialects: obeys their verbs, tells them events as they may come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from starling.core.errors import ClientError, EngineFailed
from starling.core.ports import Capabilities
from starling.core.transcript import SegmentFailed, SessionDone, SpeechEnded, SpeechStarted, Transcript, Word
from starling.protocols.verbs import Adapter, End, Feed, Finalize, Frame, KeepAlive, Leave, Offer, Open, Opened, Say, Verb

OFFER = Offer(
    capabilities=Capabilities(
        model="scripted",
        model_version="1",
        languages=("en",),
        word_times=True,
        confidence=True,
        max_utterance=480_000,
        hotwords=True,
    )
)


def transcript(text: str, *, segment: int = 0, revision: int = 1, final: bool = True, start: int = 1600) -> Transcript:
    """``text``, a word every quarter of a second."""
    words = tuple(Word(word, start + 4000 * place, start + 4000 * place + 3200, 0.5) for place, word in enumerate(text.split()))
    return Transcript(
        session_id="s",
        segment_id=segment,
        revision=revision,
        is_final=final,
        text=text,
        stable_text=text if final else "",
        start=start,
        end=start + 4000 * max(1, len(words)),
        confidence=0.5,
        words=words if final else (),
    )


@dataclass
class Gate:
    """Obeys an adapter as a gateway does, and holds it to the laws of ``protocols.verbs``."""

    adapter: Adapter
    said: list[Frame] = field(default_factory=list)
    verbs: list[Verb] = field(default_factory=list)
    sessions: int = 0
    open: bool = False
    ending: bool = False
    over: bool = False
    failed: ClientError | None = None
    _segment: int = 0
    _heard: int = 0

    def __post_init__(self) -> None:
        self._obey(self.adapter.connected())

    def send(self, frame: Frame) -> None:
        """As a client's next frame; the end of a session is told at once."""
        if self.over:
            return
        try:
            found = self.adapter.receive(frame)
        except ClientError as error:
            self.said += self.adapter.error(error)
            if not self.adapter.forgives:
                self.over, self.failed = True, error
            return
        self._obey(found)

    def hear(self, text: str, *, partials: Sequence[str] = ()) -> None:
        """A segment of speech."""
        assert self.open
        assert not self.over
        at, segment = self._heard, self._segment
        self.said += self.adapter.event(SpeechStarted("s", segment, at))
        for revision, partial in enumerate(partials):
            event = transcript(partial, segment=segment, revision=revision + 1, final=False, start=at)
            self.said += self.adapter.event(event)
        final = transcript(text, segment=segment, revision=len(partials) + 1, start=at)
        self.said += self.adapter.event(SpeechEnded("s", segment, final.end, final.end))
        self.said += self.adapter.event(final)
        self._segment, self._heard = segment + 1, final.end

    def fail_segment(self) -> None:
        self.said += self.adapter.event(SegmentFailed("s", self._segment, EngineFailed.code, "the decode failed"))

    def _obey(self, found: Sequence[Verb]) -> None:
        pending = list(found)
        while pending:
            verb = pending.pop(0)
            self.verbs.append(verb)
            match verb:
                case Open():
                    assert not self.open, "a session opens only when none is"
                    self.open, self._segment, self._heard = True, 0, 0
                    self.sessions += 1
                    self.said += self.adapter.opened(Opened(session_id="s", trace_id="0" * 32))
                case Feed():
                    assert self.open, "audio belongs to a session"
                case Finalize():
                    assert self.open
                case Say(frames):
                    self.said += frames
                case End():
                    assert self.open
                    self.said += self.adapter.event(SessionDone("s", self._heard, self._segment))
                    self.open = False
                    if not self.adapter.lasts:
                        self.over = True
                        return
                case Leave():
                    assert not self.open
                    self.over = True
                    return
                case KeepAlive():
                    pass
                case _:
                    assert self.open, verb


texts = st.text(max_size=40)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.just(10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def steps(frames: st.SearchStrategy[Frame]) -> st.SearchStrategy[list[Frame | int]]:
    """What may happen on a connection: frames of a client, and numbers that stand for things heard."""
    return st.lists(frames | st.integers(0, 3), max_size=25)


def play(adapter: Adapter, happenings: Sequence[Frame | int], check: Callable[[Frame], None]) -> Gate:
    """Let it happen. Everything that is said must pass ``check``."""
    gate = Gate(adapter)
    for happening in happenings:
        if gate.over:
            break
        if not isinstance(happening, int):
            gate.send(happening)
        elif gate.open:
            match happening:
                case 0:
                    gate.hear("")
                case 1:
                    gate.fail_segment()
                case _:
                    gate.hear("one two", partials=("one", "one too"))
    for frame in gate.said:
        check(frame)
    return gate
