"""Which mask is the answer, without a judge and by name; the choices are derived by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.grounding.selection import MASKS, SELECTIONS, check_select, make_selector, select_by_phrase
from pixfound_tasks.response import Candidate, Phrase, Selection

IMAGE = Image.fromarray(np.zeros((2, 2, 3), np.uint8))


def phrase(text: str, root: str = "", *scores: float, similarity: float | None = None) -> Phrase:
    candidates = tuple(Candidate(masks.empty((2, 2)), score) for score in scores or (0.0,))
    return Phrase(candidates=candidates, text=text, root=root, similarity=similarity)


@pytest.mark.parametrize(
    ("texts", "expression", "chosen"),
    [
        # The head decides, not the words around it: "a red car" shares "red", not the head "circle".
        (["a red car", "a circle"], "the red circle", 1),
        # Two circles; the first shares "red" and "circle", the second "circle" alone.
        (["the red circle", "a blue circle"], "the red circle", 0),
        # Both share the head alone: the later one.
        (["a green circle", "a blue circle"], "the red circle", 1),
        # Plurals, regular and not.
        (["two butterflies", "a wall"], "the butterfly", 0),
        (["a person"], "people", 0),
        # A word said twice counts once.
        (["the red circle", "a circle circle"], "the red circle", 0),
        # The head of an expression is that of its first noun phrase.
        (["the dog", "its left ear"], "the ear of the dog", 1),
        # Denied, named by none, nothing said, nothing asked for.
        (["no red circle"], "the red circle", None),
        (["no red circle", "a circle"], "the red circle", 1),
        (["a dog's face"], "the dog", None),
        ([], "the dog", None),
        (["a dog"], "", None),
    ],
)
def test_the_phrase_that_names_the_expression(texts, expression, chosen):
    found = select_by_phrase([phrase(text) for text in texts], expression)
    assert found == (Selection("phrase") if chosen is None else Selection("phrase", chosen, 0))


def test_the_root_a_parser_gave_goes_before_the_last_word():
    # Of "the view north" the head is not the last word.
    assert select_by_phrase([phrase("the view north", "view")], "the view") == Selection("phrase", 0, 0)
    assert select_by_phrase([phrase("the view north")], "the view") == Selection("phrase")


def test_a_naming_phrase_without_masks_is_passed_over_and_the_surest_mask_is_taken():
    named = [phrase("the dog", "dog", 0.3, 0.9, 0.9), Phrase(text="the dog", root="dog")]
    assert select_by_phrase(named, "a dog") == Selection("phrase", 0, 2)


@pytest.mark.parametrize("select", ["similarity", "similarity:lexical", "similarity:sentence:some/model"])
def test_similarity_under_the_threshold_is_not_there(select):
    selector = make_selector(select)
    near = [phrase("a", similarity=0.69), phrase("b", similarity=0.7)]
    assert selector(near, IMAGE, "x") == (Selection("similarity", 1, 0), {})
    assert selector(near[:1], IMAGE, "x") == (Selection("similarity"), {})


def test_every_selector_is_called_alike_and_has_nothing_to_note_without_a_judge():
    phrases = [phrase("a cat", "cat", similarity=1.0), phrase("a dog", "dog", similarity=0.1)]
    chosen = {name: make_selector(name)(phrases, IMAGE, "the dog") for name in ("first", "similarity", "phrase")}
    assert chosen == {
        "first": (Selection("first", 0, 0), {}),
        "similarity": (Selection("similarity", 0, 0), {}),
        "phrase": (Selection("phrase", 1, 0), {}),
    }
    assert set(SELECTIONS) == {"similarity", "first"}  # what folders of predictions are chosen from by


@pytest.mark.parametrize(
    ("select", "judge", "message"),
    [
        ("similar", None, "expected select to be one of .* but got 'similar'; did you mean 'similarity'"),
        ("first:2", None, "expected select to be one of .* but got 'first:2'; did you mean 'first'"),
        ("judge", None, "select='judge' and judge=None; give select=judge together with judge=openai:MODEL"),
        ("phrase", "local:x", "expected a judge with select=judge and only then, but got select='phrase'"),
    ],
)
def test_what_does_not_go_together_is_named(select, judge, message):
    with pytest.raises(ValueError, match=message):
        check_select(select, judge)


@pytest.mark.parametrize("select", ["similarity", "phrase"])
def test_the_third_mask_is_taken_where_the_study_takes_it(select):
    # The authors compare with >= over the three masks of a phrase, which have one similarity: the third always wins.
    phrases = [phrase("the dog", "dog", 0.9, 0.8, 0.1, similarity=0.9)]
    chosen = {mask: make_selector(select, mask=mask)(phrases, IMAGE, "the dog").selection for mask in MASKS}
    assert chosen == {
        "highest": Selection(select, 0, 0), "third": Selection(select, 0, 2), "single": Selection(select, 0, 2),
    }  # fmt: skip


def test_an_unknown_rule_for_masks_is_refused():
    with pytest.raises(ValueError, match="expected mask to be one of .*'third'.*, but got 'thrid'"):
        make_selector("similarity", mask="thrid")
