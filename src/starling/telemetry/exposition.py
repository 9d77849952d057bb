"""The metrics of several processes on one page (Prometheus text format 0.0.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Family:
    head: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


def merged(pages: Mapping[str, bytes]) -> bytes:
    """One page of ``pages``, by the name of their process, which becomes the label ``process`` of every sample.

    Each must have been rendered by ``metrics.render``. A family stands together, as the format wants it.
    """
    families: dict[str, _Family] = {}
    for process, page in pages.items():
        family = _Family()
        fresh = True
        for line in page.decode().splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                fresh = name not in families
                family = families.setdefault(name, _Family())
            if line.startswith("#"):
                if fresh:
                    family.head.append(line)
            elif line:
                family.samples.append(_labelled(line, process))
    lines = [line for family in families.values() for line in (*family.head, *family.samples)]
    return "".join(f"{line}\n" for line in lines).encode()


def _labelled(sample: str, process: str) -> str:
    """``sample`` with one more label, the first. A metric's name has neither braces nor blanks."""
    name, brace, rest = sample.partition("{")
    if brace and " " not in name:
        return f'{name}{{process="{process}",{rest}'
    name, _, value = sample.partition(" ")
    return f'{name}{{process="{process}"}} {value}'
