from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from rectangles import SIZE, rectangle
from untrusted import OUTPUTS

from pixfound_tasks import masks
from pixfound_tasks.response import Candidate, Phrase, Response, to_text
from pixfound_tasks.scoring import hooks

LEFT, TOP_LEFT = rectangle(0, 0, 3, 4), rectangle(0, 0, 3, 2)


@pytest.fixture
def doc():
    return {
        "benchmark": "pixmini", "id": "3", "pair": 1, "question": "Open or closed?", "options": ["Open", "Closed"],
        "options_text": "(a) Open (b) Closed", "answer": "b", "pattern": "State and Condition",
        "expression": "the wings", "mask": LEFT, "width": 6, "height": 4,
    }  # fmt: skip


def test_choice_prompt_is_the_papers(doc):
    assert hooks.choice_prompt(doc) == (
        "Open or closed? Options:\nA. Open\nB. Closed\nAnswer with the option's letter from the given choices directly."
    )


def test_choice_scores(doc):
    right = hooks.score_choice(doc, ["B."])
    assert right["pair_accuracy"] == right["score"] == (1, True)
    assert (right["accuracy"], right["lenient_accuracy"], right["unparsed"]) == (1.0, 1.0, 0.0)
    lenient = hooks.score_choice(doc, ["B) Closed"])
    assert (lenient["accuracy"], lenient["lenient_accuracy"], lenient["unparsed"]) == (0.0, 1.0, 0.0)
    unread = hooks.score_choice(doc, ["Hm."])
    assert (unread["accuracy"], unread["lenient_accuracy"], unread["unparsed"]) == (0.0, 0.0, 1.0)


def test_a_grounded_answer_to_a_choice_question_is_read_by_its_text(doc):
    assert hooks.score_choice(doc, [to_text(Response("B", masks=(LEFT,)))])["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("kind", "prompt"),
    [
        (None, "Identify the wings in the scene."),
        ("mask", "Can you please segment the wings in the given image"),
        ("phrase", "the wings"),
    ],
)
def test_referring_prompts_by_kind_of_model(doc, kind, prompt):
    assert hooks.referring_prompt(doc, kind and {"kind": kind}) == prompt


def test_an_unknown_kind_of_prompt_is_an_error(doc):
    with pytest.raises(ValueError, match="one of .*'attention'.*, but got 'sketch'"):
        hooks.referring_prompt(doc, {"kind": "sketch"})


def test_grounding_scores(doc):
    scores = hooks.score_grounding(doc, [to_text(Response(masks=(TOP_LEFT,)))])
    assert scores["miou"] == scores["score"] == scores["oracle_miou"] == 0.5
    assert scores["ciou"] == (6, 12)
    assert (scores["precision_50"], scores["absent_accuracy"], scores["unparsed"]) == (0.0, None, 0.0)


def test_the_oracle_looks_at_all_candidates(doc):
    phrases = (Phrase(candidates=(Candidate(LEFT),)),)
    scores = hooks.score_grounding(doc, [to_text(Response(masks=(), phrases=phrases))])
    assert (scores["miou"], scores["oracle_miou"]) == (0.0, 1.0)


def test_an_absent_object(doc):
    doc["mask"] = masks.empty(SIZE)
    empty = hooks.score_grounding(doc, [to_text(Response(masks=()))])
    assert (empty["miou"], empty["absent_accuracy"], empty["precision_50"]) == (1.0, 1.0, 1.0)
    alarm = hooks.score_grounding(doc, [to_text(Response(masks=(LEFT,)))])
    assert (alarm["miou"], alarm["absent_accuracy"]) == (0.0, 0.0)


def test_unreadable_output_is_counted_and_scored_as_no_mask(doc):
    wrong_size = '{"masks": [{"size": [6, 4], "counts": "0"}]}'
    with_boxes = '{"masks": [{"size": [6, 4], "counts": "0"}], "boxes": [[0, 0, 0.5, 1]], "scores": [0.9]}'
    for text in ("The wings are orange.", wrong_size, with_boxes, "", '{"masks": 3}'):
        scores = hooks.score_grounding(doc, [text])
        assert (scores["unparsed"], scores["miou"]) == (1.0, 0.0)


def test_an_image_without_expression_has_no_iou(doc):
    doc["expression"] = None
    scores = hooks.score_grounding(doc, [to_text(Response(masks=(LEFT,)))])
    assert scores["miou"] is None and scores["ciou"] is None and scores["unparsed"] == 0.0
    assert hooks.referring_prompt(doc) == "Identify None in the scene."


def test_aggregations_take_what_a_log_or_another_process_hands_back():
    assert hooks.pair_accuracy([[0, True], (0, True), [1, False], [1, True]]) == 0.5
    assert hooks.cumulative_iou([[1, 2], None]) == 0.5
    assert hooks.mean([None, 1.0]) == 1.0
    assert hooks.harmonic_mean([0.5, 0.5], [300, 300], False) == 0.5
    assert math.isnan(hooks.harmonic_mean([0.5], [300], False))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(output=OUTPUTS)
def test_no_output_raises_or_loses_its_sample(doc, output):
    grounding, choice = hooks.score_grounding(doc, [output]), hooks.score_choice(doc, [output])
    assert 0.0 <= grounding["miou"] <= 1.0 and grounding["unparsed"] in (0.0, 1.0)
    assert choice["accuracy"] in (0.0, 1.0) and choice["unparsed"] in (0.0, 1.0)
