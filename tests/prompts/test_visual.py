from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.prompts.visual_variants import CROPS, MASK_OUTS, Region, VisualChange, visual_changes

SIZE = (80, 120)  # height, width


def rectangle(left, top, right, bottom, size=SIZE):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return masks.encode(mask)


@pytest.fixture(scope="module")
def blobs():
    """Masks of all kinds: none, one pixel, the whole image, rectangles, thin crosses and scattered pixels."""
    rng = np.random.RandomState(5)
    arrays = [np.zeros(SIZE, bool), np.ones(SIZE, bool)]
    for _ in range(60):
        mask = np.zeros(SIZE, bool)
        y, x = rng.randint(SIZE[0]), rng.randint(SIZE[1])
        height, width = rng.randint(1, 60, 2)
        mask[y : y + height, x : x + width] = rng.uniform(size=SIZE)[y : y + height, x : x + width] < rng.uniform()
        mask[y, x] = True
        arrays.append(mask)
    for y, x in ((10, 10), (79, 119)):
        cross = np.zeros(SIZE, bool)
        cross[y], cross[:, x] = True, True
        arrays += [cross, np.zeros(SIZE, bool)]
    return [masks.encode(array) for array in arrays]


def test_a_crop_ends_within_the_objects_box():
    # A box of 60 x 50 from (20, 10). numpy's first number after seed 2024 is u = 0.588, so p = 0.5 + 0.3 u = 0.676:
    # int(60 p) = 40 and int(50 p) = 33 are kept of the box, and all that is left of it and above.
    assert round(np.random.RandomState(2024).uniform(), 3) == 0.588
    target = rectangle(20, 10, 80, 60)
    ((change,),) = visual_changes([target], [0])
    assert change == VisualChange("crop", Region(0, 0, 20 + 40, 10 + 33))
    assert masks.decode(change.mask(target)).sum() == 40 * 33


def test_a_crop_keeps_thirty_pixels_of_a_small_object_but_not_more_than_there_are():
    targets = [rectangle(20, 10, 25, 15), rectangle(110, 70, 115, 75)]
    crops = [change.region for (change,) in visual_changes(targets, [0])]
    assert crops == [Region(0, 0, 20 + 30, 10 + 30), Region(0, 0, 120, 80)]


def test_a_crop_that_loses_the_object_is_not_made():
    # All but one pixel of the mask is in the last row and column of its box, which no crop keeps.
    corner = np.zeros(SIZE, bool)
    corner[5, 5], corner[75, 5:110], corner[5:76, 109] = True, True, True
    (changes,) = visual_changes([masks.encode(corner)], CROPS)
    assert changes == [VisualChange("crop", None)] * 10


def test_a_mask_out_is_tried_at_the_drawn_place_and_then_at_the_corner():
    # A box of 60 x 50 from (20, 10). With seed 2024 + v the stream gives u, tx and ty; p = 0.8 u.
    target = rectangle(20, 10, 80, 60)
    (changes,) = visual_changes([target], MASK_OUTS)
    tried = []
    for variation, change in zip(MASK_OUTS, changes):
        numbers = np.random.RandomState(2024 + variation)
        share, x, y = 0.8 * numbers.uniform(), numbers.randint(20, 80), numbers.randint(10, 60)
        width, height = int(60 * share), int(50 * share)
        drawn = max(min(80, x + width) - x, 0) * max(min(60, y + height) - y, 0) > 0.2 * 60 * 50
        at_corner = width * height > 0.2 * 60 * 50
        tried.append("drawn" if drawn else "corner" if at_corner else "unchanged")
        expected = {
            "drawn": Region(x, y, min(x + width, 120), min(y + height, 80)),
            "corner": Region(20, 10, 20 + width, 10 + height),
            "unchanged": None,
        }
        assert change == VisualChange("mask_out", expected[tried[-1]])
    assert set(tried) == {"drawn", "corner", "unchanged"}


def test_a_change_is_made_to_picture_and_mask_alike():
    pixels = np.random.RandomState(3).randint(1, 255, (*SIZE, 3)).astype(np.uint8)
    picture, target = Image.fromarray(pixels), rectangle(20, 10, 80, 60)
    region = Region(70, 50, 100, 80)
    cropped, black = VisualChange("crop", region), VisualChange("mask_out", region)

    np.testing.assert_array_equal(np.asarray(cropped.image(picture)), pixels[50:80, 70:100])
    np.testing.assert_array_equal(masks.decode(cropped.mask(target)), masks.decode(target)[50:80, 70:100])

    is_black = (np.asarray(black.image(picture)) == 0).all(-1)
    assert masks.encode(is_black) == rectangle(*region)
    assert (np.asarray(black.image(picture))[~is_black] == pixels[~is_black]).all()
    assert masks.area(black.mask(target)) == 60 * 50 - 10 * 10
    assert (np.asarray(picture) == pixels).all()

    unchanged = VisualChange("crop", None)
    assert unchanged.mask(target) == target and (np.asarray(unchanged.image(picture)) == pixels).all()


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_a_picture_of_any_mode_is_blacked_out(mode):
    change = VisualChange("mask_out", Region(0, 0, 60, 80))
    pixels = np.asarray(change.image(Image.new("RGB", (120, 80), (255, 255, 255)).convert(mode)))
    assert pixels.shape == (80, 120, 3) and not pixels[:, :60].any() and (pixels[:, 60:] == 255).all()


def test_what_is_left_and_what_goes_is_more_than_a_fifth(blobs):
    for target, changes in zip(blobs, visual_changes(blobs, range(20))):
        area = masks.area(target)
        for change in (change for change in changes if change.region):
            left, top, right, bottom = change.region
            assert 0 <= left < right <= 120 and 0 <= top < bottom <= 80
            rest = masks.area(change.mask(target))
            assert (rest if change.kind == "crop" else area - rest) > 0.2 * area


def test_an_empty_mask_draws_nothing_and_stays(blobs):
    variations = [0, 7, 10, 19]
    every = list(visual_changes(blobs, variations))
    is_empty = [masks.area(target) == 0 for target in blobs]
    assert any(is_empty)
    assert all(change.region is None for changes, empty in zip(every, is_empty) if empty for change in changes)
    filled = [changes for changes, empty in zip(every, is_empty) if not empty]
    assert filled == list(visual_changes([target for target, empty in zip(blobs, is_empty) if not empty], variations))


def test_changes_are_repeatable_alone_or_together_and_leave_the_global_streams_alone(blobs):
    before = np.random.get_state()[1].copy(), np.random.get_state()[2], random.getstate()
    together = [changes[2:4] for changes in visual_changes(blobs, [0, 11, 4, 12])]
    assert together == list(visual_changes(blobs, [4, 12])) != list(visual_changes(blobs, [5, 13]))
    after = np.random.get_state()[1], np.random.get_state()[2], random.getstate()
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_masks_are_read_as_changes_are_asked_for(blobs):
    read = []
    changes = visual_changes((read.append(index) or target for index, target in enumerate(blobs)), [0])
    assert read == []
    next(changes)
    assert read == [0]


def test_an_unknown_variation_says_which_there_are():
    with pytest.raises(ValueError, match=r"0\.\.9 \(crops\) and 10\.\.19 \(mask-outs\), but got \[-1, 20\]"):
        visual_changes([], [3, 20, -1])
