"""docs/coverage.md, which `make coverage-models` writes: its form, and that nothing in it is wrong."""

from __future__ import annotations

import re

import pytest
import transformers
from attention.zoo.zoo_names import NO_IMAGES, WANTED, architectures
from places import REPOSITORY

PAGE = REPOSITORY / "docs" / "coverage.md"
if not PAGE.is_file():
    pytest.skip("needs the sources", allow_module_level=True)
TEXT = PAGE.read_text()


def table(heading):
    """The rows of the table after a heading, as dictionaries."""
    lines = [line for line in TEXT.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_every_architecture_of_its_transformers_is_listed():
    version = re.search(r"with transformers (\S+)\. ", TEXT)[1]
    if version != transformers.__version__:
        pytest.skip(f"the page is for transformers {version}")
    assert [row["architecture"].strip("`") for row in table("All")] == architectures()


def test_every_row_is_recorded_or_says_why_not():
    for row in table("All"):
        if row["rows to eager"]:
            assert float(row["rows to eager"]) < 1e-5 and row["ids"] == "same", row
            assert row["geometry"] and row["layers"] and row["Lens"], row
        else:
            assert row["remarks"], row


def test_the_counts_are_those_of_the_table():
    rows = table("All")
    recorded = [row for row in rows if row["rows to eager"]]
    placed = [row for row in recorded if not row["geometry"].startswith("none")]
    total, equal, place = map(
        int, re.search(r"Of (\d+) architectures, (\d+) are .*?\sand\s(\d+) of", TEXT, re.S).groups()
    )
    assert (total, equal, place) == (len(rows), len(recorded), len(placed))
    assert len(rows) - len(recorded) >= len(NO_IMAGES)


def test_the_well_known_models_are_listed():
    assert {row["model"] for row in table("Well-known models")} == set(WANTED)
