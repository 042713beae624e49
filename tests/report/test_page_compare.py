"""All models of a benchmark beside each other in the gallery: a row per image, the most different first."""

from __future__ import annotations

import pytest
from browser import complaints, find, open_page, scroll_to_gallery, wait
from known_run import write
from PIL import Image
from two_runs import choice, found
from written_run import SIZE

from pixfound_tasks.report.html import page as page
from pixfound_tasks.report.side_by_side import side_by_side
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize

PATTERNS = {1: "Text", 2: "Text", 3: "Color", 4: "Color"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Image 3 is answered by one model only, with IoUs 0.9 and 0.1; image 4 has 0.5 and 0.4, neither above 0.5."""
    place = tmp_path_factory.mktemp("compared")
    answers = {"a": ({1, 2, 3, 4}, (8, 8, 9, 5)), "b": ({1, 2, 4}, (8, 8, 1, 4))}
    folders = [
        write(
            place / name,
            vqa=[choice(id, id in right, pattern=PATTERNS[id]) for id in range(1, 5)],
            ground=[
                found(id, columns, text=f"{name} says {id}", pattern=PATTERNS[id])
                for id, columns in enumerate(predicted, 1)
            ],
        )
        for name, (right, predicted) in answers.items()
    ]
    runs = read_runs(*folders)
    summaries = [summarize(run) for run in runs]
    photo = Image.new("RGB", SIZE[::-1], "white")
    return page.write_page(runs, summaries, place, {"pixmini": {"3": photo}}, sides=side_by_side(runs, summaries))


@pytest.fixture
def compared(browser, written):
    open_page(browser, written)
    scroll_to_gallery(browser)
    modes = browser.find_elements("css selector", ".modes button")
    assert [button.text for button in modes] == ["One model", "All models"]
    modes[1].click()
    wait(browser, "return document.querySelector('.row .side canvas')")
    return browser


def shown(driver):
    return driver.execute_script("return [...document.querySelectorAll('.card')].map((card) => card.dataset.id)")


def test_the_most_different_come_first(compared):
    assert shown(compared) == ["3", "4", "1", "2"]
    cells = [cell.text.split("\n") for cell in compared.find_elements("css selector", ".row[data-id='3'] .side")]
    assert [(cell[0][-3:], *cell[1:]) for cell in cells] == [
        ("(a)", "⤢", "IoU", "0.90", "“A” correct ✓", "Pair: Grounding-only failure"),
        ("(b)", "⤢", "IoU", "0.10", "“A” incorrect ✗", "Pair: Both wrong"),
    ]
    assert complaints(compared) == []


def test_a_filter_keeps_what_any_model_has(compared):
    find(compared, ".toolbar button:has(.both_wrong)").click()
    assert shown(compared) == ["3", "4"]
    find(compared, "input[type=search]").send_keys("b says 4")
    assert shown(compared) == ["4"]


def test_the_address_keeps_the_comparison_and_a_name_leads_to_its_card(compared):
    compared.refresh()
    wait(compared, "return document.querySelector('.row .side canvas')")
    assert shown(compared) == ["3", "4", "1", "2"]
    compared.find_elements("css selector", ".row[data-id='3'] .model")[1].click()
    wait(compared, "return document.querySelector('.card.target .question')")
    assert find(compared, ".card.target").get_attribute("data-id") == "3"
    assert find(compared, "select[aria-label=Run]").get_attribute("value") == "1"
    assert len(compared.find_elements("css selector", ".card")) == 4 and "row" not in find(
        compared, ".card"
    ).get_attribute("class")


def test_layers_apply_to_all_models(compared):
    hidden = """
        document.querySelector('.layers').open = true;
        for (const box of document.querySelectorAll('.layers [type=checkbox]')) if (box.checked) box.click()"""
    compared.execute_script(hidden)
    wait(compared, "return !document.querySelector('.row canvas')")
    assert complaints(compared) == []


def test_a_click_enlarges_the_image(compared):
    from selenium.webdriver.common.keys import Keys

    find(compared, ".row[data-id='3'] > .frame .enlarge").click()
    dialog = find(compared, "dialog.zoom")
    assert f"{SIZE[1]} \N{MULTIPLICATION SIGN} {SIZE[0]} pixels" in dialog.text
    assert dialog.find_element("css selector", "img").get_property("naturalWidth") == SIZE[1]
    box = dialog.find_element("css selector", ".picture").rect
    assert box["width"] > 800 and box["width"] == pytest.approx(2 * box["height"], rel=0.02)
    compared.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(compared, "return !document.querySelector('dialog')")
    assert complaints(compared) == []


def test_one_measure_and_one_pair_at_a_time(browser, written):
    open_page(browser, written)
    visible = """
        const tables = [...document.querySelectorAll('[data-heat]')].filter((each) => !each.hidden);
        return tables.map((each) => each.dataset.heat)"""
    measures = browser.find_elements("css selector", ".heats [data-measure]")
    assert browser.execute_script(visible) == ["miou"]
    measures[1].click()
    assert browser.execute_script(visible) == ["accuracy"]
    names = browser.find_elements("css selector", "[data-heat=accuracy] tbody td.name")
    assert [name.text for name in names] == ["Color", "Text"]
    bar = find(browser, ".aligned .share:has(.both_wrong)")
    bar.click()
    wait(browser, "return document.querySelector('.card .question') || document.querySelector('.empty')")
    assert "outcome=both_wrong" in browser.current_url
    assert complaints(browser) == []
