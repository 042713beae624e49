"""The pixels of an axis of the image in a grid of tokens, and their bicubic weights."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pixfound_tasks.attention.token_grids import Method, pixel_places, sample

if TYPE_CHECKING:
    from jaxtyping import Float32, Float64, Int

_A = -0.75  # the free parameter of torch's bicubic kernel
# The weights of the four tokens around a place, as polynomials of its distance from the second: 1, t, t^2, t^3.
_WEIGHTS = np.array(
    [
        [0.0, _A, -2 * _A, _A],
        [1.0, 0.0, -(_A + 3), _A + 2],
        [0.0, -_A, 2 * _A + 3, -(_A + 2)],
        [0.0, 0.0, _A, -_A],
    ]
)
_SLOPE = np.float32(-_A / 3)  # of the first control point after a token


class Axis:
    """The pixels of one axis of the image in a grid of tokens.

    Attributes:
        places: pixel centers in grid coordinates, float32, as `pixel_places` returns them.
        start, stop: the half-open range of the pixels that the grid covers.
        base: the token center at or before each pixel, -1 before the first.
        rest: the distance of each pixel from there, 0..1, in tokens.
        cells: tokens along the axis.
    """

    def __init__(self, edges: Float64[np.ndarray, " edges"], length: int) -> None:
        self.places = pixel_places(edges, length)
        self.cells = len(edges) - 1
        covered = np.flatnonzero(~np.isnan(self.places))
        self.start, self.stop = (int(covered[0]), int(covered[-1]) + 1) if len(covered) else (0, 0)
        # As torch computes it in float32, with one rounding for product and difference; some builds round them both.
        shifted = (np.nan_to_num(self.places) + np.float32(1)).astype(np.float64)
        position = (shifted * (self.cells / 2) - 0.5).astype(np.float32).astype(np.float64)
        self.base = np.floor(position).astype(int)
        self.rest = position - self.base

    def breaks(self, method: Method) -> Int[np.ndarray, " breaks"]:
        """Return the pixels at which another polynomial, or the next token, begins, and the end of the grid."""
        piece = self.base if method == "bicubic" else self.nearest
        inside = piece[self.start : self.stop]
        return np.concatenate([[self.start, self.stop], self.start + 1 + np.flatnonzero(np.diff(inside))])

    @cached_property
    def nearest(self) -> Int[np.ndarray, " length"]:
        """The token that each pixel gets its value from if the grid is painted nearest."""
        places = np.stack([np.nan_to_num(self.places), np.zeros_like(self.places)], axis=-1)
        return sample(np.arange(self.cells, dtype=np.float32)[None], places, "nearest").astype(int)

    def weights(self, pixels: Int[np.ndarray, " pixels"]) -> Float64[np.ndarray, "pixels cells"]:
        """Return the weight of each token along the axis in each pixel's bicubic value."""
        weights = self.rest[pixels, None] ** np.arange(4) @ _WEIGHTS.T
        spread = np.zeros((len(pixels), self.cells))
        each = np.arange(len(pixels))
        for tap in range(4):  # beyond the grid, its outermost tokens are repeated
            spread[each, (self.base[pixels] + tap - 1).clip(0, self.cells - 1)] += weights[:, tap]
        return spread


def controls(
    first: Float64[np.ndarray, " spans"], last: Float64[np.ndarray, " spans"]
) -> Float64[np.ndarray, "spans 4 4"]:
    """Return the Bernstein form of the weights of four tokens between two distances from the second token.

    A row holds the weights of one control point. In between, a polynomial lies between its lowest and its highest
    control point. At the two distances it equals the first and the last control point.
    """
    s, t = first, last
    powers = np.empty((len(s), 4, 4))
    powers[:, :, 0] = 1
    powers[:, 0, 1], powers[:, 1, 1], powers[:, 2, 1], powers[:, 3, 1] = s, (2 * s + t) / 3, (s + 2 * t) / 3, t
    ss, st, tt = s * s, s * t, t * t
    powers[:, 0, 2], powers[:, 1, 2], powers[:, 2, 2], powers[:, 3, 2] = ss, (ss + 2 * st) / 3, (tt + 2 * st) / 3, tt
    powers[:, 0, 3], powers[:, 1, 3], powers[:, 2, 3], powers[:, 3, 3] = ss * s, ss * t, tt * s, tt * t
    return powers @ _WEIGHTS.T


def highest_controls(cells: Float32[np.ndarray, "rows+3 columns+3"]) -> Float32[np.ndarray, "rows columns"]:
    """Return the highest control point of the bicubic polynomial of every 4 x 4 cells, see `controls` from 0 to 1.

    Of four cells a, b, c and d in a row, the control points are b, b + (c - a) / 4, c - (d - b) / 4, and c. The two in
    the middle are a cell plus or minus a slope, which neighboring polynomials share. So a few sums of whole arrays give
    all of them. The arrays are flat, and what runs from the end of a row into the next is dropped in the end.
    """
    width = cells.shape[1]
    highest = []
    for along in _with_slope(cells.ravel(), width):
        middle, above, below = _with_slope(along, 1)
        highest.append(np.maximum(np.maximum(middle, above)[:-1], np.maximum(middle, below)[1:]))
    middle, above, below = highest
    found = np.empty((len(cells) - 3) * width, np.float32)
    np.maximum(np.maximum(middle, above)[:-width], np.maximum(middle, below)[width:], out=found[:-3])
    return found.reshape(-1, width)[:, :-3]


def _with_slope(values: Float32[np.ndarray, " values"], step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all values but `step` on both sides, and these plus and minus the slope at each."""
    middle = values[step:-step]
    slope = values[2 * step :] - values[: -2 * step]
    slope *= _SLOPE
    return middle, middle + slope, middle - slope
