"""Blocks of pixels of a map: bounds of their values, and the values themselves as painting computes them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pixfound_tasks.attention.token_axes import Axis, controls, highest_controls
from pixfound_tasks.attention.token_grids import sample
from pixfound_tasks.attention.token_layers import Patches, Rectangle

if TYPE_CHECKING:
    from jaxtyping import Float32, Float64, Int

_PARTS = 4  # parts of a block along each axis
# How far a map lies above or below its tokens, as a fraction of their range. Along an axis, negative weights add up to
# at most n = 3/16, in the middle between two tokens, and the others to 1 + n. So the magnitudes of a pixel's weights
# add up to at most (1 + 2 n)^2, all its weights to 1, and the negative ones to at most this.
OVERSHOOT = ((1 + 2 * 3 / 16) ** 2 - 1) / 2


class Blocks(NamedTuple):
    """Rectangles of pixels.

    Attributes:
        sides: the half-open ranges of rows and columns: top, bottom, left, right.
        upper: what no pixel of a block is above, but for rounding errors.
    """

    sides: Int[np.ndarray, "4 blocks"]
    upper: Float64[np.ndarray, " blocks"]

    def take(self, which: Any) -> Blocks:
        """Return the blocks with these indices, or for which a mask is true."""
        return Blocks(self.sides[:, which], self.upper[which])

    @property
    def areas(self) -> Int[np.ndarray, " blocks"]:
        """The number of pixels in each block."""
        top, bottom, left, right = self.sides
        return np.asarray((bottom - top) * (right - left))

    def pixels(self, most: int | None = None) -> tuple[Int[np.ndarray, " pixels"], Int[np.ndarray, " pixels"]]:
        """Return the rows and columns of the pixels, at most the first `most` of each block in reading order."""
        top, _, left, right = self.sides
        counts = self.areas if most is None else np.minimum(self.areas, most)
        block = np.repeat(np.arange(len(counts)), counts)
        offsets = np.arange(len(block)) - (counts.cumsum() - counts)[block]
        down, across = np.divmod(offsets, (right - left)[block])
        return top[block] + down, left[block] + across


class _Division(NamedTuple):
    """Ranges of pixels along an axis, each between two token centers, divided in equal parts.

    Attributes:
        edges: the first pixels of the parts, and the end of the range.
        windows: the first of the four tokens that the range depends on, in `_Side.tokens`.
        controls: see `controls`, those of the parts after each other.
    """

    edges: Int[np.ndarray, "ranges parts+1"]
    windows: Int[np.ndarray, " ranges"]
    controls: Float64[np.ndarray, "ranges 4*parts 4"]

    def take(self, which: Int[np.ndarray, " ranges"]) -> _Division:
        """Return the ranges with these indices."""
        return _Division(self.edges[which], self.windows[which], self.controls[which])


class _Side:
    """One axis of a rectangle.

    Attributes:
        tokens: along the axis, those that any pixel depends on. Beyond the grid, its outermost tokens are repeated.
        pieces: the pixels between each two token centers.
        windows: those of the pieces, as an index.
    """

    def __init__(self, axis: Axis, pixels: slice) -> None:
        base = axis.base[pixels]
        self._axis, self._first = axis, base[0]
        self.tokens = np.arange(base[0] - 1, base[-1] + 3).clip(0, axis.cells - 1)
        starts = pixels.start + np.flatnonzero(np.diff(base, prepend=base[0] - 1))
        self.pieces = self.divide(starts, np.append(starts[1:], pixels.stop))
        has_all = len(starts) == len(self.tokens) - 3
        self.windows: Any = slice(None) if has_all else self.pieces.windows

    def divide(self, starts: Int[np.ndarray, " ranges"], ends: Int[np.ndarray, " ranges"]) -> _Division:
        """Divide ranges of pixels."""
        edges = starts[:, None] + (ends - starts)[:, None] * np.arange(_PARTS + 1) // _PARTS
        first = edges[:, :-1]
        last = np.maximum(edges[:, 1:] - 1, first)  # an empty part has any: it is dropped
        rest = self._axis.rest
        points = controls(rest[first].ravel(), rest[last].ravel()).reshape(-1, 4 * _PARTS, 4)
        return _Division(edges, self._axis.base[starts] - self._first, points)


class Cut:
    """A rectangle that one bicubic layer paints, cut in patches of one polynomial each.

    Attributes:
        rectangle: the rectangle.
        y, x: its axes. A patch is one piece of each.
        tokens: the image tokens that its pixels depend on.
        taps: the 4 x 4 tokens that a pixel depends on, as distances from the first in `tokens.ravel()`.
    """

    def __init__(self, rectangle: Rectangle) -> None:
        layer = rectangle.layer
        self.rectangle = rectangle
        self.y, self.x = _Side(layer.y, rectangle.rows), _Side(layer.x, rectangle.columns)
        self.tokens = layer.tokens[self.y.tokens[:, None], self.x.tokens]
        self.taps = (np.arange(4)[:, None] * len(self.x.tokens) + np.arange(4)).ravel()


def cuts(patches: Patches) -> list[Cut]:
    """Return the rectangles of bicubic layers in a map, cut. They are computed once."""
    if Cut not in patches.kept:
        patches.kept[Cut] = [Cut(rectangle) for rectangle in patches.rectangles]
    found: list[Cut] = patches.kept[Cut]
    return found


class BlockPainter:
    """Bounds and computes the pixels of blocks of one rectangle. Patches are numbered row by row."""

    def __init__(self, cut: Cut, values: Float32[np.ndarray, " tokens"]) -> None:
        self._cut, self._values = cut, values
        self._cells = values.take(cut.tokens)

    @cached_property
    def upper(self) -> Float32[np.ndarray, " patches"]:
        """What no pixel of each patch is above, but for rounding errors."""
        return highest_controls(self._cells)[self._cut.y.windows][:, self._cut.x.windows].ravel()

    def samples(self) -> Float32[np.ndarray, " patches"]:
        """Return the value of the first pixel of every patch."""
        rows, columns = (side.pieces.edges[:, 0] for side in (self._cut.y, self._cut.x))
        return self.values(np.repeat(rows, len(columns)), np.tile(columns, len(rows)))

    def split_patches(self, which: Int[np.ndarray, " patches"]) -> tuple[Blocks, Float64[np.ndarray, " blocks"]]:
        """Split patches in four along both axes. Returns the parts, and a lower bound of the pixels in each."""
        y, x = self._cut.y.pieces, self._cut.x.pieces
        row, column = np.divmod(which, len(x.windows))
        return self._parts(y.take(row), x.take(column))

    def split(self, blocks: Blocks) -> tuple[Blocks, Float64[np.ndarray, " blocks"]]:
        """Split blocks, each in one patch, as `split_patches` splits patches."""
        top, bottom, left, right = blocks.sides
        return self._parts(self._cut.y.divide(top, bottom), self._cut.x.divide(left, right))

    def _parts(self, y: _Division, x: _Division) -> tuple[Blocks, Float64[np.ndarray, " blocks"]]:
        first = y.windows * self._cells.shape[1] + x.windows
        cells = self._cells.take(first[:, None] + self._cut.taps).reshape(-1, 4, 4).astype(np.float64)
        # The control points of all parts, those of the parts of an axis after each other.
        net = y.controls @ cells @ x.controls.transpose(0, 2, 1)
        net = net.reshape(-1, _PARTS, 4, _PARTS, 4).transpose(2, 4, 0, 1, 3).reshape(16, -1)
        sides = np.empty((4, len(first), _PARTS, _PARTS), int)
        sides[0], sides[1] = y.edges[:, :-1, None], y.edges[:, 1:, None]
        sides[2], sides[3] = x.edges[:, None, :-1], x.edges[:, None, 1:]
        blocks, lower = Blocks(sides.reshape(4, -1), net.max(axis=0)), net.min(axis=0)
        filled = blocks.areas > 0
        return (blocks, lower) if filled.all() else (blocks.take(filled), lower[filled])

    def values(
        self, rows: Int[np.ndarray, " pixels"], columns: Int[np.ndarray, " pixels"]
    ) -> Float32[np.ndarray, " pixels"]:
        """Return the values of pixels, bit for bit those of the painted map."""
        layer = self._cut.rectangle.layer
        places = np.stack([layer.x.places[columns], layer.y.places[rows]], axis=-1)
        return sample(self._values.take(layer.tokens), places, "bicubic")
