"""Where settings come from, lowest priority first: a TOML file, ``.env``, the environment, the command line.

Below them all are the variables that OpenTelemetry gave names to (``standard.py``).

Each source is read into flat ``{path: Given}``, with names as they came: what is unknown or wrong is judged later, once, for all.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from dotenv import dotenv_values

from starling.config.standard import ENDPOINT, settings_of
from starling.config.tree import PREFIX
from starling.core.errors import InvalidOption

MAX_FILE: Final = 1 << 20
"""Bytes of a settings file at most: what is longer, or has no end, is something else."""

FILE: Final = "starling.toml"
"""The settings file that is read from the working directory if it is there."""

DOTENV: Final = ".env"

CONFIG_VARIABLE: Final = PREFIX + "CONFIG"
"""The environment variable that names another settings file."""

SHORT: Final = {PREFIX + "API_KEY": "client.api_key"}
"""Variables that have a shorter name than their setting's."""

SERVICE_LINK: Final = re.compile(
    PREFIX
    + r"([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)=.*|PORT=[a-z]+://.*|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*)"
)
"""Variables that Kubernetes puts into every pod next to a Service called starling or starling-something, as ``NAME=value``.

https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
"""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one value came from: ``kind`` is ``default``, ``file``, ``.env``, ``environment`` or ``command line``.

    ``name`` says which file or variable; empty if the kind says all.
    """

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


DEFAULT: Final = Source("default")


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it came, before any check."""

    value: Any
    source: Source


Layer: TypeAlias = dict[str, Given]


def read_layers(
    *, overrides: Mapping[str, Any], config_file: Path | None, environ: Mapping[str, str], directory: Path
) -> list[Layer]:
    """All sources, lowest priority first. Raises InvalidOption for a file that is missing or cannot be read."""
    dotenv = _dotenv(directory / DOTENV)
    named = config_file or _named_file(environ, dotenv, directory)
    file = named or directory / FILE
    own = [
        _toml(file) if named or file.is_file() else {},
        _variables(dotenv, DOTENV),
        _variables(environ, "environment"),
        {path: Given(value, Source("command line")) for path, value in overrides.items() if value is not None},
    ]
    named_elsewhere = any(ENDPOINT in layer for layer in own)
    return [
        *(
            _standard(variables, kind, exporter=not named_elsewhere)
            for variables, kind in ((dotenv, DOTENV), (environ, "environment"))
        ),
        *own,
    ]


def _standard(variables: Mapping[str, str], kind: str, *, exporter: bool) -> Layer:
    """What OpenTelemetry's variables say. ``exporter``: also where spans are to go, and what is sent with them."""
    found = settings_of(variables, exporter=exporter)
    return {path: Given(value, Source(kind, name)) for path, (value, name) in found.items()}


def _named_file(environ: Mapping[str, str], dotenv: Mapping[str, str], directory: Path) -> Path | None:
    name = environ.get(CONFIG_VARIABLE) or dotenv.get(CONFIG_VARIABLE)
    return directory / name if name else None


def _toml(path: Path) -> Layer:
    try:
        content = tomllib.loads(_bounded(path).decode())
    except OSError as error:
        raise InvalidOption(f"expected a settings file at {path}, got: {error.strerror}; name another with --config") from error
    except ValueError as error:  # of the TOML, or of the UTF-8
        raise InvalidOption(f"expected TOML in {path}, got something else: {error}") from error
    return _flat(content, "", Source("file", str(path)))


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(MAX_FILE + 1)
    if len(text) > MAX_FILE:
        raise ValueError(f"more than {MAX_FILE} bytes")
    return text


def _flat(table: Mapping[str, Any], prefix: str, source: Source) -> Layer:
    layer: Layer = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            layer |= _flat(value, f"{prefix}{key}.", source)
        elif not isinstance(value, dict):
            layer[prefix + key] = Given(value, source)
    return layer


def _dotenv(path: Path) -> dict[str, str]:
    """The file's variables, without expanding ``$``: a value means the same here as in the environment."""
    if not path.is_file():
        return {}
    try:
        return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None}
    except (OSError, ValueError) as error:
        raise InvalidOption(f"expected lines of NAME=value in {path}, got something else: {error}") from error


def _variables(variables: Mapping[str, str], kind: str) -> Layer:
    return {
        SHORT.get(name) or name.removeprefix(PREFIX).lower().replace("__", "."): Given(value, Source(kind, name))
        for name, value in variables.items()
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE and not SERVICE_LINK.fullmatch(f"{name}={value}")
    }
