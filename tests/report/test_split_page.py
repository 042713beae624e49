"""A report that is split into files: what it asks a server for, and what it says without one."""

from __future__ import annotations

import functools
import http.server
import json
import threading

import pytest
from browser import complaints, find, open_page, requests, scroll_to_gallery, wait
from PIL import Image
from typer.testing import CliRunner
from written_run import write_run

from pixfound_tasks.cli import app as command
from pixfound_tasks.report.html import pictures

LARGE = (1000, 500)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("split") / "run")
    photos = {"pixmini": {id: Image.new("RGB", LARGE, "white") for id in ("1", "2")}}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pictures, "load", lambda benchmarks: photos)
        done = CliRunner().invoke(command.app, ["report", str(run), "--folder"])
    assert done.exit_code == 0, done.output
    return run / "report"


@pytest.fixture(scope="module")
def address(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_page_is_small_and_its_files_are_beside_it(folder):
    assert 'id="block-0"' not in (folder / "index.html").read_text()
    assert sorted(path.name for path in (folder / "details" / "pixmini").iterdir()) == [f"{n}.json" for n in range(5)]
    assert Image.open(folder / "originals" / "pixmini" / "0.jpeg").size == LARGE
    assert Image.open(folder / "images" / "pixmini" / "0.jpeg").size == (512, 256)
    assert set(json.loads((folder / "details" / "pixmini" / "0.json").read_text())) == {"0"}


def test_a_server_gives_what_cards_need_and_nobody_else_is_asked(browser, address):
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(f"{address}/index.html")
    scroll_to_gallery(browser)
    find(browser, '.card[data-id="1"] .phrase').click()
    wait(browser, "return document.querySelector('.inspector button.candidate')")
    asked = requests(browser)
    assert f"{address}/details/pixmini/0.json" in asked and f"{address}/images/pixmini/0.jpeg" in asked
    assert all(url.startswith(f"{address}/") for url in asked)
    find(browser, '.card[data-id="1"] .enlarge').click()
    wait(browser, "return document.querySelector('dialog img').naturalWidth")
    assert browser.execute_script("return document.querySelector('dialog img').naturalWidth") == LARGE[0]
    assert not [each for each in complaints(browser) if "favicon" not in each]


def test_without_a_server_the_page_says_what_to_do(browser, folder):
    open_page(browser, folder / "index.html")
    browser.execute_script("document.getElementById('gallery').scrollIntoView()")
    wait(browser, "return document.querySelector('.card .question')")
    assert "python -m http.server" in find(browser, ".no-files").text
    assert "IoU" in find(browser, '.card[data-id="1"] .meter').text  # the listing is in the page
