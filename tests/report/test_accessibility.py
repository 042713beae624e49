"""Axe finds no violation of WCAG on the report, explain's page and the leaderboard, light and dark, wide and narrow."""

from __future__ import annotations

from importlib.resources import files

import pytest
from browser import open_page, scroll_to_gallery, wait
from typer.testing import CliRunner
from written_run import write_run

from pixfound_tasks.cli import app as command

RUN = """
    const done = arguments[arguments.length - 1];
    const told = ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`;
    axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => done(violations.map(told)), done)"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    place = tmp_path_factory.mktemp("pages")
    run, other, row = write_run(place / "run"), write_run(place / "other"), place / "row.json"
    for arguments in (
        ["report", run, other, "--leaderboard", row],
        ["leaderboard", row, "--html", place / "leaderboard.html"],
        ["explain", "--html", place / "explain.html"],
    ):
        done = CliRunner().invoke(command.app, list(map(str, arguments)))
        assert done.exit_code == 0, done.output
    return {
        "report": run / "report" / "index.html",
        "leaderboard": place / "leaderboard.html",
        "explain": place / "explain.html",
    }


def violations(driver):
    driver.execute_script((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    return driver.execute_async_script(RUN)


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["report", "leaderboard", "explain"])
def test_axe_finds_nothing(browser, pages, page, scheme, width):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        open_page(browser, pages[page], width)
        if page == "report":  # with a card whose phrase is open
            scroll_to_gallery(browser)
            browser.execute_script("document.querySelector('.phrase').click()")
            wait(browser, "return document.querySelector('.inspector .picture')")
        assert violations(browser) == []
        if page == "report":
            browser.execute_script("document.querySelector('.layers').open = true")
            browser.execute_script("set({ mode: 'compare', sort: 'disagreement' })")
            wait(browser, "return document.querySelector('.row .side canvas')")
            assert violations(browser) == []
            browser.execute_script("document.querySelector('.enlarge').click()")
            assert violations(browser) == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
