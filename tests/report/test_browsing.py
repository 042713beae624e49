"""Explain's page is browsed without its model: tokens, reducers, layers and heads, several answers, and saved looks."""

from __future__ import annotations

import base64
import json
import re
import zlib
from importlib.resources import files

import numpy as np
import pytest
from browser import complaints, find, open_page, requests, wait
from test_accessibility import RUN
from typer.testing import CliRunner

from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.reducers import REDUCERS
from pixfound_tasks.attention.wide import look_widely
from pixfound_tasks.cli import app as command
from pixfound_tasks.explain import browsing, instruments, page
from pixfound_tasks.explain.explanation import explain_look
from pixfound_tasks.explain.subject import drawn_scene
from pixfound_tasks.grounding.phrases import rule_phrases

PROMPTS = ("Identify {expr} in the scene.", "Describe the scene.")


def invoke(*arguments):
    return CliRunner().invoke(command.app, ["explain", *map(str, arguments)])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    place = tmp_path_factory.mktemp("browsed")
    prompts = [part for prompt in PROMPTS for part in ("--prompt", prompt)]
    done = invoke("--html", place / "page.html", "--scene", "2", *prompts)
    assert done.exit_code == 0, done.output
    return place / "page.html"


@pytest.fixture(scope="module")
def looked(mini_lens):
    subject = drawn_scene(2)
    look = look_widely(mini_lens, subject.image, "Describe the scene.", max_new_tokens=20)
    return subject, look, explain_look(look, subject, rule_phrases)


@pytest.fixture
def opened(browser, written):
    open_page(browser, written)
    wait(browser, "return document.querySelectorAll('.browser:not([hidden]) .heads').length === 2")
    return browser


def said(driver):
    return find(driver, ".browser .said").text


def painted(driver):
    return driver.execute_script("return document.querySelector('.stage canvas').toDataURL()")


def press(driver, *keys):
    from selenium.webdriver.common.keys import Keys

    for key in keys:
        driver.switch_to.active_element.send_keys(getattr(Keys, key))


def test_two_answers_are_browsed_beside_each_other(opened):
    first, second = opened.find_elements("css selector", ".browser")
    assert first.get_attribute("aria-label") == "Browse the attention of answer 1"
    prompts = [each.text for each in opened.find_elements("css selector", ".asked q")]
    assert prompts[1] == "Describe the scene." and prompts[0].startswith("Identify the ")
    assert find(opened, "h1").text == "2 answers compared" and second.is_displayed()
    assert not complaints(opened) and len(requests(opened)) == 1


def test_tokens_are_scrubbed_with_the_keys(opened):
    before = painted(opened)
    assert said(opened).startswith("token 1 of ") and said(opened).endswith(", mean_centered")
    find(opened, ".browser input[type=range]").click()
    press(opened, "HOME", "ARROW_RIGHT", "ARROW_RIGHT")
    assert said(opened).startswith("token 3 of ") and painted(opened) != before
    assert find(opened, ".token.on").get_attribute("data-token") == "2"
    assert said(opened) in find(opened, ".stage").get_attribute("aria-label")


def test_reducers_are_switched_without_the_model(opened):
    from selenium.webdriver.support.select import Select

    select = Select(find(opened, ".controls select"))
    assert {option.text for option in select.options} == {*REDUCERS} - {"heads"}
    before = painted(opened)
    select.select_by_value("relative")
    assert said(opened).endswith(", relative") and painted(opened) != before
    # All answers are switched together.
    assert opened.find_elements("css selector", ".browser .said")[1].text.endswith(", relative")
    seconds = opened.find_elements("css selector", "select[data-of=reducer]")
    assert [Select(each).first_selected_option.text for each in seconds] == ["relative"] * 2


def test_a_phrase_is_the_mean_of_its_tokens(opened):
    opened.execute_script("document.querySelector('.tokens button').click()")
    assert said(opened).startswith("phrase 1, ")
    script = """
        const [answer] = page.answers, maps = answer.reducers.mean_centered;
        const { chars } = answer.phrases[0];
        const isInside = ([from, to]) => from < chars[1] && chars[0] < to;
        const inside = answer.tokens.map((_, i) => i).filter((i) => isInside(answer.tokens[i]));
        const mean = meanOf(inside.map((i) => valuesOf(maps, answer.size, i)));
        return [Math.max(...mean), Math.max(...mean.map((value, at) => Math.abs(value - inside.reduce((sum, i) =>
            sum + valuesOf(maps, answer.size, i)[at], 0) / inside.length)))]"""  # fmt: skip
    highest, error = opened.execute_script(script)
    assert highest > 0 and error < 1e-6


def test_heads_are_a_grid_for_mouse_and_keys(opened):
    find(opened, ".heads summary").click()
    cells = opened.find_elements("css selector", ".heads")[0].find_elements("css selector", ".layer button")
    assert cells[0].get_attribute("aria-label") == "Layer 0, head 0"
    layers, heads = opened.execute_script(
        "const { heads } = page.answers[0]; return [heads.layers.length, heads.count]"
    )
    assert len(cells) == layers * heads
    cells[1].click()
    assert ", layer 0, head 1, attention as recorded" in said(opened)
    assert cells[1].get_attribute("aria-pressed") == "true"
    cells[1].send_keys("")
    press(opened, "ARROW_DOWN")
    assert ", layer 1, head 1, " in said(opened)
    press(opened, "ESCAPE")
    assert "layer" not in said(opened)
    assert not complaints(opened)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing_with_everything_open(browser, written, scheme, width):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        open_page(browser, written, width)
        wait(browser, "return document.querySelectorAll('.heads').length === 2")
        browser.execute_script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        browser.execute_script("document.querySelector('.layer button').click()")
        browser.execute_script((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
        assert browser.execute_async_script(RUN) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def levels(packed, shape):
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8).reshape(shape)


def test_the_pages_maps_are_the_looks_own(looked):
    """Each level is within half a step of what the look's geometry paints, in every reducer."""
    _, look, explanation = looked
    found = browsing.browsing(explanation)
    grid = look.geometry.shrunk(browsing.CELLS)
    for name, maps in found["reducers"].items():
        kept = levels(maps["levels"], (len(look.tokens), *grid.size)) / 254 * (maps["max"] - maps["min"]) + maps["min"]
        painted = np.stack([grid.paint(values) for values in look.by(name).values])
        assert np.abs(kept - painted).max() <= 0.51 * (maps["max"] - maps["min"]) / 254


def test_maps_of_heads_are_those_of_their_layer_and_head(looked):
    _, look, explanation = looked
    heads = browsing.browsing(explanation)["heads"]
    assert heads["steps"] == "tokens" and heads["layers"] == list(look.heads.layers)
    grid = look.geometry.shrunk(24)
    count = heads["count"]
    shape = (len(look.tokens) + 1, len(heads["layers"]), count, *grid.size)
    kept = levels(heads["kinds"]["attention"]["levels"], shape)
    low, high = (np.array(heads["kinds"]["attention"][name]) for name in ("low", "high"))
    rows = look.heads.values()
    shown = kept[4, 1, 2] / 254 * (high[1, 2] - low[1, 2]) + low[1, 2]
    assert np.abs(shown - grid.paint(rows[4, 1, 2])).max() <= 0.01 * (high[1, 2] - low[1, 2])
    mean = kept[-1, 0, 0] / 254 * (high[0, 0] - low[0, 0]) + low[0, 0]  # of the whole answer
    assert np.abs(mean - grid.paint(rows[:, 0, 0].mean(axis=0))).max() <= 0.01 * (high[0, 0] - low[0, 0])


def test_painting_many_maps_at_once_is_painting_each():
    """Also with a token that lies nowhere and a pixel that no token covers."""
    boxes = np.array([[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [np.nan] * 4])
    grid = TokenGeometry(boxes, (8, 8))
    values = np.random.RandomState(0).rand(9, 4).astype(np.float32)
    together = browsing._painted(grid, values)
    np.testing.assert_allclose(together, np.stack([grid.paint(each) for each in values]), atol=1e-5)
    assert np.isnan(together[:, 6, 6]).all()


def test_many_heads_become_coarser(looked, monkeypatch):
    _, look, explanation = looked
    layers, heads = look.heads.levels.shape[1:3]
    of_tokens = 2 * (len(look.tokens) + 1) * layers * heads * 12 * 9  # the cells of a picture of 160 x 120 pixels
    for most, steps, cells in ((of_tokens, "tokens", 12), (of_tokens - 1, "phrases", None), (1, "phrases", 8)):
        monkeypatch.setattr(browsing, "MOST_HEAD_BYTES", most)
        found = browsing.browsing(explanation)["heads"]
        assert found["steps"] == steps and cells in (None, max(found["size"]))
    assert len(zlib.decompress(base64.b64decode(found["kinds"]["attention"]["levels"]))) == layers * heads * 8 * 6


def test_a_saved_look_is_explained_without_its_model(tmp_path, monkeypatch):
    done = invoke("--scene", "2", "--save", tmp_path / "look", "--html", tmp_path / "first.html")
    assert done.exit_code == 0 and done.stdout.splitlines()[-1] == str(tmp_path / "look")
    monkeypatch.setattr(instruments, "open_instruments", None)
    again = invoke("--scene", "2", "--saved", tmp_path / "look", "--html", tmp_path / "again.html")
    assert again.exit_code == 0, again.output
    assert "A saved look: attention only, no masks." in again.stdout
    first, second = (json_of(tmp_path / f"{name}.html") for name in ("first", "again"))
    assert second["answers"][0]["reducers"] == first["answers"][0]["reducers"]
    assert second["answers"][0]["heads"] == first["answers"][0]["heads"]
    both = invoke("--scene", "2", *["--saved", tmp_path / "look"] * 2, "--html", tmp_path / "both.html")
    assert both.exit_code == 0 and len(json_of(tmp_path / "both.html")["answers"]) == 2


def json_of(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"))[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["PICTURE", "--expr", "it", "--saved", "LOOK"], "expected the image that was looked at, 120 x 160 pixels"),
        (["--saved", "PICTURE"], "to be written by Look.save"),
        (["--prompt", "a", "--prompt", "b", "--png", "out.png"], "expected one answer with --png, but got 2"),
        (["--prompt", "a", "--prompt", "b", "--save", "out"], "expected one answer with --save, but got 2"),
    ],
)
def test_errors_say_what_to_do(looked, tmp_path, arguments, message):
    from PIL import Image

    Image.new("RGB", (60, 40)).save(tmp_path / "picture.png")
    looked[1].save(tmp_path / "look")
    places = {"PICTURE": str(tmp_path / "picture.png"), "LOOK": str(tmp_path / "look")}
    done = invoke(*(places.get(each, each) for each in arguments))
    assert done.exit_code == 1 and message in done.stderr, done.output


def test_an_empty_answer_is_a_page(looked):
    subject, look, _ = looked
    empty = explain_look(look.part((0, 0)), subject, rule_phrases)
    assert "(an empty answer)" in page.render(empty) and browsing.browsing(empty)["heads"] is None
