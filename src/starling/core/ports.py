"""The seams of the platform. Each port has an in-memory twin and one contract suite that every implementation passes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from starling.core.audio import Frames, Samples
from starling.core.config import Quality, SessionConfig, VadMode
from starling.core.errors import EngineFailed
from starling.core.hotwords import HotWord
from starling.core.languages import match_language
from starling.core.load import Load
from starling.core.records import Checkpoint, Followed, Record, Tail
from starling.core.sessions import SessionEntry
from starling.core.transcript import Hypothesis, SessionEvent


class Clock(Protocol):
    """Where time comes from. ``now`` is monotonic seconds."""

    def now(self) -> float: ...


# --- recognition -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine can do. ``languages``: BCP 47 tags. ``max_utterance``: the longest utterance it takes, in samples.

    ``batch_size``: how many streams are worth decoding together; 1 where batching gains nothing. ``hotwords``: whether finals can
    prefer them. ``shortfall``: for people, why the model serves otherwise than it should; empty if it does not.
    """

    model: str
    model_version: str
    languages: tuple[str, ...]
    word_times: bool
    confidence: bool
    max_utterance: int
    batch_size: int = 1
    hotwords: bool = False
    shortfall: str = ""

    def serve(self, config: SessionConfig) -> SessionConfig:
        """``config`` as this engine can serve it: the nearest language it speaks, words only where it has their times, hot words
        only where it can prefer them.

        Raises InvalidOption for a language it does not speak.
        """
        return config.updated(
            language=match_language(config.language, self.languages),
            words=config.words and self.word_times,
            partial_words=config.partial_words and self.word_times,
            hotwords=config.hotwords if self.hotwords else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """Options of one utterance: ``language`` as a BCP 47 tag; ``words``: word times are wanted; ``quality`` of its final.

    ``partial_words``: somebody will see those of partials, so they should be as exact as those of finals.
    ``hotwords``: what its final should prefer where the sound allows it; engines that cannot (``Capabilities``) do not look.
    """

    language: str = "en"
    words: bool = False
    partial_words: bool = False
    quality: Quality = Quality.BALANCED
    hotwords: tuple[HotWord, ...] = ()


class EngineStream(Protocol):
    """One utterance on its way through an engine. The verbs are those of Kaldi and sherpa-onnx.

    ``accept_waveform`` and ``input_finished`` may be called on one thread while ``decode_streams`` runs on another: a decode
    works on the audio that was there when it began, and says how much in ``Hypothesis.end``.
    """

    def accept_waveform(self, samples: Samples) -> None:
        """Append audio. Raises ClientError past ``max_utterance``."""

    def input_finished(self, end: int) -> None:
        """No more audio comes; the next decode is the final one.

        What follows the first ``end`` samples is silence that the engine may leave out.
        """


DecodeOutcome: TypeAlias = Hypothesis | EngineFailed


class Engine(Protocol):
    """Turns utterances into text. Not thread-safe but for what EngineStream says: one thread calls ``decode_streams``."""

    @property
    def capabilities(self) -> Capabilities: ...

    def create_stream(self, options: StreamOptions) -> EngineStream:
        """A new utterance. Raises InvalidOption for a language it does not speak."""

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        """One answer per stream, in order. Blocks; runs off the event loop.

        One bad stream never fails its batch: its answer is the error. A stream's answer never depends on who shared the batch.
        The final answer (after ``input_finished``) depends on the samples alone, not on what was decoded before.
        """

    def warm_up(self) -> None:
        """Run once through every path, so that the first client does not pay for it."""

    def close(self) -> None:
        """Free everything. Streams are dead after it. Calling it again does nothing."""


class VadStream(Protocol):
    """The state of one listener. Opaque; make a new one to forget."""


Probabilities: TypeAlias = NDArray[np.float32]
"""Shape ``[t]``, dtype float32, 0 to 1: how likely each frame is speech."""


class Vad(Protocol):
    """How likely each frame is speech, for many listeners at once."""

    def create_stream(self, mode: VadMode) -> VadStream: ...

    def score(self, batch: Sequence[tuple[VadStream, Frames]]) -> list[Probabilities]:
        """For each listener and its frames, in order, their speech probabilities.

        Blocks; runs off the event loop. A listener's scores never depend on who shared the batch, nor on how its frames were
        cut into calls.
        """

    def close(self) -> None: ...


# --- transport ---------------------------------------------------------------------------------------------------------


class AudioLog(Protocol):
    """Records in order within a session, replayable from the session's last checkpoint.

    An appended record is *staged* until a checkpoint at or past it is committed. The log holds at most a bounded lead of staged
    audio per session: appending past it waits, which is how a fast client is slowed down.
    """

    async def append(self, record: Record) -> None:
        """Add ``record``; one whose audio is all known is dropped. Audio and gaps wait while the session's lead is used up.

        Raises ShuttingDown once the log is closed, SessionGone for a session that is not open, IllegalTransition for one that is
        opened again.
        """

    def follow(self) -> AsyncIterator[Sequence[Followed]]:
        """Records as they come, in batches.

        A new follower first gets, for each live session, ``Opened`` with its last checkpoint and all that is staged since. It
        takes over from the one before, which ends. Where followers share the sessions, ``Opened`` may come at any time, of one
        that was another's, and ``Revoked`` of one that is now: what is published or committed of it has no effect any more.
        """

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        """Nothing before ``checkpoint`` is needed again. An older checkpoint than the last is ignored."""

    async def forget(self, session_id: str) -> None:
        """The session is over: drop all it has. Unknown sessions are ignored."""

    async def tail(self, session_id: str) -> Tail:
        """How far the session's records go, for a gateway that goes on with it: from now on another one appends nothing to it.

        Raises SessionGone if it is not open.
        """

    def lag(self) -> int:
        """Samples staged over all sessions that this process knows of, as far as it has heard of them."""

    async def close(self) -> None:
        """Refuse appends, wake every waiter, end every follower."""


class Subscription(Protocol):
    """One gateway's ear for one session, in the order of publishing.

    A partial that was not read in time is replaced by a newer one of its segment; nothing else is lost.
    """

    def __aiter__(self) -> AsyncIterator[SessionEvent]:
        """Events until SessionDone or SessionFailed, inclusive."""

    @property
    def backlog(self) -> int:
        """Events that wait to be read."""

    def close(self) -> None:
        """Stop listening; what waits is dropped."""


class ResultBus(Protocol):
    """Carries a session's events to the gateway that holds its client, and keeps them for a client that was away.

    *Lasting* events are all but partials. The newest lasting ones are kept, up to a bound, and the newest partial of the segment
    that is open, from the first subscription until the session is forgotten.
    """

    async def subscribe(self, session_id: str, *, after: int | None = None) -> Subscription:
        """Listen to a new session (before it opens, so that nothing is missed), or go on listening.

        ``after`` None begins a new session, of which nothing is known any more. Else it is the segment of the last final that is
        known, -1 for none: the lasting events of later segments come first, in order, and the session's last word if it was
        spoken; then the newest partial, then what is published from now on. Events of later segments may be known nevertheless.
        Raises SessionGone for a session without a first subscription, ResultsLost when something after ``after`` is not kept any
        more; then nothing has changed. An earlier subscription of the session is closed.
        """

    async def publish(self, event: SessionEvent) -> None:
        """Deliver ``event``, once: a recognizer that took over repeats what its predecessor said.

        A stage (started, ended, failed, final) of a segment that was published, and anything after the session's last word, is
        dropped. So is a partial of a segment that is final, or that covers no more audio than one before it. Other transcripts
        get the revision after the segment's last one if theirs is not above it. Without a first subscription nothing is kept.
        """

    async def forget(self, session_id: str) -> None:
        """Drop what is kept and close its subscription. Unknown sessions are ignored."""


class SessionDirectory(Protocol):
    """The sessions that clients may come back to, so that a gateway can go on with those of another one."""

    async def put(self, entry: SessionEntry) -> None:
        """Add ``entry``, or replace what is known of its session."""

    async def get(self, session_id: str) -> SessionEntry | None:
        """What is known of the session, if anything is."""

    async def find(self, token_digest: bytes) -> SessionEntry | None:
        """The session of the token with this SHA-256, if there is one. The empty digest is nobody's."""

    async def claim(self, session_id: str) -> None:
        """Go on with the session here: what another gateway puts or removes of it has no effect any more."""

    async def holds(self, session_id: str) -> bool:
        """Whether the session is here, and no other gateway has claimed it from this one."""

    async def remove(self, session_id: str) -> None:
        """The session is over. Unknown sessions are ignored."""

    async def entries(self) -> Sequence[SessionEntry]:
        """All that is known now, in no particular order."""


class LoadBoard(Protocol):
    """Where recognizers say how much they have to do, and gateways look before they admit anybody.

    Nothing here blocks: between hosts what is read may be older than what was said.
    """

    def post(self, worker_id: str, load: Load) -> None:
        """Say what is true now; it replaces what ``worker_id`` said before."""

    def withdraw(self, worker_id: str) -> None:
        """``worker_id`` takes no sessions any more. Unknown ones are ignored."""

    def loads(self) -> Mapping[str, Load]:
        """The last word of each recognizer, by its id; those that said nothing yet are not in it."""


class Tally(Protocol):
    """What tenants use at all gateways together. ``day``: days since 1970 UTC; audio in seconds."""

    async def enter(self, tenant: str, mine: int, most: int) -> bool:
        """Whether one more session of ``tenant`` is no more than ``most`` over all gateways, this one having ``mine`` with it.

        Of gateways that ask at once no more are told so than there is room for.
        """

    async def exchange(self, day: int, mine: Mapping[str, tuple[int, float]]) -> Mapping[str, float]:
        """Say how many sessions of each tenant are open here, and how much audio they sent on ``day``; how much others did."""


class Notary(Protocol):
    """What gateways have in common of what they give out in place of keys. Both raise StoreUnavailable where it is away."""

    async def root(self, fresh: bytes) -> bytes:
        """What all gateways sign with: ``fresh`` from now on, if there is nothing yet, or not any more."""

    async def spend(self, number: str, seconds: int, root: bytes) -> bool:
        """Whether what was signed with ``root``, under ``number``, is used for the first time; remembered for ``seconds``.

        Of those who ask at once, at whatever gateways, one is told so; nobody is if ``root`` is not what gateways sign with now.
        """


class Colleagues(Protocol):
    """The other gateways of a server, as one of them sees them. ``name``: its own."""

    name: str

    def on_question(self, answer: Callable[[bytes], bytes]) -> None:
        """Answer what others ask by ``answer``. Who answers nothing is silent to them."""

    async def ask(self, question: bytes) -> Mapping[str, bytes | None]:
        """What each other gateway answers, by its name: None if it did not, in the time that somebody waits.

        Raises StoreUnavailable where nobody can be asked.
        """


# --- supervision -------------------------------------------------------------------------------------------------------

MOST_WITNESSED: Final = 64
"""Sessions that a Witness can name at once, for each kind of work."""


class Work(StrEnum):
    """What a process does in native code, which could end it. ``UNPACK``: the gateway's, with compressed audio. ``READ``: the
    gateway's with anything else that a client sends.
    """

    LISTEN = "listen"
    DECODE = "decode"
    UNPACK = "unpack"
    READ = "read"


class Witness(Protocol):
    """Remembers whose audio is worked on, where it outlives this process.

    A gateway names networks and not sessions, whose bytes are over with them: ``network 192.0.2.7``, and where these are read
    ``reader 192.0.2.7``.
    """

    def watch(self, work: Work, session_ids: Sequence[str]) -> AbstractContextManager[None]:
        """For as long as the block runs, ``work`` is done for ``session_ids``, at most MOST_WITNESSED of them. One suspect waits
        for another to be out of hand: who is in hand when it ends the process is then the only suspect that is.
        """

    def reading(self, whose: str) -> AbstractContextManager[None]:
        """What is entered each time that bytes of ``whose`` are read, and costs next to nothing. Nothing is read inside of it for
        anybody else: what is entered last counts, and who leaves it leaves nobody there.
        """

    def suspects(self) -> Container[str]:
        """Sessions whose audio was in hand when a recognizer failed: no call is made for one of them and others together. And
        senders whose bytes were in hand when gateways failed, twice: no more of theirs are unpacked.
        """
