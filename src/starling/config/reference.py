"""``docs/configuration.md``, written from the settings."""

from __future__ import annotations

from inspect import cleandoc

from starling.config.groups.group import Group
from starling.config.settings import Settings
from starling.config.tree import groups, leaves

EXAMPLE = """\
[server]
port = 9000
allowed_origins = ["https://captions.example.org"]

[session]
endpoint_silence_ms = 700

[log]
format = "json"
"""

PROSE = f"""\
# Configuration

Starling runs without any configuration. To change something, set it in one of these places; each overrules those above it:

1. the defaults, listed below;
2. a TOML file: `starling.toml` in the working directory, or the one that `--config FILE` or the variable `STARLING_CONFIG` names;
3. `.env` in the working directory;
4. environment variables: `STARLING_`, the group, two underscores, the setting, as in `STARLING_SERVER__PORT=9000`;
5. flags on the command line.

A list is written with commas in a variable: `STARLING_SERVER__ALLOWED_ORIGINS=https://a.example,https://b.example`.
An unknown name or a wrong value stops the start with an error that says where it stands, what was expected and what was found.
`starling doctor --settings` shows every effective value and where it came from. Settings are read once, at the start.

A file with some settings:

```toml
{EXAMPLE}```

This page is written from the code by `python -m starling.config.reference`, and a test compares the two.
"""


def render_configuration_markdown() -> str:
    """The whole page."""
    return "\n".join([PROSE, *(_section(path, group) for path, group in groups(Settings))])


def _section(path: str, group: type[Group]) -> str:
    rows = [
        f"| `{leaf.path}` | `{leaf.shown(leaf.field.default)}` | {leaf.expected} | {leaf.unit} | {leaf.description} |"
        for leaf in leaves(group, f"{path}.").values()
    ]
    header = "| setting | default | value | unit | what it is |\n|---|---|---|---|---|"
    return "\n".join([f"## {path}\n", f"{cleandoc(group.__doc__ or '')}\n", header, *rows, ""])


if __name__ == "__main__":
    print(render_configuration_markdown(), end="")  # noqa: T201 (printing the page is what running this module is for)
