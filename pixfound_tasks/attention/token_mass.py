"""The mass of a map: the sum of its positive values, over the image and inside a mask, from its token values.

Positive values are summed in patches, between token centers, see `positive_blocks`. The sum inside a mask is that of
the patches that it fills. In patches that it fills in part, blocks that have pixels in the mask are computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.mask_blocks import EdgePatches, mask_blocks
from pixfound_tasks.attention.mask_runs import MaskRuns, as_runs, filled_pixels
from pixfound_tasks.attention.positive_blocks import (
    Nets,
    Shape,
    cut,
    part_points,
    pixel_sums,
    positive_sums_of,
    spare,
    take_parts,
)
from pixfound_tasks.attention.token_axes import Axis, controls
from pixfound_tasks.attention.token_layers import Patches, Rectangle

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Float64, Int

    from pixfound_tasks.attention.mask_runs import Mask
    from pixfound_tasks.attention.token_grids import Method

_UNEVEN = 3e-7  # tokens, for each cell of an axis: what float32 places may be off
_BAND = 24  # pieces of an axis whose weights are held in one matrix


class PositiveSums(NamedTuple):
    """The sum of a map's positive values, over the image and inside a mask."""

    total: float
    inside: float


def positive_sums(
    geometry: TokenGeometry,
    values: Float[np.ndarray, " tokens"],
    inside: Mask | MaskRuns,
    method: Method = "bicubic",
) -> PositiveSums:
    """Return the sums of the positive values of the painted map, exact to float32 rounding.

    The cost grows with the tokens, and with the length of the lines along which the map is 0 and of the mask's edge.
    To use a mask for several maps, pass its runs.

    Raises:
        ValueError: if the mask is not of the image's size.
    """
    values = geometry.check_values(values)
    runs = as_runs(inside, geometry.size)
    patches = geometry.patches(values, method)
    if patches is None:
        positive = np.nan_to_num(geometry.paint(values, method).astype(np.float64), nan=0.0).clip(min=0)
        return PositiveSums(float(positive.sum()), float(positive[masks.decode(runs.rle)].sum()))
    if "mass" not in patches.kept:
        patches.kept["mass"] = [_Part(rectangle) for rectangle in patches.rectangles]
    sums = np.zeros(2)
    for part in patches.kept["mass"]:
        sums += part.sums(values, runs)
    if patches.is_constant.any():
        sums += _constant_sums(patches, values, runs)
    return PositiveSums(*sums.tolist())


def _constant_sums(patches: Patches, values: Float32[np.ndarray, " tokens"], runs: MaskRuns) -> tuple[float, float]:
    constant = np.where(patches.is_constant, values[patches.constant], 0).clip(min=0).astype(np.float64)
    areas = np.diff(patches.rows)[:, None] * np.diff(patches.columns)
    if patches not in runs.kept:
        runs.kept[patches] = filled_pixels(runs.runs, patches.rows, patches.columns)
    return float((constant * areas).sum()), float((constant * runs.kept[patches]).sum())


class _Band(NamedTuple):
    """The weights of nearby tokens in some pieces of an axis: their control points, and the sums of their pixels."""

    pieces: slice
    tokens: slice
    weights: Float32[np.ndarray, "5 pieces tokens"]


class _Side:
    """An axis of a rectangle, cut at the token centers.

    Attributes:
        edges: the first pixel of each piece, and the end of the rectangle.
        counts: the pixels of each piece.
        spans: the pixels that its control points belong to. They may go on a little beyond it, so that there are
            fewer different spans, and what has one span is computed at once.
        bands: the weights of tokens in the pieces.
    """

    def __init__(self, axis: Axis, pixels: slice) -> None:
        self.edges = _edges(axis, pixels)
        self.counts = np.diff(self.edges)
        self.spans = _spans(self.counts)
        first, last = axis.rest[self.edges[:-1]], axis.rest[self.edges[1:] - 1]
        beyond = first + (last - first) * (self.spans - 1) / np.maximum(self.counts - 1, 1)
        points, each = controls(first, beyond), np.arange(len(first))
        nets = np.zeros((len(first), 4, axis.cells))
        for tap in range(4):  # beyond the grid, its outermost tokens are repeated
            nets[each, :, (axis.base[self.edges[:-1]] + tap - 1).clip(0, axis.cells - 1)] += points[:, :, tap]
        sums = np.add.reduceat(axis.weights(np.arange(pixels.start, pixels.stop)), self.edges[:-1] - pixels.start)
        weights = np.concatenate([nets, sums[:, None]], axis=1)
        self.bands = tuple(self._bands(weights.transpose(1, 0, 2).astype(np.float32)))

    @staticmethod
    def _bands(weights: Float32[np.ndarray, "5 pieces tokens"]) -> Iterator[_Band]:
        for start in range(0, weights.shape[1], _BAND):
            pieces = slice(start, min(start + _BAND, weights.shape[1]))
            filled = np.flatnonzero(weights[:, pieces].any(axis=(0, 1)))
            tokens = slice(int(filled[0]), int(filled[-1]) + 1)
            yield _Band(pieces, tokens, np.ascontiguousarray(weights[:, pieces, tokens]))


def _edges(axis: Axis, pixels: slice) -> Int[np.ndarray, " edges"]:
    """Return where pieces begin, and the end: at token centers, and where pixels are not equally far apart.

    That is so between cells that differ in size.
    """
    breaks = pixels.start + 1 + np.flatnonzero(np.diff(axis.base[pixels]))
    edges, waiting = [pixels.stop], [pixels.start, *breaks.tolist()]
    while waiting:
        first, end = waiting[-1], edges[-1]
        rest = axis.rest[first:end]
        uneven = np.abs(rest - np.linspace(rest[0], rest[-1], len(rest)))
        if uneven.max() > _UNEVEN * axis.cells:
            waiting.append(first + max(1, int(uneven.argmax())))
        else:
            edges.append(waiting.pop())
    return np.array(edges[::-1])


def _spans(counts: Int[np.ndarray, " pieces"]) -> Int[np.ndarray, " pieces"]:
    """Return the number of pixels that each piece is handled as, which is that of a piece with a few more."""
    spans = counts.copy()
    for count in np.unique(counts)[::-1].tolist():
        spans[(counts <= count) & (counts >= count - spare(count)) & (spans == counts)] = count
    return spans


class _Part:
    """The polynomials of a rectangle of the map, and what does not depend on the values."""

    def __init__(self, rectangle: Rectangle) -> None:
        layer, rows, columns = rectangle
        self.tokens = layer.tokens
        self.y, self.x = _Side(layer.y, rows), _Side(layer.x, columns)
        self.shape = len(self.y.counts), len(self.x.counts)
        shapes = np.array([np.repeat(self.y.spans, self.shape[1]), np.tile(self.x.spans, self.shape[0])])
        shapes, kind = np.unique(shapes, axis=1, return_inverse=True)
        self.kind = kind.ravel()
        self.shapes: list[Shape] = [(height, width) for height, width in shapes.T.tolist()]

    def sums(self, values: Float32[np.ndarray, " tokens"], runs: MaskRuns) -> tuple[float, float]:
        """Return the sums of positive values, over the rectangle and inside the mask."""
        if self not in runs.kept:
            runs.kept[self] = mask_blocks(
                runs.runs, self.y.edges, self.x.edges, self.kind.reshape(self.shape), self.shapes
            )
        is_full, edges = runs.kept[self]
        points, sums = self._points(values[self.tokens])
        low = points.min(axis=0)
        totals = np.where(low >= 0, sums, 0).astype(np.float64)
        totals += self._mixed_sums(points, np.flatnonzero((low < 0) & (points.max(axis=0) > 0)))
        inside = float(totals[is_full].sum()) + sum(_edge_sum(points, edge) for edge in edges)
        return float(totals.sum()), inside

    def _mixed_sums(
        self, points: Float32[np.ndarray, "16 patches"], chosen: Int[np.ndarray, " chosen"]
    ) -> Float64[np.ndarray, " patches"]:
        """Return the sums of positive values of the chosen patches, and 0 for the others."""
        sums, work = np.zeros(points.shape[1]), dict[Shape, list[Nets]]()
        kinds = self.kind[chosen]
        for kind in np.flatnonzero(np.bincount(kinds)):
            patches, shape = chosen[kinds == kind], self.shapes[kind]
            row, column = np.divmod(patches, self.shape[1])
            nets = Nets(points[:, patches], patches, self.y.counts[row], self.x.counts[column])
            sums[patches] += cut(nets, shape, work)
        return sums + positive_sums_of(work, len(sums))

    def _points(
        self, cells: Float32[np.ndarray, "rows columns"]
    ) -> tuple[Float32[np.ndarray, "16 patches"], Float32[np.ndarray, " patches"]]:
        """Return the control points of each patch, down before across, and the sum of its pixels."""
        rows, columns = self.shape
        left = np.empty((5, rows, cells.shape[1]), np.float32)
        for band in self.y.bands:
            np.matmul(band.weights, cells[band.tokens], out=left[:, band.pieces])
        points, sums = np.empty((4, 4, rows, columns), np.float32), np.empty((rows, columns), np.float32)
        for band in self.x.bands:
            weights = band.weights.transpose(0, 2, 1)
            points[..., band.pieces] = left[:4, None, :, band.tokens] @ weights[:4]
            sums[:, band.pieces] = left[4, :, band.tokens] @ weights[4]
        return points.reshape(16, -1), sums.ravel()


def _edge_sum(points: Float32[np.ndarray, "16 patches"], edge: EdgePatches) -> float:
    """Return the sum of positive values inside a mask, in the patches of one shape that it fills in part."""
    parts = part_points(points[:, edge.patches], edge.down, edge.across)
    chosen = take_parts(parts, *edge.blocks)
    return float(pixel_sums(chosen, (edge.down.length, edge.across.length), edge.inside).sum(dtype=np.float64))
