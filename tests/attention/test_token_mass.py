"""Sums of positive values from the token values against those of the painted map."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from attention.test_token_peaks import geometries, paintings, random_values  # noqa: F401
from hypothesis import given, settings
from hypothesis import strategies as st

from pixfound_tasks import masks
from pixfound_tasks.analysis.map_mass import map_mass, phrase_mass
from pixfound_tasks.attention import Look, TokenGeometry, grid_boxes
from pixfound_tasks.attention.mask_runs import MaskRuns
from pixfound_tasks.attention.positive_blocks import Nets, bernstein, cut, positive_sums_of
from pixfound_tasks.attention.token_mass import positive_sums

EXACT = 2e-6  # relative: painting rounds to float32


def painted_sums(geometry, values, inside, method="bicubic"):
    """The two sums from the painted map."""
    positive = np.nan_to_num(geometry.paint(values, method).astype(np.float64)).clip(min=0)
    return positive.sum(), positive[inside].sum()


def assert_exact(found, expected, geometry, values):
    """Sums are equal, but for what painting rounds along a line of pixels on which the map is nearly 0."""
    rounding = 1e-6 * np.abs(values).max(initial=0) * max(geometry.size)
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=rounding)


def a_mask(rng, size, kind):
    """A mask of the kinds that differ in how it cuts patches."""
    height, width = size
    row, column = np.mgrid[:height, :width]
    top, left = rng.integers(0, height), rng.integers(0, width)
    ellipse = ((row - top) / (1 + 0.4 * height)) ** 2 + ((column - left) / (1 + 0.3 * width)) ** 2 < 0.5
    return {
        "empty": np.zeros(size, bool),
        "full": np.ones(size, bool),
        "one pixel": (row == top) & (column == left),
        "box": (row >= top) & (column >= left),
        "ellipse": ellipse,
        "outside": ~ellipse,
        "stripes": column % 7 < 3,
        "rows": row % 5 < 2,
        "pixels": rng.random(size) < 0.3,
    }[kind]


MASKS = ("empty", "full", "one pixel", "box", "ellipse", "outside", "stripes", "rows", "pixels")


@settings(max_examples=150, deadline=None)
@given(
    geometries(),
    st.integers(0, 2**32 - 1),
    st.sampled_from(MASKS),
    st.sampled_from([2, 5, 1000]),
    st.sampled_from(["bicubic", "nearest"]),
)
def test_sums_of_any_geometry(geometry, seed, kind, levels, method):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, levels, len(geometry.boxes)).astype(np.float32) - levels // 2
    inside = a_mask(rng, geometry.size, kind)
    found = positive_sums(geometry, values, inside, method)
    assert_exact(found, painted_sums(geometry, values, inside, method), geometry, values)
    assert positive_sums(geometry, values, MaskRuns(masks.encode(inside)), method) == found


def maps(rng, side):
    """Maps with zeros along straight lines, at corners and nowhere, and random ones, positive or centered."""
    row, column = np.mgrid[:side, :side]
    one = np.zeros((side, side))
    one[side // 2, side // 3] = 1
    board = (row + column) % 2
    found = [
        one, -one, 1 - one, board, board - 0.5, board - 0.3, (row // 2 + column // 3) % 3 - 1.0, column - side / 3,
        row - side / 2, np.minimum(row, column) - 1.0, np.ones_like(one), -np.ones_like(one), 1 + 1e-5 * one,
    ]  # fmt: skip
    random = [random_values(rng, side * side).reshape(side, side) for _ in range(8)]
    return [each.astype(np.float32).ravel() for each in [*found, *random, *(each - each.mean() for each in random)]]


@pytest.mark.parametrize("size", [(480, 640), (301, 200), (1, 90), (90, 1), (24, 24), (700, 70)])
@pytest.mark.parametrize("side", [1, 2, 5, 24])
def test_maps_of_every_kind(side, size):
    """Patches from below a pixel to hundreds of pixels, with masks of all kinds."""
    rng = np.random.default_rng(side)
    geometry = TokenGeometry(grid_boxes(side, side, (-3, 0, size[1], size[0] + 5)), size)
    for number, values in enumerate(maps(rng, side)):
        inside = a_mask(rng, size, MASKS[number % len(MASKS)])
        expected = painted_sums(geometry, values, inside)
        for mask in (inside, masks.encode(inside), MaskRuns(inside)):
            assert_exact(positive_sums(geometry, values, mask), expected, geometry, values)


def test_one_mask_for_several_maps_and_geometries(paintings):  # noqa: F811
    """What is kept of a mask belongs to the geometry that it was computed for."""
    rng, size = np.random.default_rng(2), (90, 120)
    inside = a_mask(rng, size, "ellipse")
    runs = MaskRuns(inside)
    tiles = np.concatenate([grid_boxes(6, 8, (0, 0, 80, 90)), grid_boxes(3, 3, (0, 0, 120, 90))])
    for boxes in (tiles, grid_boxes(7, 5, (0, 0, 120, 90)), grid_boxes(40, 60, (0, 0, 120, 90))) * 2:
        geometry, values = TokenGeometry(boxes, size), random_values(rng, len(boxes))
        found = positive_sums(geometry, values, runs)
        assert not paintings
        assert_exact(found, painted_sums(geometry, values, inside), geometry, values)
        paintings.clear()


def test_cells_of_different_sizes():
    """Tiles of boxes of one shape with a gap, which makes the cells there larger, and a map of many pixels per cell."""
    rng, size = np.random.default_rng(6), (140, 190)
    inside = a_mask(rng, size, "ellipse")
    for shift in (0.2, 5, 14):
        boxes = np.concatenate([grid_boxes(4, 3, (0, 0, 90, 140)), grid_boxes(4, 3, (90 + shift, 0, 180 + shift, 140))])
        geometry = TokenGeometry(boxes, size)
        (layer,) = geometry.layers
        steps = np.diff(layer.x.base + layer.x.rest)
        assert np.ptp(steps) > 1e-4
        for _ in range(5):
            values = rng.normal(size=24).astype(np.float32)
            assert_exact(
                positive_sums(geometry, values, inside), painted_sums(geometry, values, inside), geometry, values
            )


def test_values_that_are_not_finite_are_painted(paintings):  # noqa: F811
    geometry = TokenGeometry(grid_boxes(4, 4, (0, 0, 40, 40)), (40, 50))
    values = random_values(np.random.default_rng(0), 16)
    values[5] = np.nan
    inside = np.zeros((40, 50), bool)
    inside[3:30, 2:40] = True
    expected = painted_sums(geometry, values, inside)
    paintings.clear()
    assert positive_sums(geometry, values, masks.encode(inside)) == expected
    assert paintings == ["bicubic"]


def test_a_mask_of_another_size_is_an_error():
    geometry = TokenGeometry(grid_boxes(2, 2, (0, 0, 10, 10)), (10, 10))
    with pytest.raises(ValueError, match=r"expected a mask of the image's size \(10, 10\), but got \(10, 9\)"):
        positive_sums(geometry, np.ones(4), np.ones((10, 9), bool))


@pytest.mark.parametrize("kind", MASKS)
def test_an_rle_in_any_form_has_the_runs_of_its_mask(kind):
    mask = a_mask(np.random.default_rng(0), (7, 11), kind)
    columns = mask.T.ravel()
    edges = np.flatnonzero(np.diff(columns, prepend=False))
    counts = np.diff(np.concatenate([[0], edges, [columns.size]])).tolist()
    text = masks.encode(mask)
    for rle in (text, {**text, "counts": text["counts"].encode()}, {**text, "counts": counts}):
        found = MaskRuns(rle)
        assert found.area == mask.sum() and found.rle == text
        np.testing.assert_array_equal(found.runs, MaskRuns(mask).runs)


@pytest.mark.parametrize(
    "mask, message",
    [
        (np.full((5, 4), 0.5), "expected a mask of bool or 0 and 1, but got float64"),
        ({**masks.empty((50, 40)), "size": [5, 4]}, "expected run lengths that add up to 20 pixels"),
        ({"size": [5, 4], "counts": ""}, "expected run lengths that add up to 20 pixels"),
        ({"size": [5, 4]}, "expected a mask as an array, as an RLE with size and counts, or MaskRuns"),
        (None, "expected a mask as an array, as an RLE with size and counts, or MaskRuns, but got None"),
    ],
)
def test_what_is_no_mask_is_an_error(mask, message):
    with pytest.raises(ValueError, match=message):
        positive_sums(TokenGeometry(grid_boxes(2, 2, (0, 0, 4, 5)), (5, 4)), np.ones(4), mask)


def test_a_mask_keeps_nothing_of_geometries_that_are_gone():
    runs = MaskRuns(np.eye(10, dtype=bool))
    for _ in range(5):
        positive_sums(TokenGeometry(grid_boxes(2, 2, (0, 0, 10, 10)), (10, 10)), np.arange(4.0), runs)
    gc.collect()
    assert len(runs.kept) == 0


@pytest.mark.parametrize("kind", MASKS)
def test_runs_are_the_pixels_of_the_mask(kind):
    for size in ((7, 11), (1, 9), (9, 1)):
        mask = a_mask(np.random.default_rng(0), size, kind)
        found = MaskRuns(mask)
        assert found.size == size
        again = np.zeros(size, int)
        for column, top, bottom in zip(*found.runs):
            again[top:bottom, column] += 1
        np.testing.assert_array_equal(again, mask)


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (32, 33), (70, 100), (200, 31)])
def test_sums_of_blocks_are_those_of_their_pixels(shape):
    """A block of any size is cut into parts that have one sign, or that are added to work. Each has an owner."""
    rng = np.random.default_rng(0)
    down, across = (bernstein(np.arange(count) / max(count - 1, 1)) for count in shape)
    points = rng.normal(size=(16, 60)).astype(np.float32)
    points[:, :5] += 3
    pixels = np.einsum("yi,ijn,xj->nyx", down, points.astype(np.float64).reshape(4, 4, -1), across)
    expected, owners = pixels.clip(min=0).sum(axis=(1, 2)), rng.permutation(60)
    work = {}
    found = np.zeros(60)
    for some in np.split(np.arange(60), 3):
        nets = Nets(points[:, some], owners[some], np.full(20, shape[0]), np.full(20, shape[1]))
        found[owners[some]] += cut(nets, shape, work)
    np.testing.assert_allclose((found + positive_sums_of(work, 60))[owners], expected, rtol=EXACT)


def test_twelve_megapixels(paintings):  # noqa: F811
    size = (3000, 4000)
    rng = np.random.default_rng(1)
    geometry, inside = TokenGeometry(grid_boxes(24, 24, (0, 0, 4000, 3000)), size), a_mask(rng, size, "ellipse")
    row, column = np.mgrid[:24, :24]
    for values in (random_values(rng, 576), ((row + column) % 2 - 0.5).astype(np.float32).ravel()):
        found = positive_sums(geometry, values, inside)
        assert not paintings
        np.testing.assert_allclose(found, painted_sums(geometry, values, inside), rtol=EXACT)
        paintings.clear()


def test_the_mass_of_a_look_is_that_of_its_map(paintings):  # noqa: F811
    """The mass of one phrase of 300 x 400 pixels, in single precision."""
    rng = np.random.default_rng(3)
    geometry = TokenGeometry(grid_boxes(24, 24, (0, 0, 400, 300)), (300, 400))
    rows = rng.random((2, 576), dtype=np.float32)
    look = Look("a dog", ((0, 1), (1, 5)), rows, rows - rows.mean(axis=0), (geometry,))
    mask = np.zeros((300, 400), bool)
    mask[40:200, 100:330] = True
    target = masks.encode(mask)
    found = phrase_mass(look, "dog", target)
    assert look.phrase_sums("dog", MaskRuns(target)) == look.phrase_sums("dog", mask)
    assert not paintings
    assert found.mass == pytest.approx(map_mass(look.phrase_map("dog"), target).mass, rel=EXACT)
    assert found.area == mask.mean()
    with pytest.raises(ValueError, match=r"expected a map of the mask's size \[4, 6\], but got \[300, 400\]"):
        phrase_mass(look, "dog", masks.encode(np.ones((4, 6), bool)))
