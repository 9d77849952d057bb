"""The roll: which sessions there are at all gateways of a server, page by page, and the end of one, wherever it is.

Each gateway knows its own; the others are asked, and who does not answer is named. A page is what comes first of all after a
*place*, which is when a session connected and its id: so nobody remembers pages, and a session that stays is on one of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

import msgspec

from starling.core.audio import seconds
from starling.core.load import Priority
from starling.gateway.access import Overseer
from starling.gateway.life import Stage
from starling.gateway.ports import Ports
from starling.gateway.seats import Seat, Seats
from starling.telemetry.status import INSTANCE

T = TypeVar("T")

LONGEST: Final = 1000
"""Sessions on a page."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One session. ``connected``: with its time zone, UTC. ``gateway``: where its client is."""

    gateway: str
    session_id: str
    tenant: str
    priority: Priority
    connected: datetime
    state: Stage
    worker: str | None
    language: str
    audio_seconds: float
    lag_seconds: float
    backlog: int

    @property
    def place(self) -> str:
        """In the order of the roll."""
        return place(self.connected, self.session_id)


class Show(msgspec.Struct, frozen=True, tag="show"):
    """Which sessions come first after ``after``? ``tenant``: whose, None for all; ``session_id``: none but this one."""

    most: int
    after: str = ""
    tenant: str | None = None
    session_id: str | None = None


class End(msgspec.Struct, frozen=True, tag="end"):
    """End this session, if it is there and ``tenant``'s; ``by``: the id of whose key wants it, for the log."""

    session_id: str
    tenant: str | None
    by: str


Question: TypeAlias = Show | End

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError)
"""What comes of bytes that are no message."""


@dataclass(frozen=True, slots=True)
class Page:
    """``more``: the place after which the next page begins, None if this is the last. ``silent``: who did not answer."""

    rows: Sequence[Row]
    more: str | None
    silent: Sequence[str]


@dataclass(frozen=True, slots=True)
class Ended:
    """``found``: whether the session is about to end. ``silent``: who did not answer."""

    found: bool
    silent: Sequence[str]


class Roll:
    """``seats``: of this gateway. All but ``answer`` raise StoreUnavailable where the others cannot be asked."""

    def __init__(self, seats: Seats, ports: Ports) -> None:
        self._seats = seats
        self._ports = ports
        self._colleagues = ports.colleagues
        self.name = INSTANCE if self._colleagues is None else self._colleagues.name
        if self._colleagues is not None:
            self._colleagues.on_question(self.answer)

    async def page(self, overseer: Overseer, *, most: int, after: str = "", session_id: str | None = None) -> Page:
        """What ``overseer`` may see of the roll: at most ``most`` sessions after the place ``after``."""
        question = Show(min(most, LONGEST) + 1, after, overseer.tenant, session_id)
        answers, silent = await self._ask(question, list[Row])
        rows = heapq.nsmallest(question.most, (row for some in (self._show(question), *answers) for row in some), _by_place)
        more = rows[-2].place if len(rows) == question.most else None
        return Page(rows[: question.most - 1], more, silent)

    async def end(self, session_id: str, overseer: Overseer) -> Ended:
        """End a session as if the server were drained, with the reason to its client."""
        question = End(session_id, overseer.tenant, overseer.by)
        if self._end(question):
            return Ended(found=True, silent=())
        answers, silent = await self._ask(question, bool)
        return Ended(any(answers), silent)

    def answer(self, question: bytes) -> bytes:
        """What this gateway answers another one. Empty for a question that it does not know, of a later version perhaps."""
        try:
            asked: Question = msgspec.msgpack.decode(question, type=Question)
        except UNREADABLE:
            return b""
        return msgspec.msgpack.encode(self._end(asked) if isinstance(asked, End) else self._show(asked))

    async def _ask(self, question: Question, kind: type[T]) -> tuple[Sequence[T], Sequence[str]]:
        """What others answer, and who did not, or not so that one could understand it."""
        if self._colleagues is None:
            return (), ()
        answers: list[T] = []
        silent: list[str] = []
        for name, answer in sorted((await self._colleagues.ask(msgspec.msgpack.encode(question))).items()):
            try:
                answers.append(msgspec.msgpack.decode(answer or b"", type=kind))
            except UNREADABLE:
                silent.append(name)
        return answers, silent

    def _show(self, question: Show) -> list[Row]:
        shown = (
            seat
            for seat in self._seats.taken
            if question.tenant in {None, seat.principal.tenant.name}
            and question.session_id in {None, seat.session_id}
            and place(seat.since, seat.session_id) > question.after
        )
        first = heapq.nsmallest(min(question.most, LONGEST + 1), shown, lambda seat: place(seat.since, seat.session_id))
        return list(self._rows(first))

    def _rows(self, seats: Iterable[Seat]) -> Iterable[Row]:
        for seat in seats:
            standing = self._ports.standing(seat.session_id)
            yield Row(
                gateway=self.name,
                session_id=seat.session_id,
                tenant=seat.principal.tenant.name,
                priority=seat.principal.tenant.priority,
                connected=seat.since,
                state=seat.session.stage,
                worker=None if standing is None else standing.worker,
                language=seat.session.language,
                audio_seconds=round(seat.session.heard, 3),
                lag_seconds=0.0 if standing is None else round(seconds(standing.staged), 3),
                backlog=seat.session.backlog,
            )

    def _end(self, question: End) -> bool:
        return self._seats.dismiss(question.session_id, question.tenant, question.by)


def place(connected: datetime, session_id: str) -> str:
    """Where in the roll a session is; texts that are in the order of the roll."""
    return f"{connected:%Y%m%dT%H%M%S%f}-{session_id}"


def _by_place(row: Row) -> str:
    return row.place
