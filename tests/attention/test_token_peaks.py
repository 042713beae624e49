"""What is computed from the token values against the same of the painted map."""

from __future__ import annotations

import numpy as np
import pytest
from attention.families import FAMILIES, build_family
from hypothesis import given, settings
from hypothesis import strategies as st

from pixfound_tasks.attention import Look, TokenGeometry, grid_boxes
from pixfound_tasks.attention.families.registry import token_geometries
from pixfound_tasks.attention.geometry import peak
from pixfound_tasks.attention.token_peaks import covers_a_pixel, token_peak
from pixfound_tasks.attention.token_sums import cell_means_of_tokens, token_coarse_map
from pixfound_tasks.response.maps import cell_means, coarse_map, coarse_size

SIZES = [(56, 56), (40, 100), (17, 33), (133, 201), (90, 400), (310, 270), (40, 1000), (20, 20)]
RANKS = [1, 2, 3, 50]
TWELVE_MEGAPIXELS = (3000, 4000)


def random_values(rng, count):
    """Values as reducers give them: attention, which is positive, and attention minus its mean, smooth or not."""
    kind = rng.integers(4)
    if kind == 0:
        return rng.random(count, dtype=np.float32) / count
    if kind == 1:
        return rng.normal(size=count).astype(np.float32) / count
    if kind == 2:
        return np.exp(4 * rng.normal(size=count)).astype(np.float32)
    return np.cumsum(rng.normal(size=count)).astype(np.float32)


def assert_as_painted(geometry, values, ranks=RANKS, method="bicubic"):
    painted = geometry.paint(values, method)
    for rank in ranks:
        assert token_peak(geometry, values, rank, method=method) == peak(painted, rank)
    assert token_peak(geometry, values, ranks[-1], True, method) == peak(painted, ranks[-1], True)
    assert token_coarse_map(geometry, values, method) == coarse_map(painted)
    assert covers_a_pixel(geometry, values, method) == bool((~np.isnan(painted)).any())
    return painted


@pytest.fixture
def paintings(monkeypatch):
    """The methods of all whole maps that are painted from now on."""
    paint, found = TokenGeometry.paint, []

    def counted(self, values, method="bicubic"):
        found.append(method)
        return paint(self, values, method)

    monkeypatch.setattr(TokenGeometry, "paint", counted)
    return found


def family_geometry(name, size):
    family = build_family(name)
    (found,) = token_geometries(family.model.config, family.processor, [size], None, family.images_kwargs)
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_random_maps_of_every_family(name):
    """Of 21 families, 8 sizes and 6 maps each: 1,008 maps."""
    rng = np.random.default_rng(FAMILIES.index(name))
    for size in SIZES:
        geometry = family_geometry(name, size)
        for number in range(6):
            values = random_values(rng, len(geometry.boxes))
            rank = int(rng.integers(1, 51))
            assert_as_painted(geometry, values, [1, rank], "nearest" if number == 5 else "bicubic")


@pytest.mark.parametrize("name", ["llava", "qwen2_vl", "llava_next", "gemma3 with pan and scan"])
def test_maps_of_twelve_megapixels(name, paintings):
    geometry = family_geometry(name, TWELVE_MEGAPIXELS)
    values = random_values(np.random.default_rng(5), len(geometry.boxes))
    found = [token_peak(geometry, values, rank) for rank in RANKS], token_coarse_map(geometry, values)
    assert not paintings
    painted = geometry.paint(values)
    assert found == ([peak(painted, rank) for rank in RANKS], coarse_map(painted))


@pytest.mark.parametrize("size", [(480, 640), (100, 133), (24, 24)])
@pytest.mark.parametrize("side", [1, 2, 7, 24])
def test_peaks_that_are_hard_to_tell(side, size):
    """One value among equal ones, plateaus, edges and checkerboards: many pixels are equal or nearly so."""
    geometry = TokenGeometry(grid_boxes(side, side, (0, 0, size[1], size[0])), size)
    row, column = np.mgrid[:side, :side]
    one = np.zeros((side, side))
    one[side // 2, side // 3] = 1
    maps = [
        one, -one, 0.5 + one, 1 - one, one * 1e-20, 1 + one * 1e-3, (row + column) % 2, column >= side // 2, row // 2,
        np.minimum(row, column), (row % 3 == 1) & (column % 3 == 1), np.ones_like(one) * (row == side - 1),
        1 + 1e-5 * one, 1 + 2e-7 * one,
    ]  # fmt: skip
    for values in maps:
        assert_as_painted(geometry, values.ravel().astype(np.float32))


@pytest.mark.parametrize("value", [1 / 576, 0.0714, -3.0, 0.0, np.nan])
def test_one_value_everywhere_is_flat_and_is_not_painted(value, paintings):
    for side in (1, 4, 7, 24):
        for size in ((56, 56), (100, 133), (336, 500)):
            geometry = TokenGeometry(grid_boxes(side, side, (0, 0, size[1], size[0])), size)
            values = np.full(side * side, value, np.float32)
            assert token_peak(geometry, values) is None and token_coarse_map(geometry, values) is None
    assert not paintings


def test_ordinary_maps_are_not_painted(paintings):
    rng = np.random.default_rng(0)
    for size in ((480, 640), (200, 1000)):
        for rows, columns in ((24, 24), (17, 30), (48, 64)):
            geometry = TokenGeometry(grid_boxes(rows, columns, (-9, 0, size[1] + 5, size[0])), size)
            for _ in range(10):
                values = random_values(rng, rows * columns)
                for rank in RANKS:
                    assert token_peak(geometry, values, rank) is not None
                token_coarse_map(geometry, values)
    assert not paintings


@pytest.mark.parametrize("method", ["bicubic", "nearest"])
@pytest.mark.parametrize(
    "fault", [{3: np.nan}, {0: np.inf}, {5: -np.inf}, {3: np.nan, 8: np.inf}, dict.fromkeys(range(16), np.nan)]
)
def test_values_that_are_not_finite(fault, method):
    """The tiles, which are the first 16 tokens, and the thumbnail below them: both show."""
    tiles, thumbnail = grid_boxes(4, 4, (0, 0, 60, 60)), grid_boxes(3, 3, (0, 0, 100, 80))
    geometry = TokenGeometry(np.concatenate([tiles, np.full((1, 4), np.nan), thumbnail]), (80, 100))
    for seed in range(5):
        values = random_values(np.random.default_rng(seed), 26)
        for token, value in fault.items():
            values[token] = value
        with np.errstate(all="ignore"):
            assert_as_painted(geometry, values, method=method)


@st.composite
def geometries(draw):
    """Grids that lie in, over or beyond the image, over each other or apart, and boxes without order."""
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    edges = st.floats(-0.5, 1.5)
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
        left, top = draw(edges) * width, draw(edges) * height
        right, bottom = left + draw(st.floats(0.1, 1.5)) * width, top + draw(st.floats(0.1, 1.5)) * height
        parts.append(grid_boxes(rows, columns, (left, top, right, bottom)))
        if draw(st.booleans()):  # another of the same shape, somewhere else
            parts.append(parts[-1] + np.array([draw(edges) * width, draw(edges) * height] * 2))
    parts.append(np.full((draw(st.integers(0, 2)), 4), np.nan))
    boxes = np.concatenate(parts)
    return TokenGeometry(
        boxes[draw(st.permutations(range(len(boxes))))] if draw(st.booleans()) else boxes, (height, width)
    )


@settings(max_examples=150, deadline=None)
@given(geometries(), st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 1000]), st.sampled_from(["bicubic", "nearest"]))
def test_any_geometry(geometry, seed, levels, method):
    values = np.random.default_rng(seed).integers(0, levels, len(geometry.boxes)).astype(np.float32) - levels // 2
    assert_as_painted(geometry, values, [1, 2, 7, 50, 300], method)


@settings(max_examples=100, deadline=None)
@given(geometries(), st.integers(0, 2**32 - 1), st.sampled_from(["bicubic", "nearest"]))
def test_cells_and_parts_of_any_geometry(geometry, seed, method):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=len(geometry.boxes)).astype(np.float32)
    painted, size = geometry.paint(values, method), geometry.size
    cells, known = coarse_size(size), np.nan_to_num(painted.astype(np.float64))
    patches, highest = geometry.patches(values, method), np.abs(values).max(initial=0)
    np.testing.assert_allclose(
        cell_means_of_tokens(patches, values, cells), cell_means(known, cells), rtol=0, atol=3e-6 * highest
    )
    rows, columns = (slice(*sorted(rng.integers(0, side + 1, 2).tolist())) for side in size)
    np.testing.assert_array_equal(geometry.paint_part(values, rows, columns, method), painted[rows, columns])


def test_a_look_tells_what_its_map_tells():
    rng = np.random.default_rng(4)
    sizes = (90, 120), (60, 50)
    geometries = tuple(TokenGeometry(grid_boxes(6, 8, (0, 0, w, h)), (h, w)) for h, w in sizes)
    rows = rng.random((2, 96), dtype=np.float32)
    look = Look("a dog", ((0, 1), (1, 5)), rows, rows - rows.mean(axis=0), geometries)
    for image in (0, 1):
        painted = look.phrase_map("dog", image)
        assert look.phrase_peak("dog", image, 7, corner=True) == peak(painted, 7, corner=True)
        assert look.peak("dog", image, 7) == peak(painted, 7)
        assert look.phrase_coarse_map("dog", image) == coarse_map(painted)
        assert look.has_map("dog", image) and not look.has_map((0, 0), image)


def test_errors_are_those_of_the_painted_map():
    geometry = TokenGeometry(grid_boxes(2, 2, (0, 0, 10, 10)), (10, 10))
    with pytest.raises(ValueError, match=r"expected rank to be 1 \(the highest pixel\) or more, but got 0"):
        token_peak(geometry, np.arange(4.0), 0)
    for compute in (token_peak, token_coarse_map, covers_a_pixel):
        with pytest.raises(ValueError, match=r"one value for each of 4 image tokens, but got \(5,\)"):
            compute(geometry, np.arange(5.0))
    assert token_peak(geometry, np.arange(4.0), 101) is None, "there are 100 pixels"
