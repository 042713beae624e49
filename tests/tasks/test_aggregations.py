from __future__ import annotations

import math

import pytest

from pixfound_tasks.tasks import aggregations


def test_they_take_what_a_log_or_another_process_hands_back():
    assert aggregations.pair_accuracy([[0, True], (0, True), [1, False], [1, True]]) == 0.5
    assert aggregations.cumulative_iou([[1, 2], None]) == 0.5
    assert aggregations.mean([None, 1.0]) == 1.0
    assert aggregations.open_miou([[0.5, True], [0.0, False], [None, True]]) == 0.25
    assert aggregations.open_score([[[0, True], [0.5, True]], [[0, True], [0.0, False]]]) == 1.0


def test_the_groups_score_is_the_harmonic_mean():
    assert aggregations.harmonic_mean([0.5, 0.5], [300, 300], False) == 0.5
    assert math.isnan(aggregations.harmonic_mean([0.5], [300], False))


def test_open_masks_count_for_every_document_once_one_answer_has_any():
    assert math.isnan(aggregations.open_miou([(0.0, False), (1.0, False)]))
    # Of four documents one has no expression: (0.8 + 0 + 1) / 3, a missing mask being right where nothing is there.
    ious = [(0.8, True), (0.0, False), (1.0, False), (None, True)]
    assert aggregations.open_miou(ious) == pytest.approx(0.6)


def test_open_answers_without_pairs_are_averaged():
    score = aggregations.open_score([(1.0, (None, False)), (0.0, (None, False)), (1.0, (None, False))])
    assert score == pytest.approx(2 / 3) and math.isnan(score.miou)


@pytest.mark.parametrize(
    ("choice", "opened", "grounding", "open_iou", "expected"),
    [
        (0.12, 0.0, 0.38, math.nan, 0.182),  # the study's own examples, rounded there to a tenth of a percent
        (0.0, 0.027, 0.3, 0.474, 0.051),
        (0.5, 0.2, math.nan, 0.5, 0.5),  # grounding came with the open answers only
    ],
)
def test_the_score_of_all_protocols_is_over_their_maxima(choice, opened, grounding, open_iou, expected):
    answer = aggregations.OpenScore(opened)
    answer.miou = open_iou
    for values in ([answer, choice, grounding], [choice, answer, grounding], [choice, grounding, answer]):
        assert aggregations.score_of_maxima(values, [], False) == pytest.approx(expected, abs=5e-4)
    assert math.isnan(aggregations.score_of_maxima([choice, grounding], [], False))
