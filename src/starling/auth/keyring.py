"""The keys that are good now: those of the file, read again whenever it has changed."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from starling.auth.keyfile import KeyRecord, read_keyfile
from starling.auth.keys import read
from starling.auth.tenants import Principal, Tenant
from starling.core.errors import InvalidOption, KeysUnavailable, Unauthenticated
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

Mark: TypeAlias = tuple[int, int, int] | None
"""Inode, time of change in nanoseconds and size of a file; None where there is none."""

NOBODY: Final = "0" * 64
"""A digest that no key has: what an unknown id is compared with, so that it takes as long as a known one."""

UNAVAILABLE: Final = "the API keys of this server cannot be read, so nobody is let in: tell its operator, whose log says why"
"""What strangers are told: where the file is concerns them as little as what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    mark: Mark
    keys: dict[str, KeyRecord]
    tenants: dict[str, Tenant]


class Keyring:
    """The keys in the file at ``path``. A file that is gone has none; one that cannot be read lets nobody in until it can.

    A look at the file's inode is all that an unchanged one costs: a revoked key is refused from the next request on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loaded: _Loaded | None = None
        self._complained: tuple[Mark, str] | None = None

    @property
    def empty(self) -> bool:
        """Whether there is no key at all. Raises KeysUnavailable."""
        return not self._current().keys

    def authenticate(self, token: str) -> Principal:
        """Who presents ``token``. Raises Unauthenticated, and KeysUnavailable when the file cannot be read."""
        key = read(token)
        current = self._current()
        record = current.keys.get(key.key_id)
        if not hmac.compare_digest(record.digest if record else NOBODY, key.digest) or record is None:
            raise Unauthenticated("this API key is not known here, or not any more: ask for a new one")
        return _principal(current, record)

    def principal(self, key_id: str, ticket: str = "") -> Principal:
        """Whom the key called ``key_id`` speaks for: for who shows ``ticket``, or something else that stands for the key.

        Raises Unauthenticated and KeysUnavailable.
        """
        current = self._current()
        if key_id not in current.keys:
            raise Unauthenticated("the API key behind this ticket is revoked")
        return replace(_principal(current, current.keys[key_id]), operator=False, by_ticket=True, ticket=ticket)

    def tenant(self, name: str) -> Tenant | None:
        """The tenant called ``name``, if any key speaks for it. Raises KeysUnavailable."""
        return self._current().tenants.get(name)

    def knows(self, key_id: str) -> bool:
        """Whether the key called ``key_id`` is still good. Raises KeysUnavailable."""
        return key_id in self._current().keys

    def _current(self) -> _Loaded:
        mark = _mark(self.path)
        if self._loaded is None or self._loaded.mark != mark:
            try:
                file = read_keyfile(self.path)
            except InvalidOption as error:
                self._loaded = None
                if self._complained != (mark, error.message):  # once for each state of the file, not for each who asks
                    self._complained = mark, error.message
                    log.error("API keys unavailable", reason=error.message)  # noqa: TRY400 - it says all there is
                raise KeysUnavailable(UNAVAILABLE) from error
            keys = {record.key_id: record for record in file.keys}
            described = {tenant.name: tenant for tenant in reversed(file.tenants)}  # the first counts
            named = {record.tenant for record in file.keys}
            self._loaded = _Loaded(mark, keys, {name: described.get(name) or Tenant(name=name) for name in named})
        return self._loaded


def _principal(current: _Loaded, record: KeyRecord) -> Principal:
    return Principal(tenant=current.tenants[record.tenant], key_id=record.key_id, operator=record.operator)


def _mark(path: Path) -> Mark:
    try:
        found = os.stat(path)  # noqa: PTH116 - at every request: Path.stat takes twice as long
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
