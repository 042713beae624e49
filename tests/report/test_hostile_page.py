"""Everything that models and data sets write is text on the page: nothing of it runs, and nothing breaks the page."""

from __future__ import annotations

import json

import pytest
from browser import complaints, find, open_page, requests, scroll_to_gallery, wait
from typer.testing import CliRunner
from written_run import document, grounding, open_sample, vqa_sample, write_results, write_samples

from pixfound_tasks.cli import app as command
from pixfound_tasks.report.html import pictures

RUN = "window.ran = 1"  # what each of these would do
HOSTILE = (
    f"</script><script>{RUN}</script>",
    f"</style></title></textarea><script>{RUN}</script>",
    f"<img src=x onerror='{RUN}'><svg onload=\"{RUN}\">",
    f"javascript:{RUN}",
    f"\"'`><iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"]]>--><!--<script>{RUN}//{{{{ 7 * 7 }}}}{{% raw %}}",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{RIGHT-TO-LEFT ISOLATE}abc\N{ARABIC LETTER ALEF} \u2028 \0 \x1b[31m",
    "half a pair \ud83d, the other \udc4d",
    "__proto__",
    "unbroken" * 40,
)
MEGABYTE = f"<script>{RUN}</script>" * 40_000


def hostile(number: int) -> str:
    return HOSTILE[number % len(HOSTILE)]


def hostile_document(number: int) -> dict:
    """Names of its own in every field of text."""
    names = ("question", "options_text", "pattern", "expression", "origin", "task", "source", "answer")
    fields = {name: hostile(number + shift) for shift, name in enumerate(names)}
    base = document(str(number % 5 + 1))
    if number == 1:
        fields |= {"question": MEGABYTE, "expression": MEGABYTE}
    return base | fields | {"id": f"{number} {hostile(number)}", "pair": number // 2, "options": list(HOSTILE)}


def hostile_response(number: int) -> str:
    """Read where it can be read: numbers that are none, phrases beyond the text, a map of nothing."""
    id = str(number % 5 + 1)
    fields = json.loads(grounding(id, hostile(number)))
    phrase = fields["phrases"][0]
    unreadable = [{"similarity": float("nan")}, {"point": [float("inf"), 0]}, {"map": {"size": [9, 9], "levels": RUN}}]
    fields["phrases"] += [phrase | each for each in unreadable]
    fields["phrases"] += [phrase | {"chars": [0, 10**6]}, phrase | {"chars": [3, 9], "text": MEGABYTE}] * (number == 1)
    fields["text"] = MEGABYTE if number == 0 else hostile(number) + " " + fields["text"]
    fields["selected"]["by"] = hostile(number + 1)
    fields["provenance"] = {hostile(number): hostile(number + 1), "versions": {hostile(0): hostile(1)}}
    return json.dumps(fields)


def write_hostile(folder, name: str) -> None:
    """A run of three tasks."""
    scored = {"miou": 0.5, "score": 0.5, "unparsed": 0.0}
    asked, found, freely = [], [], []
    for number in range(2 * len(HOSTILE)):
        shared = {"pixfound": hostile_document(number), "filtered_resps": hostile(number)}
        part = [number // 2, True]
        asked.append(vqa_sample("1") | shared | {"pair_accuracy": part, "score": part})
        found.append(scored | shared | {"filtered_resps": [hostile_response(number)]})
        freely.append(open_sample("1") | shared | {"judgement": {"by": hostile(number)}})
    found[2] |= {"miou": float("nan"), "filtered_resps": [MEGABYTE]}
    for task, samples in {"vqa": asked, "ground": found, "vqa_open": freely}.items():
        write_samples(folder, f"pixmini_{task}", samples)
    write_results(folder, model_args=hostile(2), limit=None)
    (file,) = folder.glob("*_results.json")
    results = json.loads(file.read_text()) | {"model_name": name, "lmms_eval_version": hostile(3)}
    file.write_text(json.dumps(results))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two runs, of models with hostile names, as the command reports on them."""
    place = tmp_path_factory.mktemp("hostile")
    write_hostile(place / "first" / "model", "".join(HOSTILE))
    write_hostile(place / "second" / "model", MEGABYTE[:20_000])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pictures, "load", lambda benchmarks: {})
        result = CliRunner().invoke(command.app, ["report", str(place / "first"), str(place / "second")])
    assert result.exit_code == 0, result.output
    return place / "first" / "report" / "index.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_runs_and_nothing_breaks(browser, written, width):
    open_page(browser, written, width)
    scroll_to_gallery(browser)
    assert complaints(browser) == []  # a refused script would be told here
    for run in range(2):
        browser.execute_script("set({ run: arguments[0] })", run)
        for step in range(3):
            wait(browser, "return document.querySelector('.card .question')")
            browser.execute_script("document.querySelectorAll('.phrase').forEach((each) => each.click())")
            if not step:  # cards that scroll out of sight lose theirs, and others get theirs later
                wait(browser, "return document.querySelector('button.candidate')")
            browser.execute_script("scrollBy(0, 700)")
    browser.execute_script("set({ mode: 'compare', sort: 'disagreement' })")
    wait(browser, "return document.querySelector('.row .side canvas')")
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    browser.execute_script("document.querySelector('.enlarge').click()")
    browser.execute_script("document.querySelector('dialog').close()")
    assert browser.execute_script("return window.ran") is None
    assert not browser.find_elements("css selector", "main :is(script, iframe, svg, a:not([href^='#']))")
    assert complaints(browser) == []
    assert requests(browser) == [written.as_uri()]


def test_hostile_text_is_there_to_be_read(browser, written):
    open_page(browser, written)
    scroll_to_gallery(browser)
    find(browser, "input[type=search]").send_keys("</script><script>")
    wait(browser, "return document.querySelector('.card .question')")
    # Asked in the page: half a surrogate pair cannot be handed over.
    holds = "return document.querySelector(arguments[0]).innerText.includes(arguments[1])"
    assert browser.execute_script(holds, ".card", HOSTILE[0])
    assert browser.execute_script(holds, "h1", HOSTILE[0])
