"""How fast one client is read: the second gate of flow control. Too fast is not refused, it is left unread for a while."""

from __future__ import annotations

from typing import Final

from starling.auth.tenants import Principal
from starling.core.errors import Unauthenticated
from starling.core.hotwords import HotWord
from starling.core.ports import Clock
from starling.gateway.access import Access, network
from starling.gateway.buckets import TokenBucket
from starling.gateway.glossaries import Glossaries
from starling.gateway.options import GatewayOptions
from starling.gateway.quotas import Quotas

BURST: Final = 4.0
"""Seconds of messages that may come at a stroke."""

HOTWORDS_PER_SECOND: Final = 200.0
"""Hot words of options that change in mid-session. The engine takes some 0.15 ms for each before it can use a list."""

HOTWORDS_BURST: Final = 4_000.0
"""Hot words that may come at a stroke: four lists of the longest."""

RECHECK: Final = 2.0
"""Seconds between two looks whether a session's key is still good."""

REVOKED: Final = "the API key of this session was revoked"


class Allowance:
    """The allowance of one session. Every method answers with the seconds for which the client is to be left unread."""

    def __init__(
        self,
        principal: Principal,
        options: GatewayOptions,
        access: Access,
        quotas: Quotas,
        clock: Clock,
        *,
        glossaries: Glossaries,
        address: str = "",
    ) -> None:
        """``glossaries``: of all sessions. ``address``: of the client, by which it is known where it shows no key."""
        self._principal = principal
        self._glossaries = glossaries
        self.network = network(address)
        self._access = access
        self._quotas = quotas
        self._clock = clock
        now = clock.now()
        self._messages = TokenBucket(options.messages_per_second, options.messages_per_second * BURST, now)
        self._audio = TokenBucket(options.audio_speed, options.audio_burst, now)
        self._hotwords = TokenBucket(HOTWORDS_PER_SECOND, HOTWORDS_BURST, now)
        self._checked = now
        self._unread_until = now

    def present(self, principal: Principal) -> None:
        """The client came back with another key of its tenant, or is known only now."""
        self._principal = principal

    def message(self) -> float:
        """A message came, which may have to wait for what was opened before. Raises Unauthenticated once the session's key is
        revoked.
        """
        now = self._clock.now()
        if now - self._checked >= RECHECK:
            self._checked = now
            if not self._access.still(self._principal):
                raise Unauthenticated(REVOKED)
        return max(self._messages.take(1, now), self._unread_until - now)

    def audio(self, seconds: float) -> float:
        """So many seconds of audio came. Raises QuotaExceeded when the tenant's day is used up."""
        return max(self._audio.take(seconds, self._clock.now()), self._quotas.spend(self._principal.tenant, seconds))

    def opened(self, hotwords: tuple[HotWord, ...]) -> None:
        """The session opened with ``hotwords``: what comes next waits for as long as its client should."""
        now = self._clock.now()
        self._unread_until = now + self._glossaries.charge(hotwords, self._name, now)

    def hotwords(self, words: tuple[HotWord, ...]) -> float:
        """The session's options changed, in which there are now ``words``: all of them are read anew."""
        now = self._clock.now()
        return max(self._hotwords.take(len(words), now), self._glossaries.charge(words, self._name, now))

    @property
    def _name(self) -> str:
        key_id = self._principal.key_id
        return f"key {key_id}" if key_id else f"address {self.network}"
