"""Masks against plain numpy, and hostile run lengths, which must be refused before pycocotools sees them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from pixfound_tasks import masks
from pixfound_tasks.masks import InvalidMask


def random_mask(seed: int) -> np.ndarray:
    """Blocky masks of odd sizes, some of them empty or full."""
    rng = np.random.RandomState(seed)
    height, width = rng.randint(1, 40, 2)
    mask = rng.random_sample((height, width)) < rng.random_sample()
    mask[rng.randint(height) :] = rng.randint(2)
    return mask


@pytest.mark.parametrize("seed", range(50))
def test_what_was_encoded_is_read_and_decoded(seed):
    mask = random_mask(seed)
    rle = masks.encode(mask)
    assert masks.read_mask(rle, mask.shape) == rle
    np.testing.assert_array_equal(masks.decode(rle), mask)
    assert masks.area(rle) == mask.sum()


@pytest.mark.parametrize("seed", range(20))
def test_iou_and_union_against_numpy(seed):
    first = random_mask(seed)
    second = np.roll(first, 3, axis=1) ^ (np.random.RandomState(seed).random_sample(first.shape) < 0.1)
    one, other = masks.encode(first), masks.encode(second)
    union = (first | second).sum()
    assert masks.iou(one, other) == ((first & second).sum() / union if union else 1.0)
    np.testing.assert_array_equal(masks.decode(masks.union([one, other], first.shape)), first | second)


def test_iou_of_empty_masks_is_one():
    assert masks.iou(masks.empty((3, 4)), masks.empty((3, 4))) == 1.0
    assert masks.union([], (3, 4)) == masks.empty((3, 4))


def test_iou_of_masks_of_different_sizes_is_an_error():
    with pytest.raises(InvalidMask, match=r"of one size, but got \[3, 4\] and \[4, 3\]"):
        masks.iou(masks.empty((3, 4)), masks.empty((4, 3)))


def test_boxes_and_points():
    box = masks.decode(masks.from_box((0.25, 0.5, 0.75, 1.0), (4, 8)))
    assert box[2:, 2:6].all() and box.sum() == 8
    point = masks.decode(masks.from_point((1.0, 0.0), (4, 8)))
    assert point[0, 7] and point.sum() == 1


def test_polygons_are_united():
    squares = [[0, 0, 4, 0, 4, 4, 0, 4], [2, 2, 6, 2, 6, 6, 2, 6]]
    # Two 4 x 4 squares that share 2 x 2 pixels: 16 + 16 - 4.
    assert masks.area(masks.from_polygons(squares, (8, 8))) == 28
    assert masks.from_polygons([], (8, 8)) == masks.empty((8, 8))


def test_resize_takes_the_nearest_pixel():
    mask = random_mask(3)
    np.testing.assert_array_equal(masks.resize(mask, mask.shape), mask)
    doubled = masks.resize(mask, (2 * mask.shape[0], 2 * mask.shape[1]))
    np.testing.assert_array_equal(doubled, np.kron(mask, np.ones((2, 2), bool)))
    np.testing.assert_array_equal(masks.resize(doubled, mask.shape), mask)


def test_run_lengths_as_a_list_are_read():
    # Column by column: 3 pixels out, 2 in, 1 out.
    rle = masks.read_mask({"size": [2, 3], "counts": [3, 2, 1]}, (2, 3))
    np.testing.assert_array_equal(masks.decode(rle), [[0, 0, 1], [0, 1, 0]])


HOSTILE = {
    "another size": {"size": [3, 2], "counts": "6"},
    "a huge size": {"size": [2**31, 2**31], "counts": "6"},
    "no size": {"counts": "6"},
    "a size that is none": {"size": 6, "counts": "6"},
    "too few pixels": {"size": [2, 3], "counts": "5"},
    "too many pixels": {"size": [2, 3], "counts": "7"},
    "a negative run": {"size": [2, 3], "counts": [7, -1]},
    "runs that are no numbers": {"size": [2, 3], "counts": [6.0]},
    "no counts": {"size": [2, 3]},
    "counts that are cut off": {"size": [2, 3], "counts": "o"},
    "an endless number": {"size": [2, 3], "counts": "o" * 40 + "0"},
    "other characters": {"size": [2, 3], "counts": "\u00e9"},
    "a list": [2, 3],
    "nothing": None,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_masks_are_refused(name):
    with pytest.raises(InvalidMask, match="expected .*, but got"):
        masks.read_mask(HOSTILE[name], (2, 3))


def compressed(runs):
    """Run lengths of any size in COCO's text form, which pycocotools cuts to 32 bits."""
    text = ""
    for index, run in enumerate(runs):
        number = run - runs[index - 2] if index > 2 else run
        is_last = False
        while not is_last:
            bits, number = number & 31, number >> 5
            is_last = number == (-1 if bits & 16 else 0)
            text += chr(48 + bits + (0 if is_last else 32))
    return text


def test_runs_that_add_up_modulo_2_to_the_64_are_refused():
    # Differences of at most 34 bits make runs that sum to 2^64 and the number of pixels.
    step, wanted = 2**34 - 1, 2**64 + 480 * 640
    rising = [0, *(step * (index // 2) for index in range(46_340))]
    runs = [*rising, *rising[:0:-1], 0, 0]
    runs += [step] * ((wanted - sum(runs)) // step)
    runs.append(wanted - sum(runs))
    assert sum(runs) == wanted and min(runs) >= 0
    text = compressed(runs)
    assert len(text) < 7 * 480 * 640  # so it is not refused as too long
    with pytest.raises(InvalidMask, match="that add up to 307200 pixels"):
        masks.read_mask({"size": [480, 640], "counts": text}, (480, 640))


def test_many_masks_are_read_as_one_by_one():
    rng = np.random.RandomState(0)
    good = [masks.encode(rng.rand(2, 3) < share) for share in (0, 0.2, 0.5, 0.5, 0.8, 1)]
    mixed = [value for pair in zip(good, HOSTILE.values()) for value in pair] + list(HOSTILE.values())

    def alone(value):
        try:
            return masks.read_mask(value, (2, 3))
        except InvalidMask as error:
            return str(error)

    for values in (good, mixed, []):
        found = masks.read_masks(values, (2, 3))
        assert [str(each) if isinstance(each, InvalidMask) else each for each in found] == list(map(alone, values))
    assert masks.read_masks(good, (2, 3)) == good


@given(st.text(alphabet=[chr(48 + bits) for bits in range(64)] + ["~", " "], max_size=30))
def test_any_counts_are_refused_or_decode_to_the_size(counts):
    try:
        rle = masks.read_mask({"size": [5, 7], "counts": counts}, (5, 7))
    except InvalidMask:
        return
    assert masks.decode(rle).shape == (5, 7)
    assert 0 <= masks.area(rle) <= 35


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40))
def test_run_lengths_agree_with_pycocotools(runs):
    size = (1, max(sum(runs), 1))
    runs = runs if sum(runs) else [1]
    rle = coco.frPyObjects({"size": list(size), "counts": runs}, *size)
    assert masks._runs([rle["counts"].decode()]).lengths.tolist() == runs


@pytest.mark.parametrize("size", [(480, 640), (33, 500), (7, 5), (300, 41)])
@pytest.mark.parametrize("longest", [128, 40, 3, 1])
def test_shrunk_masks_are_those_resized_pixel_by_pixel(size, longest):
    rng = np.random.RandomState(0)
    drawn = [rng.random_sample(size) < share for share in (0, 0.01, 0.3, 0.5, 0.99, 1)]
    found = masks.shrunk([masks.encode(mask) for mask in drawn], longest)
    new = tuple(found[0]["size"])
    assert max(new) == min(longest, max(size))
    assert found == [masks.encode(masks.resize(mask, new)) for mask in drawn]
