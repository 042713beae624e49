"""Recorded outputs of models, with what they say: choices, open answers, verdicts, and a judge's selections."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from places import REPOSITORY

from pixfound_tasks import masks
from pixfound_tasks.grounding.selection import make_selector
from pixfound_tasks.response import Candidate, Phrase
from pixfound_tasks.tasks import choice
from pixfound_tasks.tasks.grading import grade

REPLIES = REPOSITORY.parent / "shared" / "data" / "replies.json"
ROWS = json.loads(REPLIES.read_text(encoding="utf-8")) if REPLIES.is_file() else []
CHOICES = [row for row in ROWS if row["context"].startswith("options Open, Closed")]
OPEN = [row for row in ROWS if row["kind"].startswith("open answer")]
VERDICTS = [row for row in ROWS if row["kind"].startswith("judge verdict")]
SELECTIONS = [row for row in ROWS if row["kind"].startswith("select=judge")]

needs_replies = pytest.mark.skipif(not ROWS, reason=f"needs {REPLIES}")


class Replying:
    """A judge that gives the replies in turn."""

    name = "replying"

    def __init__(self, *replies):
        self.replies = list(replies)

    def ask(self, prompt, images=()):
        return self.replies.pop(0)


def by_id(rows):
    return pytest.mark.parametrize("row", rows, ids=[row["id"] for row in rows])


def scores(output, correct):
    doc = {"options": ["Open", "Closed"], "answer": "ab"[correct], "pair": None, "height": 4, "width": 4}
    return choice.score_choice(doc, [output])


@needs_replies
@by_id(CHOICES)
def test_choices(row):
    lenient = [index for index in (0, 1) if scores(row["input"], index)["lenient_accuracy"]]
    paper = [index for index in (0, 1) if scores(row["input"], index)["accuracy"]]
    assert lenient == ([] if row["expected"] is None else [row["expected"]])
    assert paper == row["got"]["paper"]  # the study's rule stays as it is
    assert scores(row["input"], 0)["unparsed"] == float(row["expected"] is None)


@needs_replies
@by_id(OPEN)
def test_open_answers(row):
    options, correct = row["context"].partition("options ")[2].split(", right ")
    options = json.loads(options.replace("'", '"'))
    assert grade("?", options, options.index(correct), row["input"], None).verdict is row["expected"]
    other = 1 - options.index(correct) if len(options) == 2 else 0
    assert grade("?", options, other, row["input"], None).verdict is not row["expected"]


@needs_replies
@by_id(VERDICTS)
def test_verdicts(row):
    assert grade("?", ["Open", "Closed"], 1, "Shut.", Replying(row["input"])).verdict is row["expected"]


@needs_replies
@by_id(SELECTIONS)
def test_selections(row):
    """Four candidates of one pixel: two of each of two phrases."""
    pixels = [masks.encode(np.arange(48).reshape(6, 8) == index) for index in range(4)]
    phrases = [Phrase(candidates=tuple(map(Candidate, pixels[start : start + 2]))) for start in (0, 2)]
    select = make_selector("judge", Replying(*row["input"]))
    selection, notes = select(phrases, Image.new("RGB", (8, 6)), "the dog")
    expected = row["expected"] or [None, None]
    assert [selection.phrase, selection.candidate] == expected
    assert notes["judge"]["status"] == ("chosen" if row["expected"] else "absent")


@needs_replies
def test_every_kind_is_tried():
    assert (len(CHOICES), len(OPEN), len(VERDICTS), len(SELECTIONS)) == (25, 8, 6, 4)


def test_the_paper_rule_gets_the_answer_without_its_draft():
    for output, paper in (
        ("<think>A</think>B", 1.0),
        ("A?</think> (b)", 1.0),
        ("<think>A</think>**B**", 0.0),
        ("<think>B", 0.0),
    ):
        found = scores(output, 1)
        assert found["accuracy"] == paper and found["unparsed"] == float(output == "<think>B")
        assert scores(output, 0)["lenient_accuracy"] == 0.0
