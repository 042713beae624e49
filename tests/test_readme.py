"""The Python of the README, and of its pages in docs, runs as it stands."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from places import REPOSITORY

from pixfound_tasks.attention import GEOMETRIES


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text(), flags=re.DOTALL)


def test_the_readme_begins_as_the_page_on_attention_does():
    assert blocks("README.md") == blocks("docs/attention.md")[:1]


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))]
)
def test_links_lead_to_files(page):
    text = (REPOSITORY / page).read_text()
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not (REPOSITORY / page).parent.joinpath(link).exists()] == []


def test_the_examples_run_in_order_on_the_embedded_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    try:
        for block in blocks("docs/attention.md"):
            exec(block, names)
    finally:
        GEOMETRIES.pop("my_model", None)
    look, record = names["look"], names["record"]
    assert look.text and look.maps().shape == (len(look.token_chars), *look.geometry.size)
    assert record.rows("predict").shape[2] == 100  # tokens of 12 pixels in images of 120
    assert Image.open(tmp_path / "look.png").size[0] > 300
    assert names["my_geometry"] is not None


def test_the_table_of_families_names_them_all():
    rows = [line for line in (REPOSITORY / "docs" / "attention.md").read_text().splitlines() if "7 sizes" in line]
    rules = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    shared = (REPOSITORY / "docs" / "attention.md").read_text().partition("More families share these rules")[2]
    assert rules | set(re.findall(r"`(\w+)`", shared.partition("\n\n")[0])) == set(GEOMETRIES)
