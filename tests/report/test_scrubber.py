"""The answer token by token, the thinking before it, and candidate masks that are nearly the same."""

from __future__ import annotations

import pytest
from browser import complaints, find, open_page, scroll_to_gallery, wait
from PIL import Image
from written_run import IMAGES, SIZE, box, ground_sample, write_run, write_samples

from pixfound_tasks.report.html import page as page
from pixfound_tasks.response import Candidate, CoarseMap, Draft, Phrase, Response, Selection, TokenMap, to_text
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize

ANSWER = "A red \N{GRINNING FACE} by it"
TOKENS = ((0, 1), (1, 5), (5, 7), (7, 10), (10, 13))  # in code points; the third has no map


def cell(column):
    """A map of 5 x 10 cells with one cell that is looked at, in its middle row."""
    return CoarseMap((5, 10), bytes(15 if place == 20 + column else 0 for place in range(50)))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Image 1 has maps of its tokens, each looking at one column to the right, and a draft; image 3 only of phrases."""
    place = tmp_path_factory.mktemp("tokens")
    alike = tuple(Candidate(box(columns), score) for columns, score in ((10, 0.1), (10, 0.9), (9, 0.5), (2, 0.3)))
    phrases = (Phrase((0.5, 0.5), alike, "red", "red", (2, 5), map=cell(9)),)
    draft = Draft("Is it <b>red</b>? A wall.", 9, (Phrase((0.1, 0.1), text="A wall", chars=(18, 24), map=cell(0)),))
    maps = tuple(TokenMap(chars, None if index == 2 else cell(index)) for index, chars in enumerate(TOKENS))
    first = Response(
        ANSWER, (box(8),), phrases=phrases, selected=Selection("first", 0, 1), draft=draft, token_maps=maps
    )
    two = tuple(
        Phrase((0.5, 0.5), text=text, chars=chars, map=cell(chars[0]))
        for text, chars in (("it", (3, 5)), ("A", (0, 1)))
    )
    samples = [ground_sample(id) for id in IMAGES]
    samples[0]["filtered_resps"] = [to_text(first)]
    samples[2]["filtered_resps"] = [to_text(Response("A: it", (box(4),), phrases=two))]
    run = write_run(place / "run")
    write_samples(run / "maker__model", "pixmini_ground", samples)
    runs = read_runs(run)
    photo = Image.new("RGB", SIZE[::-1], "white")
    return page.write_page(runs, [summarize(run) for run in runs], place, {"pixmini": {"1": photo}})


@pytest.fixture
def opened(browser, written):
    open_page(browser, written)
    scroll_to_gallery(browser)
    return browser


def scrub(driver, id="1"):
    """Opens an image's scrubber, and returns its slider."""
    card = f'.card[data-id="{id}"]'
    wait(driver, f"return document.querySelector('{card} .open-scrubber')")
    find(driver, f"{card} .open-scrubber").click()
    return find(driver, f"{card} .scrub")


def hottest(driver, id="1"):
    """The column of ten at which the map over an image is brightest; None without a map."""
    script = """
        const canvas = document.querySelector(`.card[data-id="${arguments[0]}"] > .frame canvas.map`);
        if (!canvas) return null;
        const row = canvas.getContext("2d").getImageData(0, canvas.height / 2, canvas.width, 1).data;
        const values = Array.from({ length: 10 }, (_, i) => row[4 * Math.floor((i + 0.5) * canvas.width / 10)]);
        return values.indexOf(Math.max(...values))"""
    return driver.execute_script(script, id)


def test_each_token_has_its_map(opened):
    from selenium.webdriver.common.keys import Keys

    slider = scrub(opened)
    assert (hottest(opened), slider.get_attribute("aria-valuetext")) == (0, "1 of 5: A")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert (hottest(opened), slider.get_attribute("aria-valuetext")) == (1, "2 of 5: red")
    assert find(opened, ".token.current").text == "red"
    assert [each.text for each in opened.find_elements("css selector", ".token.marked")] == ["red"]
    slider.send_keys(Keys.ARROW_RIGHT)
    assert hottest(opened) is None and "without a map" in find(opened, ".told").text
    slider.send_keys(Keys.END)
    assert (hottest(opened), slider.get_attribute("aria-valuetext")) == (4, "5 of 5: it")
    assert "token=4" in opened.current_url
    opened.find_elements("css selector", ".token")[0].click()
    assert hottest(opened) == 0 and slider.get_attribute("value") == "0"
    assert complaints(opened) == []


def test_the_address_holds_the_token(opened):
    from selenium.webdriver.common.keys import Keys

    scrub(opened).send_keys(Keys.END)
    opened.refresh()
    wait(opened, "return document.querySelector('.card .scrub')")
    assert find(opened, ".scrub").get_attribute("value") == "4" and hottest(opened) == 4


def test_play_goes_to_the_end_and_stops(opened):
    slider = scrub(opened)
    play = find(opened, ".play")
    play.click()
    assert play.get_attribute("aria-pressed") == "true"
    wait(opened, "return document.querySelector('.play').getAttribute('aria-pressed') === 'false'")
    assert slider.get_attribute("value") == "4"
    assert complaints(opened) == []


def test_without_maps_of_tokens_phrases_are_gone_through(opened):
    from selenium.webdriver.common.keys import Keys

    slider = scrub(opened, "3")
    assert slider.get_attribute("aria-valuetext") == "1 of 2: A" and hottest(opened, "3") == 0
    slider.send_keys(Keys.ARROW_RIGHT)
    assert slider.get_attribute("aria-valuetext") == "2 of 2: it" and hottest(opened, "3") == 3


def test_thinking_is_apart_and_its_phrases_have_maps(opened):
    draft = find(opened, '.card[data-id="1"] .draft')
    assert draft.find_element("css selector", "summary").text == "Thinking, 9 tokens"
    draft.find_element("css selector", "summary").click()
    assert "Is it <b>red</b>? A wall." in draft.text
    draft.find_element("css selector", ".phrase").click()
    wait(opened, "return document.querySelector('.card.open')")
    assert hottest(opened) == 0 and "No candidate masks." in find(opened, ".inspector").text
    assert find(opened, '.card[data-id="1"] .draft').get_attribute("open")
    assert "phrase=1" in opened.current_url


def test_masks_that_are_nearly_the_same_are_one_tile(opened):
    """Of ten true columns: ten twice, nine (an IoU of 0.9 with ten), and two."""
    find(opened, '.card[data-id="1"] .answer:not(.draft *) .phrase').click()
    tiles = [tile.text.split("\n") for tile in opened.find_elements("css selector", "button.candidate")]
    assert tiles == [
        ["score 0.90", "IoU 1.00", "3 nearly the same", "selected", "best IoU"], ["score 0.30", "IoU 0.20"],
    ]  # fmt: skip
    find(opened, ".more").click()
    assert len(opened.find_elements("css selector", "button.candidate")) == 4
    assert find(opened, ".more").text == "One of each kind"
    assert complaints(opened) == []


def test_an_open_card_leaves_no_hole(opened):
    """It takes a whole row, and the card after it moves up beside the one before."""
    find(opened, '.card[data-id="2"] .phrase').click()
    places = [find(opened, f'.card[data-id="{id}"]').rect for id in ("1", "2", "3")]
    assert places[1]["width"] > 1.5 * places[0]["width"]
    assert places[0]["y"] == places[2]["y"] and places[2]["x"] > places[0]["x"]


def test_opacity(opened):
    opened.execute_script("document.querySelector('.layers').open = true")
    script = """
        const range = document.querySelector("[aria-label='Opacity of masks']");
        range.value = 40;
        range.dispatchEvent(new Event('input'));
        return getComputedStyle(document.querySelector('.card canvas')).getPropertyValue('--own')"""
    assert float(opened.execute_script(script)) == 0.4
    assert "masks-opacity=40" in opened.current_url
