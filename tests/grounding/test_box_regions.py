"""The segmenter without weights, given boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pixfound_tasks import benchmarks, masks
from pixfound_tasks.grounding.segmenters.base import make_segmenter
from pixfound_tasks.mini.calibration import FIRST_SEED
from pixfound_tasks.mini.first.scenes import Drawing, draw, sample_scene


@pytest.fixture
def region():
    return make_segmenter("region")


def drawings(count: int) -> list[Drawing]:
    """Scenes of the seeds that settings are chosen on."""
    return [draw(sample_scene(np.random.RandomState(FIRST_SEED + index))) for index in range(count)]


def tight_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """The smallest box round a mask, in fractions."""
    (rows, columns), (height, width) = np.nonzero(mask), mask.shape
    return columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height


def ious(region, image: np.ndarray, targets) -> tuple[list[float], list[float], list[float]]:
    """For each true mask, bool (height, width), from its tight box: IoU of the surest candidate, of the best one and
    of the box itself."""
    region.set_image(image)
    found = region.segment([tight_box(target) for target in targets])
    scores = [[masks.iou(c.mask, masks.encode(target)) for c in cs] for cs, target in zip(found, targets)]
    chosen = [row[max(range(3), key=lambda i: (cs[i].score, i))] for row, cs in zip(scores, found)]
    return chosen, [max(row) for row in scores], [row[-1] for row in scores]


def test_a_tight_box_gives_the_drawn_shape(region):
    found = [ious(region, drawing.image, drawing.masks) for drawing in drawings(40)]
    surest_ious, best, boxes = (np.concatenate(values) for values in zip(*found))
    assert surest_ious.mean() > 0.93 and best.mean() > surest_ious.mean()
    assert surest_ious.min() > 0.75
    # A box is a poor mask of a triangle, a star, a cross: the region must be worth its work.
    assert boxes.mean() < 0.75


def test_on_pixmini_the_surest_candidate_is_good_and_the_best_of_three_better(region):
    found = []
    for document in benchmarks.load("pixmini")["test"]:
        target = masks.decode(document["mask"])
        if target.any():
            found.append(ious(region, np.asarray(document["image"].convert("RGB")), [target]))
    surest_ious, best, _ = (np.concatenate(values) for values in zip(*found))
    assert surest_ious.mean() > 0.88 and best.mean() > surest_ious.mean()


def test_of_boxes_that_are_off_by_up_to_three_pixels_the_best_of_three_gains(region):
    rng = np.random.RandomState(0)
    surest_ious, best = [], []
    for drawing in drawings(40):
        region.set_image(drawing.image)
        for target in drawing.masks:
            box = np.clip(tight_box(target) + rng.randint(-3, 4, 4) / 112, 0, 1)
            (candidates,) = region.segment([tuple(box)])
            scores = [masks.iou(candidate.mask, masks.encode(target)) for candidate in candidates]
            surest_ious.append(scores[max(range(3), key=lambda i: (candidates[i].score, i))])
            best.append(max(scores))
    assert np.mean(surest_ious) > 0.65 and np.mean(best) > np.mean(surest_ious) + 0.02


def test_tight_is_the_largest_part_wider_all_parts_and_widest_the_box(region):
    image = np.full((60, 80, 3), 220, np.uint8)
    large, small, box = np.zeros((3, 60, 80), bool)
    large[10:40, 10:40] = small[10:40, 50:60] = box[10:40, 10:60] = True
    image[large | small] = (200, 30, 30)
    region.set_image(image)
    (candidates,) = region.segment([(10 / 80, 10 / 60, 60 / 80, 40 / 60)])
    for candidate, target in zip(candidates, (large, large | small, box)):
        assert masks.iou(candidate.mask, masks.encode(target)) > 0.97
    # Colours change along all of a part's outline, but not where the box runs over the gap of 10 in its width of 50.
    assert candidates[0].score == candidates[1].score == 1.0
    assert candidates[2].score == pytest.approx(1 - 2 * 10 / (2 * 50 + 2 * 30), abs=0.07)


def test_a_hole_belongs_to_the_region_round_it(region):
    image = np.full((60, 60, 3), 220, np.uint8)
    image[10:50, 10:50] = (30, 30, 200)
    image[25:35, 25:35] = 220
    region.set_image(image)
    (candidates,) = region.segment([(1 / 6, 1 / 6, 5 / 6, 5 / 6)])
    assert [masks.area(candidate.mask) for candidate in candidates] == [pytest.approx(1600, abs=20)] * 3


def test_large_images_are_worked_on_small_and_answered_large(region):
    image = np.full((900, 1200, 3), (90, 140, 90), np.uint8)
    target = cv2.circle(np.zeros((900, 1200), np.uint8), (600, 450), 300, 1, cv2.FILLED).astype(bool)
    image[target] = (230, 220, 60)
    surest_iou, _, of_box = ious(region, image, [target])
    assert surest_iou[0] > 0.98 and of_box[0] == pytest.approx(np.pi / 4, abs=0.01)


def test_points_and_boxes_may_be_mixed_and_nothing_else_changes_a_result(region):
    region.set_image(drawings(1)[0].image)
    prompts = [(0.2, 0.3), (0.1, 0.1, 0.6, 0.7), (0.8, 0.5), (0.4, 0.2, 0.9, 0.9)]
    together = region.segment(prompts)
    cv2.setRNGSeed(4711)  # GrabCut draws from OpenCV's generator
    assert [region.segment([prompt])[0] for prompt in reversed(prompts)] == together[::-1]
    assert region.segment([]) == []


def test_where_nothing_surrounds_the_box_or_differs_from_it_the_box_is_all_there_is(region):
    flat = np.full((30, 40, 3), 128, np.uint8)
    noise = np.random.RandomState(0).randint(0, 256, (30, 40, 3)).astype(np.uint8)
    for image, box, area in ((noise, (0, 0, 1, 1), 1200), (flat, (0.25, 0.2, 0.75, 0.8), 20 * 18)):
        region.set_image(image)
        (candidates,) = region.segment([box])
        assert [masks.area(candidate.mask) for candidate in candidates][-1] == area
        assert [candidate.score for candidate in candidates] == [0.0] * 3


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (5, 300), (300, 3), (40, 40)])
def test_no_box_and_no_image_is_too_odd(region, size):
    rng = np.random.RandomState(0)
    odd = [(0, 0, 1, 1), (0, 0, 0, 0), (1, 1, 1, 1), (0.5, 0.5, 0.5, 0.5), (0.9, 0, 0.1, 1), (1, 0, 1, 1)]
    boxes = odd + [tuple(corners) for corners in rng.random_sample((10, 4))]
    for image in (rng.randint(0, 256, (*size, 3)), rng.randint(0, 2, (*size, 1)).repeat(3, 2) * 255):
        region.set_image(image.astype(np.uint8))
        for candidates in region.segment(boxes):
            tight, wider, widest = (masks.decode(candidate.mask) for candidate in candidates)
            assert tight.any() and not (tight & ~wider).any() and not (wider & ~widest).any()
            assert widest.shape == size and all(0 <= candidate.score <= 1 for candidate in candidates)
