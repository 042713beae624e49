"""The page as people use it, in headless Chromium: filters, phrases and their maps, keys, and what it does not do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from browser import complaints, find, open_page, requests, scroll_to_gallery, wait
from PIL import Image
from written_run import IMAGES, SIZE, box, ground_sample, vqa_sample, write_run, write_samples

from pixfound_tasks.report.html import page as page
from pixfound_tasks.response import Candidate, CoarseMap, Phrase, Response, Selection, to_text
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize

# One cell of 5 x 10 is looked at: row 1, column 8. The answer's phrases are told in another order than they are read.
LOOKED_AT = CoarseMap((5, 10), bytes(15 if cell == 18 else 0 for cell in range(50)))
ANSWER = "A \N{GRINNING FACE} red square, by a wall"
SQUARE, WALL = (4, 14), (19, 25)  # counted in code points


def write_page(folder, images, *run_folders):
    runs = read_runs(*run_folders)
    return page.write_page(runs, [summarize(run) for run in runs], folder, {"pixmini": images})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run whose image 1 has a map, and one of another model that was not asked to find anything."""
    place = tmp_path_factory.mktemp("written")
    run = write_run(place / "run")
    phrases = (
        Phrase((0.3, 0.3), (Candidate(box(2), 0.5),), "a wall", "wall", WALL, similarity=0.1),
        Phrase(
            (0.85, 0.3), (Candidate(box(8), 0.9), Candidate(box(1), 0.2)), "red square", "square", SQUARE,
            similarity=0.9, map=LOOKED_AT,
        ),
    )  # fmt: skip
    response = Response(ANSWER, (box(8),), phrases=phrases, selected=Selection("similarity", 1, 0))
    samples = [ground_sample(id) for id in IMAGES]
    samples[0]["filtered_resps"] = [to_text(response)]
    write_samples(run / "maker__model", "pixmini_ground", samples)
    write_samples(place / "other" / "other__model", "pixmini_vqa", map(vqa_sample, ("1", "4")))
    photo = Image.new("RGB", SIZE[::-1], "white")
    return write_page(place / "page", {"1": photo}, run, place / "other")


@pytest.fixture
def opened(browser, written):
    open_page(browser, written)
    scroll_to_gallery(browser)
    return browser


def press(driver, *keys):
    from selenium.webdriver.common.keys import Keys

    for key in keys:
        driver.switch_to.active_element.send_keys(getattr(Keys, key, key))


def choose(driver, label, value):
    from selenium.webdriver.support.select import Select

    Select(find(driver, f"select[aria-label='{label}']")).select_by_value(value)


def shown(driver):
    """The ids of the cards, in order."""
    return driver.execute_script("return [...document.querySelectorAll('.card')].map((card) => card.dataset.id)")


def pixel(driver, x, y):
    """Red, green, blue and alpha over image 1, at a place in fractions of its width and height."""
    script = """
        const canvas = document.querySelector('.card[data-id="1"] > .frame > .picture canvas');
        const [x, y] = [arguments[0] * canvas.width, arguments[1] * canvas.height];
        const copy = new OffscreenCanvas(1, 1).getContext('2d');
        copy.drawImage(canvas, -x, -y);
        return [...copy.getImageData(0, 0, 1, 1).data]"""
    return driver.execute_script(script, x, y)


def layers(driver, *names):
    """Show only these."""
    driver.execute_script("document.querySelector('.layers').open = true")
    for label in driver.find_elements("css selector", ".layers label:has([type=checkbox])"):
        check = label.find_element("css selector", "input")
        if check.is_selected() != (label.text.lower() in names):
            check.click()


def looked_at(driver):
    """The phrase that is looked at in image 1; None for none."""
    pressed = driver.find_elements("css selector", '.card[data-id="1"] .phrase[aria-pressed="true"] bdi')
    return pressed[0].text if pressed else None


def test_filters_and_order(opened):
    assert shown(opened) == ["1", "2", "3", "4", "5"]
    assert find(opened, ".count").text == "5 of 5 images"
    find(opened, ".toolbar button:has(.both_right)").click()
    assert shown(opened) == ["1", "2"]
    choose(opened, "Rule for empty masks", "strict")
    assert shown(opened) == [] and find(opened, ".empty").text
    find(opened, ".clear").click()
    choose(opened, "Answer", "false")
    assert shown(opened) == ["4"]
    find(opened, ".clear").click()
    choose(opened, "visual pattern", "Text")
    assert shown(opened) == ["1", "2"]
    find(opened, "input[type=search]").send_keys("By A WALL")
    assert shown(opened) == ["1"]
    find(opened, ".clear").click()
    assert not find(opened, ".clear").is_displayed()
    choose(opened, "Order", "lowest")  # IoUs 0.8, 0, 0.4, 1, 1
    assert shown(opened) == ["2", "3", "1", "4", "5"]
    choose(opened, "Run", "1")
    assert shown(opened) == ["1", "4"] and not opened.find_elements("css selector", ".toolbar button i")
    assert complaints(opened) == []


def test_what_names_filters_sets_them(opened):
    """The bars above the gallery do; so would any element."""
    parts = "section:not(#gallery) [data-filter]"
    filters = [json.loads(part.get_attribute("data-filter")) for part in opened.find_elements("css selector", parts)]
    wrong = filters.index(next(each for each in filters if each["outcome"] == "both_wrong"))
    find(opened, "input[type=search]").send_keys("nothing has this")
    assert shown(opened) == []
    opened.find_elements("css selector", parts)[wrong].click()
    assert shown(opened) == ["3", "4"]
    opened.execute_script("""
        const node = document.createElement('i');
        node.dataset.filter = '{"run": 1, "answer": "true", "sort": "x", "constructor": 1}';
        node.tabIndex = 0;
        document.querySelector('h1').append(node);
        node.focus()""")
    press(opened, "ENTER")
    assert shown(opened) == ["1"]
    assert find(opened, "select[aria-label=Order]").get_attribute("value") == "id"
    wait(opened, "return document.getElementById('gallery').getBoundingClientRect().top < innerHeight / 2")
    assert complaints(opened) == []


def test_a_phrase_shows_its_map_its_point_and_its_candidates(opened):
    """The middle of the one cell has the highest color, #fcffa4 at 82 % over the half black that dims the image."""
    layers(opened, "map", "point")
    find(opened, '.card[data-id="1"] .phrase').click()
    assert looked_at(opened) == "red square"  # the first that is read, with its own characters
    assert pixel(opened, 8.5 / 10, 1.5 / 5) == pytest.approx([227, 230, 148, 232], abs=3)
    assert pixel(opened, 2.5 / 10, 3.5 / 5) == pytest.approx([0, 0, 0, 128], abs=1)
    style = find(opened, '.card[data-id="1"] > .frame > .picture .point').get_attribute("style")
    assert "left: 85%" in style and "top: 30%" in style
    tiles = [tile.text.split("\n") for tile in opened.find_elements("css selector", "button.candidate")]
    assert tiles == [["score 0.90", "IoU 0.80", "selected", "best IoU"], ["score 0.20", "IoU 0.10"]]
    layers(opened, "candidate")
    assert pixel(opened, 8.5 / 10, 1.5 / 5)[3] == 0
    assert not opened.find_elements("css selector", '.card[data-id="1"] > .frame > .picture .point')
    # Columns 0 to 8 of 20 lightly in the candidate's ink; of its second candidate only the first column.
    assert pixel(opened, 0.2, 0.5) == pytest.approx([17, 119, 51, 56], abs=3)
    assert pixel(opened, 0.5, 0.5)[3] == 0
    opened.find_elements("css selector", "button.candidate")[1].click()
    assert pixel(opened, 0.2, 0.5)[3] == 0
    assert complaints(opened) == []


def test_without_a_phrase_the_prediction_is_shown(opened):
    layers(opened, "prediction")
    assert pixel(opened, 0.2, 0.5) == pytest.approx([213, 94, 0, 56], abs=3)
    assert pixel(opened, 0.45, 0.5)[3] == 0
    layers(opened, "ground truth")
    assert pixel(opened, 0.45, 0.5) == pytest.approx([0, 114, 178, 56], abs=3)
    assert find(opened, '.card[data-id="1"] img').get_property("naturalWidth") == SIZE[1]


def test_keys(opened):
    press(opened, "j")
    focused = "return document.activeElement.dataset.id"
    assert opened.execute_script(focused) == "1"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert opened.execute_script(outline) == "solid"
    press(opened, "ARROW_DOWN", "j", "k")
    assert opened.execute_script(focused) == "2"
    press(opened, "ARROW_UP", "ARROW_RIGHT")
    assert looked_at(opened) == "red square"
    assert "phrase=1" in opened.current_url
    press(opened, "ARROW_RIGHT", "ARROW_RIGHT")
    assert looked_at(opened) == "a wall"  # the last one
    press(opened, "ARROW_LEFT")
    assert looked_at(opened) == "red square"
    press(opened, "ESCAPE")
    assert looked_at(opened) is None
    find(opened, '.card[data-id="1"] .phrase').click()
    press(opened, "ARROW_RIGHT")
    assert opened.execute_script("return document.activeElement.textContent") == "a wall0.10"
    find(opened, "input[type=search]").send_keys("j")  # a letter like any other there
    assert find(opened, "input[type=search]").get_attribute("value") == "j"
    assert complaints(opened) == []


def test_an_address_opens_an_image_and_a_phrase(browser, written):
    open_page(browser, written)
    browser.get(f"{written.as_uri()}#run=0&image=1&phrase=1")
    browser.refresh()
    wait(browser, "return document.querySelector('.card .inspector')")
    assert looked_at(browser) == "red square"
    assert find(browser, ".card.target").get_attribute("data-id") == "1"


def test_the_address_holds_all_that_the_reader_chose(opened):
    """A reload shows the same: filters, order, hidden layers, the run, the image and its phrase."""
    find(opened, ".toolbar button:has(.both_right)").click()  # images 1 and 2
    choose(opened, "Order", "lowest")
    layers(opened, "map", "point")
    find(opened, '.card[data-id="1"] .phrase').click()
    opened.refresh()
    wait(opened, "return document.querySelector('.card .inspector')")
    assert shown(opened) == ["2", "1"] and looked_at(opened) == "red square"
    checked = opened.find_elements("css selector", ".toolbar label input:checked")
    assert [each.find_element("xpath", "..").get_attribute("textContent") for each in checked] == ["Map", "Point"]
    choose(opened, "Run", "1")  # it has no outcomes, and image 1 has no phrase there
    opened.refresh()
    scroll_to_gallery(opened)
    assert find(opened, "select[aria-label=Run]").get_attribute("value") == "1"
    assert shown(opened) == ["1", "4"]
    assert complaints(opened) == []


def test_an_address_with_unknown_values_shows_all(browser, written):
    open_page(browser, written)
    browser.get(f"{written.as_uri()}#run=9&outcome=none&sort=x&image=77&hide=x&constructor=1")
    browser.refresh()
    scroll_to_gallery(browser)
    assert shown(browser) == ["1", "2", "3", "4", "5"]
    assert complaints(browser) == []


def test_a_card_says_that_the_outcome_is_its_pairs(opened):
    assert find(opened, '.card[data-id="1"] .outcome').text == "Pair: Both right"


def test_the_first_tab_skips_to_the_images(browser, written):
    open_page(browser, written)
    find(browser, "body").send_keys("\ue004")  # Tab
    assert browser.switch_to.active_element.text == "Skip to the images"
    browser.switch_to.active_element.send_keys("\ue007")  # Enter
    wait(browser, "return document.getElementById('gallery').getBoundingClientRect().top < 200")
    browser.switch_to.active_element.send_keys("\ue004")
    assert browser.execute_script("return Boolean(document.activeElement.closest('#toolbar'))")
    assert complaints(browser) == []


def test_the_first_screen_shows_what_was_found(browser, written):
    """Of the images with the object, 1, 3 and 5 are answered correctly, with IoU 0.8, 0.4 and 1."""
    open_page(browser, written)
    wait(browser, "return document.querySelectorAll('.example .picture').length === 2")
    told = [example.text.split("\n") for example in browser.find_elements("css selector", ".example")]
    assert [(lines[0].split(" · ")[0], lines[-1]) for lines in told] == [
        ("Answered and seen", "IoU 1.00"), ("Answered, not seen", "IoU 0.40"),
    ]  # fmt: skip
    headline = find(browser, ".headline")
    assert "correctly and finds what it is asked for" in headline.text
    assert headline.location["y"] < 500 and find(browser, ".first figure img").location["y"] < 900
    find(browser, ".example").click()
    wait(browser, "return document.querySelector('.card.target .question')")
    assert find(browser, ".card.target").get_attribute("data-id") == "5"
    assert complaints(browser) == []


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_nothing_is_wider_than_the_window(browser, written, width):
    """On a phone, the rows of tables are stacked, and every value has its name."""
    open_page(browser, written, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    hidden = """
        const tables = [...document.querySelectorAll('.scroll')].filter((each) => each.offsetParent);
        return tables.filter((each) => each.scrollWidth > each.clientWidth + 1).length"""
    if width == 390:
        assert browser.execute_script(hidden) == 0
        unnamed = "return [...document.querySelectorAll('.stacked td')].filter((cell) => !cell.dataset.label).length"
        assert browser.execute_script(unnamed) == 0


def test_nothing_is_asked_of_the_network(opened, written):
    find(opened, ".phrase").click()
    assert requests(opened) == [written.as_uri()]


def test_only_cards_near_the_window_are_drawn(browser, tmp_path):
    """400 images, each with a picture; near the window, 900 pixels high and 600 beyond, there are few of them."""
    (run,) = read_runs(write_run(tmp_path / "run"))
    first = run.records[0]
    ids = [str(number) for number in range(1, 401)]
    records = tuple(replace(first, document=replace(first.document, id=id, pair=None)) for id in ids)
    run = replace(run, records=records)
    photo = Image.new("RGB", SIZE[::-1], "white")
    open_page(browser, page.write_page([run], [summarize(run)], tmp_path, {"pixmini": dict.fromkeys(ids, photo)}))
    scroll_to_gallery(browser)
    drawn = """
        const cards = [...document.querySelectorAll('.card')].filter((card) => card.querySelector('img'));
        return cards.map((card) => card.dataset.id)"""
    there = browser.execute_script(drawn)
    assert there[0] == "1" and len(there) < 40
    browser.execute_script("scrollTo(0, document.body.scrollHeight)")
    wait(browser, "return document.querySelector('.card[data-id=\"400\"] img')")
    wait(browser, "return !document.querySelector('.card[data-id=\"1\"] *')")
    assert len(browser.execute_script(drawn)) < 40
    assert complaints(browser) == []
