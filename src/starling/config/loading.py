"""From sources to one checked tree that knows where each of its values came from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from starling.config.groups.group import Group
from starling.config.settings import Settings
from starling.config.sources import DEFAULT, Given, Layer, Source, read_layers
from starling.config.tree import HIDDEN, PREFIX, Leaf, groups, leaves, value_at, without_credentials
from starling.core.errors import InvalidOption

Tree = TypeVar("Tree", bound=Group)

MAX_SHOWN = 60
"""Characters of a wrong value in its error."""


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One row of ``starling doctor``: ``value`` as it would stand in TOML, or hidden, and the ``source`` it came from."""

    path: str
    value: str
    source: str
    description: str


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Tree]):
    """Settings that were checked, and the source of each by its path."""

    settings: Tree
    sources: Mapping[str, Source] = field(default_factory=lambda: MappingProxyType({}))

    def effective(self) -> list[EffectiveSetting]:
        """Every setting with its value and source, in the order of declaration."""
        return [
            EffectiveSetting(path, leaf.shown(value_at(self.settings, path)), str(self.sources[path]), leaf.description)
            for path, leaf in leaves(type(self.settings)).items()
        ]


def load_settings(
    *,
    overrides: Mapping[str, Any] | None = None,
    config_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Loaded[Settings]:
    """The effective settings.

    ``overrides``: from command-line flags, by path (``{"server.port": 9000}``); None means that the flag was not given.
    ``config_file``: read instead of ``starling.toml`` in ``directory`` (the working directory if None). ``environ``: that of
    the process if None. Raises InvalidOption, naming every wrong setting, where it came from, what was expected and what came.
    """
    layers = read_layers(
        overrides=overrides or {},
        config_file=config_file,
        environ=os.environ if environ is None else environ,
        directory=directory or Path(),
    )
    return build(Settings, layers)


def build(tree: type[Tree], layers: Iterable[Layer]) -> Loaded[Tree]:
    """``tree`` with the values of ``layers``, the later over the earlier. Raises InvalidOption as ``load_settings`` does."""
    known = leaves(tree)
    given: Layer = {}
    problems: list[str] = []
    for layer in layers:
        problems += [_unknown(tree, path, value.source) for path, value in layer.items() if path not in known]
        given |= {path: value for path, value in layer.items() if path in known}
    try:
        settings = tree.model_validate(_nested({path: _parsed(known[path], value.value) for path, value in given.items()}))
    except ValidationError as error:
        wrong = {_path_of(details["loc"], known) for details in error.errors()}
        problems += [_wrong(known[path], given[path]) for path in known if path in wrong]
        raise _refusal(problems) from error
    if problems:
        raise _refusal(problems)
    return Loaded(settings, MappingProxyType({path: given[path].source if path in given else DEFAULT for path in known}))


def _refusal(problems: list[str]) -> InvalidOption:
    return InvalidOption("\n".join(problems))


def _parsed(leaf: Leaf, value: Any) -> Any:
    """A list may be given as text with commas, which is how variables and flags write it."""
    if leaf.is_list and isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *branches, name = path.split(".")
        node = tree
        for branch in branches:
            node = node.setdefault(branch, {})
        node[name] = value
    return tree


def _path_of(location: tuple[int | str, ...], known: Mapping[str, Leaf]) -> str:
    """The setting an error is about; its location may go on into a list."""
    parts = [str(part) for part in location]
    return next(path for n in range(len(parts), 0, -1) if (path := ".".join(parts[:n])) in known)


def _wrong(leaf: Leaf, given: Given) -> str:
    unit = f" ({leaf.unit})" if leaf.unit else ""
    shown = HIDDEN if leaf.secret else without_credentials(repr(given.value))
    shown = shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"
    return f"{leaf.path}: expected {leaf.expected}{unit}, got {shown} (source: {given.source})"


def _unknown(tree: type[Group], path: str, source: Source) -> str:
    sections = dict(groups(tree))
    if path in sections:
        return f"{path}: expected a table of settings, got a single value (source: {source})"
    known = leaves(tree)
    group, _, name = path.rpartition(".")
    in_group = get_close_matches(name, list(sections[group].model_fields), n=1) if group in sections else []
    namesakes = [setting for setting in known if setting.endswith(f".{path}")]  # the group was forgotten
    near = [f"{group}.{in_group[0]}"] if in_group else namesakes or get_close_matches(path, known, n=1)
    hint = "docs/configuration.md lists them all"
    if near:
        hint = f"did you mean {known[near[0]].variable if source.name.startswith(PREFIX) else near[0]}?"
    return f"{path}: no such setting; {hint} (source: {source})"
