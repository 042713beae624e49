"""The leaderboard's page in a browser, sorted and filtered, and the site of a folder of rows."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from browser import complaints, find, open_page, requests
from test_accessibility import RUN as AXE
from test_leaderboard import a_row, pixfound, write
from written_run import write_run

from pixfound_tasks.report.html import pictures
from pixfound_tasks.report.leaderboard import read_rows
from pixfound_tasks.report.leaderboard.page import as_html, find_filters, interval_style

HOSTILE = (
    "</script></option></title><img src=x onerror=\"document.title='hacked'\"><svg onload=\"document.title='hacked'\">"
)
ORDER = "return [...document.querySelectorAll('.board tbody tr')].filter((row) => row.offsetParent !== null)" + (
    ".map((row) => row.querySelector('.name').firstChild.firstChild.textContent.trim())"
)


def chosen(driver, name, text):
    """Chooses an option of a filter, as a hand does."""
    driver.execute_script(
        "const select = document.querySelector(`select[data-filter-by='${arguments[0]}']`) || document.querySelector("
        "arguments[0]); select.value = [...select.options].find((each) => each.textContent === arguments[1]).value;"
        "for (const kind of ['input', 'change']) select.dispatchEvent(new Event(kind, { bubbles: true }))",
        name, text,
    )  # fmt: skip


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Two sections by `select`; within the first, two segmenters."""
    unread = {"unparsed_vqa": {"value": 0.9, "low": None, "high": None}}
    partial = {"partial": True, "documents": 12, "limit": 12, "outcomes": None}
    rows = [
        a_row("one", 0.9, 0.3), a_row("two", 0.6, 0.6), a_row("three", 0.2, 0.9, settings={"segmenter": "sam:two"}),
        a_row("four", 0.7, 0.8, settings={"select": "judge"}), a_row("five", 0.5, 0.5, **partial),
        a_row(f"six {HOSTILE}", 0.1, 0.1, settings={"segmenter": HOSTILE}, report="six/index.html"),
    ]  # fmt: skip
    rows[1]["scores"] |= unread
    page = tmp_path_factory.mktemp("board") / "board.html"
    page.write_text(as_html(rows))
    return page


def models(driver):
    return [name.split()[0] for name in driver.execute_script(ORDER)]


def test_ranks_come_first_then_any_column_both_ways(browser, board):
    open_page(browser, board)
    assert models(browser) == ["four", "two", "one", "three", "six", "five"]
    assert browser.title == "PixFoundation leaderboard" and complaints(browser) == [] and len(requests(browser)) == 1
    button = "return [...document.querySelectorAll('.board th button')].filter((each) => each.textContent === 'A')[1]"
    browser.execute_script(button).click()
    assert models(browser) == ["four", "one", "two", "five", "three", "six"]
    assert find(browser, "th[aria-sort='descending']").text.startswith("A")
    browser.execute_script(button).click()
    assert models(browser)[1:] == ["six", "three", "five", "two", "one"]
    assert browser.current_url.endswith("#sort=answering")


def test_filters_by_setting_and_by_name_are_in_the_address(browser, board):
    open_page(browser, board)
    chosen(browser, "segmenter", "sam:two")
    assert models(browser) == ["three"] and find(browser, "output").text == "1 of 6 rows"
    assert browser.current_url.endswith("#segmenter=sam%3Atwo")
    browser.refresh()
    assert models(browser) == ["three"]
    find(browser, ".filters button").click()
    assert len(models(browser)) == 6
    chosen(browser, "select", "judge")
    assert models(browser) == ["four"]
    assert browser.execute_script("return document.querySelectorAll('.section[hidden]').length") == 1
    chosen(browser, "select", "any")
    find(browser, ".filters input").send_keys("TH")
    assert models(browser) == ["three"]


def test_rows_that_say_little_are_marked(browser, board):
    open_page(browser, board)
    badges = """return [...document.querySelectorAll('.board .badge')].map((each) =>
        each.closest('tr').cells[1].innerText.split('\\n')[0] + ': ' + each.textContent)"""
    assert sorted(browser.execute_script(badges)) == ["five: partial", "two: mostly unreadable"]


def test_intervals_are_drawn_where_they_are(browser, board):
    """Of A of "one": 0.45 to 1, with the mark at 0.9."""
    open_page(browser, board)
    line = """const row = [...document.querySelectorAll('.board tbody tr')].find((each) =>
        each.cells[1].innerText.startsWith('one')), cell = row.querySelector('[data-label=A] .range');
        const [all, band, mark] = [cell, cell.querySelector('i'), cell.querySelector('b')].map((each) =>
        each.getBoundingClientRect());"""
    said = browser.execute_script(
        f"{line} return [(band.left - all.left) / all.width, (band.right - all.left) / all.width,"
        "((mark.left + mark.right) / 2 - all.left) / all.width]"
    )
    assert said == pytest.approx([0.45, 1.0, 0.9], abs=0.02)


def test_a_phone_has_all_of_it_and_no_side_scroll(browser, board):
    open_page(browser, board, 390)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    wider = """return [...document.querySelectorAll('.board td, .filters *')].filter((each) => each.offsetParent &&
        each.getBoundingClientRect().right > 390).length"""
    assert browser.execute_script(wider) == 0
    chosen(browser, ".order", "Model")
    assert models(browser) == ["four", "five", "one", "six", "three", "two"]


@pytest.mark.parametrize("width", [1024, 1440])
def test_no_column_is_hidden(browser, board, width):
    open_page(browser, board, width)
    hidden = "return [...document.querySelectorAll('.scroll')].map((each) => each.scrollWidth - each.clientWidth)"
    assert set(browser.execute_script(hidden)) == {0}


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, board, scheme, width):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        open_page(browser, board, width)
        chosen(browser, ".order", "A")
        browser.execute_script((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
        assert browser.execute_async_script(AXE) == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_what_differs_can_be_filtered_by():
    rows = [a_row("a"), a_row("b", settings={"segmenter": "sam:two", "judge": None})]
    assert [(each.name, each.values) for each in find_filters(rows)] == [("segmenter", ("sam:one", "sam:two"))]
    assert find_filters([a_row()]) == []


def test_an_interval_without_ends_is_not_drawn():
    assert interval_style({"value": 0.5, "low": None, "high": None}) == ""
    assert interval_style({"value": 0.5, "low": 0.25, "high": 1.0}) == "left:25.00%;width:75.00%"


def test_a_site_of_a_folder_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "load", lambda benchmarks: {})
    rows, site = tmp_path / "rows", tmp_path / "site"
    rows.mkdir()
    run = write_run(tmp_path / "run")
    pixfound("report", run, "--out", rows / "model", "--leaderboard", rows / "model.json")
    write(rows / "other.json", [a_row("a", report="https://example.org/a/"), a_row("b", report="gone/index.html")])
    (rows / "model" / "secret").symlink_to(run)
    done = pixfound("leaderboard", rows, "--site", site)
    assert done.stdout.splitlines() == ["3 rows, 1 reports", str(site / "index.html")]
    found = {row["model"]: row["report"] for row in json.loads((site / "rows.json").read_text())}
    assert found == {"maker/model": "reports/1/index.html", "a": "https://example.org/a/", "b": None}
    assert (site / "reports/1/index.html").read_bytes() == (rows / "model/index.html").read_bytes()
    assert not (site / "reports/1/secret").exists()
    page = (site / "index.html").read_text()
    assert page.count('href="reports/1/index.html"') == 1 and 'href="rows.json"' in page
    assert pixfound("leaderboard", rows, "--site", site).exit_code == 0  # again, into the same folder
    assert len(read_rows(site / "rows.json")) == 3  # what it wrote can be read


def test_nothing_from_outside_the_folder_is_published(tmp_path):
    """A link of the file system leads out of the rows' folder, by the report's folder or by its file."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "index.html").write_text("secret")
    rows = tmp_path / "rows"
    (rows / "there").mkdir(parents=True)
    (rows / "here").symlink_to(tmp_path / "private")
    (rows / "there" / "index.html").symlink_to(tmp_path / "private" / "index.html")
    write(rows / "a.json", [a_row("a", report="here/index.html"), a_row("b", report="there/index.html")])
    pixfound("leaderboard", rows, "--site", tmp_path / "site")
    assert {row["report"] for row in read_rows(tmp_path / "site" / "rows.json")} == {None}
    assert not any("secret" in file.read_text() for file in (tmp_path / "site").rglob("*.html"))


def test_a_folder_without_rows_says_how_to_make_one(tmp_path):
    done = pixfound("leaderboard", tmp_path, status=1)
    assert "pixfound report RUN --leaderboard" in done.stderr
    write(tmp_path / "a.json", a_row())
    (tmp_path / "file").write_text("")
    assert "give another --site" in pixfound("leaderboard", tmp_path, "--site", tmp_path / "file", status=1).stderr
