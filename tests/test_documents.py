"""What is written about Starling hangs together: links lead somewhere, and no decision is forgotten."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DECISIONS = ROOT / "docs" / "decisions"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_decision_is_on_the_list_by_its_number_and_title() -> None:
    said = [path.read_text(encoding="utf-8").partition("\n")[0] for path in sorted(DECISIONS.glob("0*.md"))]
    rows = re.findall(
        r"^\| \[(\d+)\]\((\1-[^)]+)\) \| (.+) \|$", (DECISIONS / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [f"# {number}: {title}" for number, _, title in rows] == said
    assert [file for _, file, _ in rows] == sorted(path.name for path in DECISIONS.glob("0*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_end_with_a_blank_line(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    stuck = [after for row, after in pairwise(lines) if row.startswith("|") and after and not after.startswith("|")]
    assert stuck == []  # they would be shown as one more row
