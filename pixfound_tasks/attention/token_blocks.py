"""Blocks of pixels of a map: bounds of their values, and the values themselves as painting computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pixfound_tasks.attention.token_axes import controls
from pixfound_tasks.attention.token_grids import sample
from pixfound_tasks.attention.token_layers import BicubicLayer

if TYPE_CHECKING:
    from jaxtyping import Float32, Float64, Int

_PARTS = 4  # parts of a block along each axis
_STEPS, _TAPS = np.arange(_PARTS + 1), np.arange(-1, 3)


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


class Bounds(NamedTuple):
    """Blocks, values of different pixels in them (but for rounding errors), and the largest magnitude of any pixel."""

    blocks: Blocks
    samples: Float64[np.ndarray, " samples"]
    largest: float


class BlockPainter:
    """Bounds and computes the pixels of blocks of one bicubic layer."""

    def __init__(self, layer: BicubicLayer, values: Float32[np.ndarray, " tokens"]) -> None:
        self.layer = layer
        self.cells = values[layer.tokens]
        self._exact = self.cells.astype(np.float64)

    def bounds(self) -> Bounds:
        """Return the visible patches of the layer as blocks, and the pixels at their corners as samples."""
        layer = self.layer
        rows, columns = layer.visible.shape
        left = np.empty((4 * rows, self._exact.shape[1]))
        for band in layer.row_controls:
            left[band.rows] = band.values @ self._exact[band.columns]
        net = np.empty((4 * rows, 4 * columns))
        for band in layer.column_controls:
            net[:, band.rows] = left[:, band.columns] @ band.values.T
        upper = net.reshape(rows, 4, -1).max(axis=1).reshape(rows, columns, 4).max(axis=2).ravel()[layer.shown]
        return Bounds(
            Blocks(layer.sides, upper), net.ravel()[layer.corners], max(float(-net.min()), float(upper.max()))
        )

    def split(self, blocks: Blocks) -> tuple[Blocks, Float64[np.ndarray, " blocks"]]:
        """Split blocks in four along both axes. Returns the parts, and a lower bound of the pixels in each."""
        y, x = self.layer.y, self.layer.x
        count = blocks.sides.shape[1]
        starts, ends = blocks.sides[::2], blocks.sides[1::2]
        edges = starts[..., None] + (ends - starts)[..., None] * _STEPS // _PARTS  # (axes, blocks, parts + 1)
        last = np.maximum(edges[..., 1:] - 1, edges[..., :-1])  # an empty part has any: it is dropped
        first_rest, last_rest = (
            np.concatenate([y.rest[pixels[0]], x.rest[pixels[1]]]) for pixels in (edges[..., :-1], last)
        )
        qy, qx = np.split(controls(first_rest.ravel(), last_rest.ravel()).reshape(2 * count, -1, 4), 2)
        rows = np.minimum(np.maximum(y.base[starts[0]][:, None] + _TAPS, 0), y.cells - 1)
        columns = np.minimum(np.maximum(x.base[starts[1]][:, None] + _TAPS, 0), x.cells - 1)
        # The control points of all parts, those of the parts of an axis after each other.
        net = qy @ self._exact[rows[:, :, None], columns[:, None, :]] @ qx.transpose(0, 2, 1)
        net = net.reshape(count, _PARTS, 4, _PARTS, 4).transpose(2, 4, 0, 1, 3).reshape(16, -1)
        sides = np.empty((4, count, _PARTS, _PARTS), int)
        sides[0], sides[1] = edges[0, :, :-1, None], edges[0, :, 1:, None]
        sides[2], sides[3] = edges[1, :, None, :-1], edges[1, :, None, 1:]
        parts, lower = Blocks(sides.reshape(4, -1), net.max(axis=0)), net.min(axis=0)
        filled = parts.areas > 0
        return parts.take(filled), lower[filled]

    def values(
        self, rows: Int[np.ndarray, " pixels"], columns: Int[np.ndarray, " pixels"]
    ) -> Float32[np.ndarray, " pixels"]:
        """Return the values of pixels, bit for bit those of the painted map."""
        places = np.stack([self.layer.x.places[columns], self.layer.y.places[rows]], axis=-1)
        return sample(self.cells, places, "bicubic")
