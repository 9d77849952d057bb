"""Imports point down. The rules are in pyproject.toml; ``lint-imports`` checks them by hand."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "starling"


LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True, no_logo=True))"
"""A process of its own: it takes over the logging of the one it runs in."""


def test_the_contracts_hold() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", LINT], capture_output=True, text=True, check=False, cwd=ROOT, env=environment)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout + done.stderr


def layers() -> list[set[str]]:
    """The packages of each layer, from the top, as ``lint-imports`` checks them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [found] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [set(re.split(r"\s*[|:]\s*", layer)) for layer in found]


def test_every_package_has_its_layer() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__"} == set.union(*layers())


def test_the_map_shows_the_layers_that_are_checked() -> None:
    checked = [layer for layer in layers() if layer not in ({"__main__"}, {"version"})]
    rows = re.findall(r"^\| (\d) \| `(\w+)` \|", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE)
    shown = [{name for level, name in rows if level == str(height)} for height in range(len(checked), 0, -1)]
    assert shown == checked


@pytest.mark.parametrize("package", ["core", "session"])
def test_what_is_pure_stands_on_numpy_and_the_standard_library_alone(package: str) -> None:
    for path in (PACKAGE / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            roots = {module.partition(".")[0] for module in modules}
            assert roots <= sys.stdlib_module_names | {"numpy", "starling"}, f"{path.name} imports {roots}"
