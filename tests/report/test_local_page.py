"""`pixfound look`: a page for this machine alone, which treats what it gets as data."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
import uvicorn
from browser import complaints, find, wait
from PIL import Image
from typer.testing import CliRunner
from written_run import HOSTILE

from pixfound_tasks.cli import app as command
from pixfound_tasks.explain import local_page

TOKEN = "a-secret"


class Echo:
    """Answers with a page that names what was asked; of the expression "fail", with an error."""

    def __init__(self):
        self.asked = []

    def __call__(self, asked):
        self.asked.append(asked)
        if asked.expression == "fail":
            raise RuntimeError("no memory at /secret/place")
        if asked.expression == "wrong":
            raise ValueError("expected another thing")
        return f"<!doctype html><title>{len(self.asked)}</title><p>{asked.prompts[0]}</p>"


@contextmanager
def running(answer):
    """The address of a page that is served while the block runs."""
    config = uvicorn.Config(local_page.make_app(answer, TOKEN, f"a/model {HOSTILE}"), port=0, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        (listening,) = server.servers[0].sockets
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{TOKEN}/"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def served():
    answer = Echo()
    with running(answer) as address:
        yield address, answer


def fetch(address, body=None, **headers):
    """Status, headers and text of a reply."""
    content = None if body is None else json.dumps(body).encode() if not isinstance(body, bytes) else body
    request = urllib.request.Request(address, content, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.headers, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def in_base64(size=(4, 3)):
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_the_form_is_sent_with_its_policies(served):
    status, headers, text = fetch(served[0])
    assert status == 200 and headers["X-Frame-Options"] == "SAMEORIGIN" and headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in text and HOSTILE not in text and "onerror=alert(1)&gt;" in text
    assert text.count("<script>") == 1


@pytest.mark.parametrize("place", ["", "answers/1", "explain"])
def test_without_the_token_there_is_nothing(served, place):
    address, answer = served
    for token in ("another", "a-secre", "a-secret-", ""):
        other = address.replace(f"/{TOKEN}/", f"/{token}/" if token else "/")
        assert fetch(other + place, {} if place == "explain" else None)[0] == 404
    assert not answer.asked


def test_an_image_and_prompts_are_answered(served):
    address, answer = served
    body = {"image": in_base64(), "name": "x.png", "expression": " the dog ", "prompts": ["One?", "Two?"]}
    status, _, text = fetch(f"{address}explain", body)
    assert (status, json.loads(text)) == (200, {"number": 1})
    (asked,) = answer.asked
    assert asked.image.size == (4, 3) and asked.image.mode == "RGB"
    assert (asked.name, asked.expression, asked.prompts) == ("x.png", "the dog", ("One?", "Two?"))
    status, headers, text = fetch(f"{address}answers/1")
    assert status == 200 and "<p>One?</p>" in text and headers["Cache-Control"] == "no-store"
    assert fetch(f"{address}answers/2")[0] == 404
    assert json.loads(fetch(f"{address}explain", {"scene": 3, "prompts": ["?"]})[2]) == {"number": 2}
    assert answer.asked[1].image is None and answer.asked[1].scene == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "expected JSON"),
        ([], "expected a JSON object"),
        ({"prompts": []}, "expected 1 to 4 prompts"),
        ({"prompts": ["a"] * 5}, "expected 1 to 4 prompts"),
        ({"prompts": [1]}, "expected texts of at most"),
        ({"prompts": ["a" * 5000]}, "expected texts of at most 4000 characters"),
        ({"prompts": ["a"], "scene": "1"}, "the number of a drawn scene"),
        ({"prompts": ["a"], "image": "bm9uZQ==", "expression": "it"}, "expected an image that Pillow reads"),
        ({"prompts": ["a"], "image": "?", "expression": "it"}, "expected an image that Pillow reads"),
        ({"prompts": ["a"], "image": in_base64()}, "expected what to look for"),
        ({"prompts": ["a"], "expression": "wrong"}, "expected another thing"),
    ],
)
def test_wrong_requests_are_told(served, body, said):
    status, _, text = fetch(f"{served[0]}explain", body)
    assert status == 400 and said in json.loads(text)["error"]


def test_errors_of_the_model_do_not_leak(served):
    status, _, text = fetch(f"{served[0]}explain", {"prompts": ["a"], "expression": "fail"})
    assert status == 500 and "RuntimeError" in text and "secret" not in text


def test_other_pages_and_names_cannot_ask(served):
    address, answer = served
    body = {"prompts": ["a"]}
    assert fetch(f"{address}explain", body, Origin="http://evil.example")[0] == 403
    assert fetch(address, None, Host="evil.example")[0] == 400
    assert not answer.asked
    own = address.removesuffix(f"/{TOKEN}/")
    assert fetch(f"{address}explain", body, Origin=own)[0] == 200


def test_too_large_a_request_is_refused(served, monkeypatch):
    monkeypatch.setattr(local_page, "MOST_BYTES", 1000)
    status, _, text = fetch(f"{served[0]}explain", {"prompts": ["a"], "image": "A" * 2000})
    assert status == 400 and "at most" in text


def test_the_form_in_a_browser(browser, served, tmp_path):
    address, answer = served
    Image.new("RGB", (8, 6), "blue").save(tmp_path / "photo.png")
    browser.get(address)
    find(browser, "input[name=image]").send_keys(str(tmp_path / "photo.png"))
    find(browser, "input[name=expression]").send_keys("the dog")
    find(browser, "button[type=submit]").click()
    wait(browser, "return document.querySelector('#frame').contentDocument?.title === '1'")
    assert answer.asked[0].image.size == (8, 6) and answer.asked[0].name == "photo.png"
    assert find(browser, "#answers button").text == "1: the dog"
    find(browser, "input[name=expression]").clear()
    find(browser, "button[type=submit]").click()
    wait(browser, "return document.querySelector('#status').textContent.startsWith('expected what to look for')")
    assert len(answer.asked) == 1
    assert not [line for line in complaints(browser) if "400" not in line and "favicon" not in line]


def test_the_command_serves_the_embedded_model():
    arguments = [sys.executable, "-c", "from pixfound_tasks.cli.app import app; app()", "look", "--no-browser"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address)
            body = {"scene": 2, "expression": "", "prompts": ["Identify {expr} in the scene.", "Describe the scene."]}
            for _ in range(100):
                try:
                    status, _, text = fetch(f"{address}explain", body)
                    break
                except urllib.error.URLError:
                    time.sleep(0.05)
            assert (status, json.loads(text)) == (200, {"number": 1})
            page = fetch(f"{address}answers/1")[2]
            assert "2 answers compared" in page and "Describe the scene." in page
        finally:
            process.terminate()


def test_a_missing_extra_is_one_line(monkeypatch):
    monkeypatch.delattr("pixfound_tasks.explain.local_page")
    monkeypatch.delitem(sys.modules, "pixfound_tasks.explain.local_page")
    for name in ("starlette", "starlette.applications"):
        monkeypatch.setitem(sys.modules, name, None)
    done = CliRunner().invoke(command.app, ["look", "--no-browser"])
    assert done.exit_code == 1 and "pip install 'pixfound-tasks[look]'" in done.stderr


def test_a_taken_port_is_told(served):
    port = served[0].split(":")[2].split("/")[0]
    with pytest.raises(ValueError, match=f"expected a free --port, but {port} cannot be used"):
        local_page.serve(Echo(), "a/model", int(port), print)
