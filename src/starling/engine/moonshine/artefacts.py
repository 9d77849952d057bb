"""Files that were made here once and are read again at each start: checked when read, never seen half-written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_DIGEST = 64

_ABANDONED = 600.0
"""Seconds after which a draft is nobody's any more: its writer was killed."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """``parts``: bytes by name; ``facts``: what is to be remembered about them, as JSON has it."""

    parts: Mapping[str, bytes]
    facts: Mapping[str, int]


def user_cache() -> Path:
    """The folder for what can be made again, by the XDG Base Directory Specification 0.8. Raises RuntimeError without a home."""
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (chosen if chosen.is_absolute() else Path.home() / ".cache") / "starling"


def read_artefact(path: Path) -> Artefact | None:
    """What ``write_artefact`` wrote to ``path``; None when it is not there, cannot be read, or is damaged."""
    try:
        content = memoryview(path.read_bytes())
    except OSError:
        return None
    if hashlib.sha256(content[_DIGEST:]).hexdigest().encode() != content[:_DIGEST]:
        return None
    size = int.from_bytes(content[_DIGEST : _DIGEST + 4], "big")
    header = json.loads(bytes(content[_DIGEST + 4 : _DIGEST + 4 + size]))
    rest = content[_DIGEST + 4 + size :]
    parts = {}
    for name, length in header["parts"]:
        parts[name], rest = bytes(rest[:length]), rest[length:]
    return Artefact(parts, header["facts"])


def write_artefact(path: Path, artefact: Artefact) -> None:
    """Write ``artefact`` to ``path`` at once: readers see the old file or the new one. Raises OSError when that cannot be done.

    The file is the sha256 of the rest in hex, the length of a header in four bytes, the header as JSON, then the parts.
    """
    lengths = [(name, len(part)) for name, part in artefact.parts.items()]
    header = json.dumps({"parts": lengths, "facts": dict(artefact.facts)}).encode()
    content = b"".join([len(header).to_bytes(4, "big"), header, *artefact.parts.values()])
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _sweep(path: Path) -> None:
    """Remove the drafts of ``path`` that were left behind, lest a process that is killed over and over fills the disk."""
    for draft in path.parent.glob(f".{path.name}.*"):
        with suppress(OSError):  # somebody else was quicker
            if time.time() - draft.stat().st_mtime > _ABANDONED:
                draft.unlink()
