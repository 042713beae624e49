from __future__ import annotations

import math

import numpy as np
import pytest

from pixfound_tasks import masks
from pixfound_tasks.analysis.metrics import (
    Oracle,
    PairPart,
    cumulative_iou,
    harmonic_mean,
    mean,
    oracle,
    pair_accuracy,
    response_oracle,
)
from pixfound_tasks.masks import Overlap
from pixfound_tasks.response import Candidate, PromptedMasks, Response


def strip(start: int, end: int) -> masks.Rle:
    mask = np.zeros((1, 10), bool)
    mask[0, start:end] = True
    return masks.encode(mask)


def probe(*strips: masks.Rle) -> PromptedMasks:
    return PromptedMasks(None, tuple(Candidate(mask) for mask in strips))


def test_mean_leaves_out_what_is_undefined():
    assert mean([1.0, None, 0.0]) == 0.5
    assert math.isnan(mean([None])) and math.isnan(mean([]))


def test_a_pair_counts_when_both_images_are_right():
    parts = [PairPart(0, True), PairPart(1, True), PairPart(1, False), PairPart(0, True)]
    assert pair_accuracy(parts) == 0.5
    # The second half of pair 2 was not run: it is no pair.
    assert pair_accuracy([*parts, PairPart(2, True)]) == 0.5
    assert math.isnan(pair_accuracy([PairPart(0, True)]))


def test_cumulative_iou_adds_up_pixels():
    assert cumulative_iou([Overlap(1, 4), None, Overlap(2, 2)]) == 0.5
    assert cumulative_iou([Overlap(0, 0)]) == 1.0
    assert math.isnan(cumulative_iou([None]))


@pytest.mark.parametrize(("answering", "grounding", "score"), [(12.0, 38.0, 18.2), (2.7, 47.4, 5.1)])
def test_harmonic_mean_gives_the_published_scores(answering, grounding, score):
    # PixFoundation, the table of PixMMVP: A and M of two models and the S printed beside them, in percent.
    assert round(harmonic_mean([answering / 100, grounding / 100]) * 100, 1) == score


def test_harmonic_mean_of_nothing_and_of_zero():
    assert harmonic_mean([0.0, 1.0]) == 0.0
    assert math.isnan(harmonic_mean([math.nan, 1.0])) and math.isnan(harmonic_mean([]))


def test_oracle_takes_the_best_and_the_later_of_equals():
    prompts_with_masks = [probe(strip(0, 1), strip(0, 4)), probe(strip(0, 4), strip(5, 9))]
    assert oracle(prompts_with_masks, strip(0, 4)) == Oracle(1.0, 1, 0)
    # All miss: every candidate has IoU 0, the last one wins.
    assert oracle(prompts_with_masks, strip(9, 10)) == Oracle(0.0, 1, 1)


def test_oracle_of_an_absent_object_is_the_empty_mask():
    assert oracle([probe(strip(0, 4))], strip(0, 0)) == Oracle(1.0)
    assert oracle([], strip(0, 4)) == Oracle(0.0)


def test_a_response_without_candidates_is_its_own_oracle():
    assert response_oracle(Response(masks=(strip(0, 2),)), strip(0, 4)).iou == 0.5
    assert response_oracle(Response("nothing found"), strip(0, 0)).iou == 1.0
    assert response_oracle(Response(masks=(strip(0, 2),)), strip(0, 0)).iou == 0.0
