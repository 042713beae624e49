"""The bounds of blocks of pixels against the pixels of the painted map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixfound_tasks.attention import TokenGeometry, grid_boxes
from pixfound_tasks.attention.token_axes import controls, highest_controls
from pixfound_tasks.attention.token_blocks import OVERSHOOT, BlockPainter, cuts
from pixfound_tasks.attention.token_peaks import token_peak

WHOLE = controls(np.zeros(1), np.ones(1))[0]  # from one token center to the next
FLOAT32 = 1e-5  # of the highest value: the error of painted pixels and of bounds in single precision


@st.composite
def maps(draw):
    """Tiles over a thumbnail that may show beside them, with many, few or no pixels to a token, and values."""
    height, width = draw(st.integers(1, 120)), draw(st.integers(1, 120))
    side = st.integers(1, 30)
    tiles = draw(st.floats(-0.2, 0.5)) * width, draw(st.floats(-0.2, 0.5)) * height, 1.1 * width, 0.8 * height
    boxes = [grid_boxes(draw(side), draw(side), tiles), grid_boxes(draw(side), draw(side), (0, 0, width, height))]
    geometry = TokenGeometry(np.concatenate(boxes), (height, width))
    rng, levels = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.sampled_from([2, 3, 1000]))
    values = rng.integers(0, levels, len(geometry.boxes)) + draw(st.sampled_from([-levels, 0, 1000]))
    return geometry, values.astype(np.float32)


@pytest.mark.parametrize("shape", [(4, 4), (4, 9), (11, 5)])
def test_the_highest_control_points_are_those_of_the_polynomials(shape):
    cells = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(cells.astype(np.float64), (4, 4))
    nets = WHOLE @ windows @ WHOLE.T
    np.testing.assert_allclose(highest_controls(cells), nets.max(axis=(2, 3)), rtol=0, atol=1e-6)


def test_a_map_lies_no_further_beyond_its_tokens_than_overshoot():
    """It does so between tokens of the highest and lowest value, where all have the worst signs, and nowhere more."""
    rest = np.linspace(0, 1, 401)
    weights = controls(rest, rest)[:, 0]
    beyond = -np.minimum(np.multiply.outer(weights, weights), 0).sum(axis=(1, 3))
    assert beyond.max() == pytest.approx(OVERSHOOT, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(maps())
def test_no_pixel_is_above_the_bound_of_its_patch_or_part(drawn):
    """Patches of all rectangles, as a first bound tells, and their parts, which hold every pixel once."""
    geometry, values = drawn
    painted, error = geometry.paint(values).astype(np.float64), FLOAT32 * np.abs(values).max()
    seen = np.zeros(geometry.size, int)
    for cut in cuts(geometry.patches(values, "bicubic")):
        painter = BlockPainter(cut, values)
        rows, columns = (side.pieces.edges[:, 0] for side in (cut.y, cut.x))
        inside = painted[cut.rectangle.rows, cut.rectangle.columns]
        highest = np.maximum.reduceat(inside, rows - rows[0], axis=0)
        highest = np.maximum.reduceat(highest, columns - columns[0], axis=1)
        assert (painter.upper >= highest.ravel() - error).all()
        np.testing.assert_array_equal(painter.samples(), painted[np.ix_(rows, columns)].ravel())
        parts, lower = painter.split_patches(np.arange(highest.size))
        smaller, lowest = painter.split(parts)
        for blocks, below in ((parts, lower), (smaller, lowest)):
            for (top, bottom, left, right), low, high in zip(blocks.sides.T, below, blocks.upper):
                pixels = painted[top:bottom, left:right]
                assert low - error <= pixels.min() and pixels.max() <= high + error
        where, across = smaller.pixels()
        np.add.at(seen, (where, across), 1)
        np.testing.assert_array_equal(painter.values(where, across), painted[where, across])
    np.testing.assert_array_equal(seen, ~np.isnan(painted))


def test_few_pixels_are_computed_of_a_map_of_many_tokens(monkeypatch):
    """Of 107 x 142 tokens and 12 megapixels, those around few tokens."""
    computed, compute = [], BlockPainter.values
    monkeypatch.setattr(
        BlockPainter, "values", lambda self, rows, columns: computed.append(len(rows)) or compute(self, rows, columns)
    )
    geometry = TokenGeometry(grid_boxes(107, 142, (0, 0, 4000, 3000)), (3000, 4000))
    values = np.exp(2 * np.random.default_rng(0).normal(size=107 * 142)).astype(np.float32)
    for rank in (1, 50):
        computed.clear()
        assert token_peak(geometry, values, rank) is not None
        assert 0 < sum(computed) < 4000
