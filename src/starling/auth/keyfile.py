"""The file of keys and tenants: JSON, readable by its owner only, always whole.

Writers take a lock beside it, write a new file and put it in the old one's place (rename(2)): a reader sees the one or the other.
It holds no secret that could be used, only hashes.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import msgspec

from starling.auth.tenants import Tenant, check_name
from starling.core.errors import InvalidOption, StarlingError

MAX_FILE: Final = 16 << 20
"""Bytes that are read: about 80,000 keys."""

OWNER_ONLY: Final = 0o600

DIGEST: Final = re.compile("[0-9a-f]{64}")
"""What ``keys.digest`` gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """One key as it is kept. ``digest``: see ``keys.Key``. ``created``: ISO 8601, UTC."""

    key_id: str
    name: str
    tenant: str
    digest: str
    created: str
    operator: bool = False

    def __post_init__(self) -> None:
        check_name("key", self.name)
        if DIGEST.fullmatch(self.digest) is None:
            raise InvalidOption(f"expected 64 hexadecimal digits as the digest of key {self.name}, got something else")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """All keys and tenants. A tenant that a key names and nobody described has no limits.

    ``version``: a later one may say more of a key than is understood here, so its file is not read.
    """

    version: Literal[1] = 1
    tenants: tuple[Tenant, ...] = ()
    keys: tuple[KeyRecord, ...] = field(default=())

    def tenant(self, name: str) -> Tenant:
        """The tenant called ``name``."""
        return next((tenant for tenant in self.tenants if tenant.name == name), Tenant(name=name))

    def with_tenant(self, tenant: Tenant) -> KeyFile:
        """The same, with ``tenant`` in the place of the one of its name."""
        return replace(self, tenants=(*(other for other in self.tenants if other.name != tenant.name), tenant))


def keys_path(setting: str) -> Path:
    """Where ``auth.keys_file`` is: ``~`` is the home directory, and ``~/.config`` is ``$XDG_CONFIG_HOME`` where that is set.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    home = os.environ.get("XDG_CONFIG_HOME")
    if home and setting.startswith("~/.config/"):
        return Path(home) / setting.removeprefix("~/.config/")
    return Path(setting).expanduser()


def read_keyfile(path: Path) -> KeyFile:
    """What ``path`` holds; nothing where there is no such file. Raises InvalidOption for one that cannot be read."""
    try:
        return msgspec.json.decode(_content(path), type=KeyFile)
    except (FileNotFoundError, NotADirectoryError):
        return KeyFile()
    except OSError as error:
        raise InvalidOption(f"cannot read the file of API keys at {path}: {error.strerror}") from None
    except (ValueError, RecursionError, InvalidOption) as error:  # of the JSON, or of a field in it
        raise InvalidOption(f"expected a file of API keys at {path}, written by `starling keys`, got: {error}") from None


def _content(path: Path) -> bytes:
    """Of a regular file and no other: a pipe would keep everybody waiting. Raises OSError and InvalidOption."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidOption("something that is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            text = file.read(MAX_FILE + 1)
    finally:
        os.close(descriptor)
    if len(text) > MAX_FILE:
        raise InvalidOption(f"more than {MAX_FILE} bytes")
    return text


@contextmanager
def changing(path: Path) -> Iterator[Change]:
    """Read ``path``, let the block set ``Change.content``, and write that; other writers wait. Raises as ``read_keyfile``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    except OSError as error:
        raise InvalidOption(f"cannot write the file of API keys at {path}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        change = Change(read_keyfile(path))
        yield change
        _replace(path, msgspec.json.format(msgspec.json.encode(change.content), indent=2) + b"\n")
    finally:
        os.close(lock)


@dataclass(slots=True)
class Change:
    """What is about to be written."""

    content: KeyFile


def _replace(path: Path, text: bytes) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, OWNER_ONLY), "wb") as file:  # noqa: PTH123 - it has a mode
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StarlingError(f"cannot write the file of API keys at {path}: {error.strerror}") from None
