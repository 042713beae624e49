"""Responses that mean harm, or of a model that loops: no exception, bounded time and memory, the sample counted."""

from __future__ import annotations

import json
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from rectangles import rectangle
from test_response import FULL
from untrusted import broken

from pixfound_tasks import masks
from pixfound_tasks.grounding.text_grounder import read_words, with_masks
from pixfound_tasks.response import Candidate, Response, from_text, to_text
from pixfound_tasks.tasks import choice, emergence, evidence, referring
from pixfound_tasks.tasks import open as open_task

LEFT = rectangle(0, 0, 3, 4)
SIZE = (4, 6)
PHOTO = (480, 640)  # height, width
DOC = {
    "benchmark": "pixmini", "id": "3", "prompt": None, "pair": 1, "question": "Open or closed?",
    "options": ["Open", "Closed"], "options_text": "(a) Open (b) Closed", "answer": "b", "pattern": "",
    "expression": "the wings", "mask": LEFT, "width": 6, "height": 4, "kind": "plain",
}  # fmt: skip
SCORES = (
    choice.score_choice, open_task.score_open, referring.score_grounding, emergence.score_when, evidence.score_evidence,
)  # fmt: skip


def scored(output, doc=DOC):
    """What every hook says of an output, as lmms-eval writes it to its log."""
    found = [score(doc, [output]) for score in SCORES]
    json.dumps(found, ensure_ascii=False).encode()
    return found


WHOLE = json.loads(to_text(FULL))


@settings(max_examples=150)
@given(broken(WHOLE).map(json.dumps))
def test_a_response_with_anything_anywhere_is_read_and_its_sample_counted(output):
    response = from_text(output, SIZE)
    response.text.encode()
    assert masks.decode(response.prediction(SIZE)).shape == SIZE
    written = to_text(response)
    assert not response.is_grounded or to_text(from_text(written, SIZE)) == written
    if response.masks is not None or not response.is_grounded:  # else a segmenter is asked, which other tests do
        for doc in (DOC, DOC | {"mask": rectangle(0, 0, 0, 0)}):
            choice, opened, grounding, when, _ = scored(output, doc)
            assert {choice["accuracy"], opened["accuracy"], grounding["unparsed"]} <= {0.0, 1.0}
            assert 0 <= grounding["miou"] <= 1 and 0 <= when["oracle_miou"] <= 1


def test_runs_whose_sum_python_refuses_to_print_are_a_problem():
    # Two numbers of 4,300 digits, the most that it reads, have a sum of 4,301.
    runs = ",".join(["9" * 4300] * 2)
    response = from_text(f'{{"masks": [{{"size": [4, 6], "counts": [{runs}]}}]}}', SIZE)
    assert response.masks == () and response.problems[0].startswith("masks[0]: expected run lengths that add up to 24")


@pytest.mark.parametrize("count", [10**30, 10**400, -1])
def test_an_impossible_count_of_tokens_is_none(count):
    phrase = {"text": "wings", "tokens": [count - 1, count], "chars": [0, 5], "candidates": [{"mask": LEFT}]}
    output = json.dumps({"masks": [LEFT], "text": "wings", "tokens": count, "phrases": [phrase]})
    assert from_text(output, SIZE).tokens is None and from_text(output, SIZE).phrases == ()
    assert emergence.score_when(DOC, [output])["median_location"] is None
    bare = json.dumps({"masks": [], "tokens": count, "selected": {"by": "similarity", "phrase": count}})
    assert emergence.score_when(DOC, [bare])["oracle_miou"] == 0.0


def test_halves_of_surrogate_pairs_reach_no_log_and_no_judge():
    output = r'{"masks": [], "text": "\ud800 open", "selected": {"by": "\udfff"}, "phrases": [{"text": "\udc00"}]}'
    response = from_text(output, SIZE)
    assert (response.text, response.selected.by, response.phrases[0].text) == ("\ufffd open", "\ufffd", "\ufffd")
    assert from_text("\ud800", SIZE).text == "\ufffd"
    # A whole pair is one character.
    assert from_text(r'{"masks": [], "text": "\ud83d\ude00"}', SIZE).text == "\U0001f600"


def test_of_keys_that_come_twice_the_last_counts():
    output = f'{{"masks": [], "text": "a", "masks": [{json.dumps(LEFT)}], "text": "b"}}'
    assert from_text(output, SIZE) == Response("b", masks=(LEFT,))


def repeated(opening, piece, closing, length=2_000_000):
    """A long output: pieces with commas between them."""
    return opening + ",".join([piece] * ((length - len(opening)) // (len(piece) + 1))) + closing


PIXEL = '{"size": [480, 640], "counts": [300000, 1, 7199]}'
# Every second pixel: as many runs as there can be.
CHECKERBOARD = json.dumps(masks.encode(np.indices(PHOTO).sum(0) % 2 == 0))
LONG = {
    "brackets": "[" * 10_000_000,
    "brackets in a response": '{"masks": ' + "[" * 10_000_000,
    "things that are no masks": repeated('{"masks": [', "[]", "]}"),
    "things that are no boxes": repeated('{"schema": 1, "boxes": [', "0", "]}"),
    "things that are no phrases": repeated('{"masks": [], "phrases": [', '{"map": 0}', "]}"),
    "problems": repeated('{"masks": [], "problems": [', '"no"', "]}"),
    "masks": repeated('{"masks": [', PIXEL, "]}"),
    "masks after one of many runs": repeated(f'{{"masks": [{CHECKERBOARD},', PIXEL, "]}"),
    "candidates": repeated('{"masks": [], "phrases": [{"candidates": [', f'{{"mask": {PIXEL}}}', "]}]}"),
    "numbers": repeated('{"schema": 1, "points": [', "9" * 4300, "]}"),
    "a billion pixels": '{"masks": [{"size": [40000, 25000], "counts": [1000000000]}]}',
    "empty runs": repeated('{"masks": [{"size": [480, 640], "counts": [', "0", "]}]}"),
    "escapes": repeated('{"masks": [], "text": "', r"\ud800", '"}'),
    "keys": repeated("{", '"masks": 0', "}"),
}


@pytest.mark.parametrize("name", LONG)
def test_long_responses_take_bounded_time(name):
    """Seconds at most; the union with a mask of many runs, mask by mask, would be minutes."""
    start = time.process_time()
    response = from_text(LONG[name], PHOTO)
    response.prediction(PHOTO)
    emergence.score_when(DOC | {"mask": masks.empty(PHOTO), "height": 480, "width": 640}, [LONG[name]])
    assert time.process_time() - start < 8
    assert response.problems or not response.is_grounded or name == "escapes"
    assert len(to_text(response)) < 10_500_000 and len(response.problems) <= 20


def test_what_cannot_be_read_takes_bounded_memory():
    """Every problem kept, with the traceback of its error, was 250 bytes for a byte of output."""
    output = repeated('{"masks": [', "[]", "]}", 300_000)
    tracemalloc.start()
    response = from_text(output, SIZE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60 * len(output)
    assert response.masks == () and len(response.problems) == 20
    assert response.problems[0] == "masks: expected at most 1000, but got 99996; the first ones count"
    assert response.problems[-1] == "and 982 more"


def test_the_union_of_many_masks_is_that_of_numpy():
    rng = np.random.RandomState(0)
    arrays = rng.rand(100, 5, 7) < 0.02
    for count in (1, 2, 8, 9, 64, 65, 100):
        found = masks.union([masks.encode(array) for array in arrays[:count]], (5, 7))
        np.testing.assert_array_equal(masks.decode(found), arrays[:count].any(0))


def test_a_model_that_loops_is_segmented_once_for_every_box_and_within_bounds():
    box = "[0.1, 0.1, 0.5, 0.5]"
    reply = f"{box}, [0.2, 0.2, 0.5, 0.5], {box}, " + f"{box}, " * 10_000
    response = read_words(reply, SIZE)
    assert len(response.boxes) == 1000
    assert response.problems == ("only the first 1000 of 10003 boxes and points count",)
    asked = []

    def segment(prompts):
        asked.extend(prompts)
        return [(Candidate(rectangle(0, 0, 1 + index, 4)),) for index, _ in enumerate(prompts)]

    masked = with_masks(response, segment, "counting")
    assert asked == [(0.1, 0.1, 0.5, 0.5), (0.2, 0.2, 0.5, 0.5)]
    assert masked.masks[:3] == (rectangle(0, 0, 1, 4), rectangle(0, 0, 2, 4), rectangle(0, 0, 1, 4))
    assert len(masked.masks) == 1000
