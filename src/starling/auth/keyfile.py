"""The file of keys and tenants: JSON, readable by its owner only, always whole.

Writers take a lock beside it, write a new file and put it in the old one's place (rename(2)): a reader sees the one or the other.
It holds no secret that could be used, only hashes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from starling.auth.tenants import Tenant, check_name
from starling.core.errors import InvalidOption, StarlingError

MAX_FILE: Final = 16 << 20
"""Bytes that are read: about 80,000 keys."""

OWNER_ONLY: Final = 0o600


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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """All keys and tenants. A tenant that a key names and nobody described has no limits."""

    version: int = 1
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
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(MAX_FILE), type=KeyFile)
    except (FileNotFoundError, NotADirectoryError):
        return KeyFile()
    except OSError as error:
        raise InvalidOption(f"cannot read the file of API keys at {path}: {error.strerror}") from None
    except (ValueError, InvalidOption) as error:  # of the JSON, or of a field in it
        raise InvalidOption(f"expected a file of API keys at {path}, written by `starling keys`, got: {error}") from None


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
