"""What readers take away from the page: charts and cards as SVG and PNG, and how to cite."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from browser import complaints, find, open_page, requests, scroll_to_gallery, wait
from PIL import Image
from places import REPOSITORY
from typer.testing import CliRunner
from written_run import HOSTILE, write_run

from pixfound_tasks import __version__
from pixfound_tasks.cli import app as command
from pixfound_tasks.report.citation import bibtex

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("taken") / "run")
    done = CliRunner().invoke(command.app, ["report", str(run)])
    assert done.exit_code == 0, done.output
    return run / "report" / "index.html"


@pytest.fixture
def opened(browser, page, tmp_path):
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    open_page(browser, page)
    scroll_to_gallery(browser)
    wait(browser, "return document.querySelector('.card .take')")
    return browser


def taken(driver, folder: Path, selector: str, kind: str) -> Path:
    """The file that a click on the button of an element writes."""
    before = set(folder.iterdir())
    script = """[...document.querySelector(arguments[0]).querySelectorAll('.take button')]
        .find((each) => each.textContent === arguments[1]).click()"""
    driver.execute_script(script, selector, kind)
    for _ in range(500):
        new = [path for path in set(folder.iterdir()) - before if path.suffix == f".{kind.lower()}"]
        if new and new[0].stat().st_size:
            return new[0]
        time.sleep(0.02)
    raise AssertionError(f"no {kind} of {selector}")


def words(path: Path) -> str:
    return " ".join(" ".join(node.itertext()) for node in ElementTree.parse(path).iter(f"{SVG}text"))


def test_every_chart_has_buttons(opened):
    script = """return [...document.querySelectorAll('figure, .panel:has(.stack), .heats')]
        .filter((each) => !each.querySelector('.take')).length"""
    assert opened.execute_script(script) == 0
    assert opened.execute_script("return document.querySelectorAll('[data-take]').length") >= 3


def test_a_chart_is_an_svg_with_text_and_a_label_on_white(opened, tmp_path):
    path = taken(opened, tmp_path, ".first figure", "SVG")
    assert path.name == "scores.svg"
    root = ElementTree.parse(path).getroot()
    assert root.find(f"{SVG}rect").get("fill") == "#fff"
    said = words(path)
    assert "A: correctly answered, in percent" in said and "Answering (A) against grounding (M)" in said
    assert taken(opened, tmp_path, ".panel[data-plot]", "SVG").name.startswith("maker-model-on-pixmini-what-fails")


def test_a_card_is_as_it_is_on_the_page_in_light_colors(opened, tmp_path):
    """Also from a dark page, and what is written in it stays text."""
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    try:
        path = taken(opened, tmp_path, '.card[data-id="1"]', "SVG")
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert path.name == "maker-model-on-pixmini-image-1.svg"
    said = words(path)
    assert "maker/model on pixmini, image 1" in said and "the red square" in said and "0.80" in said
    assert "onerror=alert(1)" in said.replace(" ", "") and HOSTILE not in path.read_text(encoding="utf-8")
    assert "Save as" not in said
    root = ElementTree.parse(path).getroot()
    pictures = [node.get("href") for node in root.iter(f"{SVG}image")]
    assert pictures and all(re.match("data:image/(png|jpeg);base64,", uri) for uri in pictures)
    (ground,) = [node.get("fill") for node in list(root.iter(f"{SVG}rect"))[1:2]]
    assert ground == "rgb(255, 255, 255)"


def test_pngs_are_large_and_white(opened, tmp_path):
    for selector in ('.card[data-id="1"]', ".first figure"):
        with Image.open(taken(opened, tmp_path, selector, "PNG")) as picture:
            assert picture.width > 900 and picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
            assert picture.convert("L").getextrema()[0] < 100
    assert not complaints(opened)
    assert all(url.startswith(("file:", "blob:")) for url in requests(opened))


def test_the_box_to_cite_has_the_entries(opened):
    assert find(opened, "#cite pre").get_property("textContent").strip() == bibtex().strip()
    assert find(opened, "#cite button").text == "Copy BibTeX"


def test_entries_have_the_facts_of_the_citation_file():
    known = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    (study,) = known["references"]
    entries = [dict(re.findall(r"^  (\w+) = \{\{?(.*?)\}?\},$", each, re.MULTILINE)) for each in bibtex().split("\n\n")]
    assert entries[0] == {
        "title": study["title"], "author": study["authors"][0]["name"], "year": str(study["year"]),
        "eprint": study["identifiers"][0]["value"].removeprefix("arXiv:"), "archivePrefix": "arXiv",
        "url": study["url"],
    }  # fmt: skip
    assert entries[1] == {
        "title": known["title"], "author": known["authors"][0]["name"], "version": __version__,
        "note": f"{known['license']} license",
    }  # fmt: skip
    assert known["version"] == __version__
