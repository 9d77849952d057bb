"""Looking at a tree of settings: its leaves by their dotted paths, and how each is described to a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from starling.config.groups.group import Group

PREFIX: Final = "STARLING_"
"""What every environment variable begins with; ``__`` stands between group and setting."""

NOUNS: Final[dict[object, str]] = {
    Path | None: "a path",
    bool: "true or false",
    int: "a whole number",
    int | None: "a whole number",
    float: "a number",
}

HIDDEN: Final = "(hidden)"

_CREDENTIALS: Final = re.compile(r"://[^/?#\s]*@")
"""Of a URL: its user and password."""


def without_credentials(text: str) -> str:
    """``text`` with what a URL in it must keep to itself left out."""
    return _CREDENTIALS.sub(f"://{HIDDEN}@", text)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting of the tree, at ``path`` (``group.name``)."""

    path: str
    field: FieldInfo

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.path.replace(".", "__").upper()

    @property
    def description(self) -> str:
        return self.field.description or ""

    @property
    def unit(self) -> str:
        return str(self._extra("unit") or "")

    @property
    def secret(self) -> bool:
        return bool(self._extra("secret"))

    @property
    def is_list(self) -> bool:
        return get_origin(self.field.annotation) is tuple

    @property
    def expected(self) -> str:
        """What its values look like: ``a whole number from 0 to 65535``."""
        kind = self.field.annotation
        if self.is_list:
            return "a list of strings"
        if isinstance(kind, type) and issubclass(kind, Enum):
            return "one of " + ", ".join(str(member.value) for member in kind)
        noun = NOUNS.get(kind, "a string")
        low = next((bound.ge for bound in self.field.metadata if isinstance(bound, Ge)), None)
        high = next((bound.le for bound in self.field.metadata if isinstance(bound, Le)), None)
        return noun if low is None or high is None else f"{noun} from {low} to {high}"

    def shown(self, value: Any) -> str:
        """``value`` as a person would write it in TOML; a secret stays hidden."""
        if self.secret:
            return HIDDEN
        match value:
            case bool() | None:
                return str(value).lower()
            case Enum() | str() | Path():
                return f'"{without_credentials(str(value))}"'
            case tuple():
                return "[" + ", ".join(f'"{item}"' for item in value) + "]"
            case _:
                return str(value)

    def _extra(self, key: str) -> Any:
        extra = self.field.json_schema_extra
        return extra.get(key) if isinstance(extra, dict) else None


def groups(tree: type[Group], prefix: str = "") -> Iterator[tuple[str, type[Group]]]:
    """The groups of ``tree`` by their paths, in the order of declaration."""
    for name, field in tree.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            yield prefix + name, field.annotation
            yield from groups(field.annotation, f"{prefix}{name}.")


def leaves(tree: type[Group], prefix: str = "") -> dict[str, Leaf]:
    """The settings of ``tree`` by their paths, in the order of declaration."""
    found: dict[str, Leaf] = {}
    for name, field in tree.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            found |= leaves(field.annotation, f"{prefix}{name}.")
        else:
            found[prefix + name] = Leaf(prefix + name, field)
    return found


def value_at(settings: Group, path: str) -> Any:
    """The value that ``settings`` has at ``path``."""
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value
