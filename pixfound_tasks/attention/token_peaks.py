"""Find the highest pixels of a map from its token values, without painting it.

The image is searched block by block. The control points of a block bound its pixels from above, and the best pixels so
far bound the result from below. Blocks that may hold a better pixel are split. The pixels of small blocks are computed
as painting computes them, so that the result is the same pixel, with ties and rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pixfound_tasks.attention.geometry import PAINTED_FLAT, TokenGeometry, as_fractions, check_rank, peak
from pixfound_tasks.attention.token_blocks import BlockPainter, Blocks, Bounds
from pixfound_tasks.attention.token_grids import Method
from pixfound_tasks.attention.token_layers import HIGHEST_VALUE, LEAST_VALUE, Patches, Undecided

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Int

_MOST_RANKS = 1024  # beyond, painting is faster
_SMALL = 96  # pixels of a block that is computed, not split
_FIRST = 16  # blocks that are looked into before the rest is dropped or looked into
_LEAST_COMPUTED, _COMPUTED = 8192, 1 / 8  # pixels that may be computed, and as a fraction of the image
# A painted pixel differs from the polynomial of the tokens, because weights are float32 (by about 1e-6 each, relative
# to the highest value), and so are the pixel's coordinates (by about 2e-7 of the grid). From cell to cell, a map rises
# by at most 3.75 times half the range of the values.
_WEIGHT_ERROR, _PLACE_ERROR = 1e-5, 2e-7 * 3.75 / 2


def token_peak(
    geometry: TokenGeometry,
    values: Float[np.ndarray, " tokens"],
    rank: int = 1,
    corner: bool = False,
    method: Method = "bicubic",
) -> tuple[float, float] | None:
    """Return `peak` of the painted map, computed from the token values.

    The map is painted only if that cannot be avoided: a layer has both finite values and others, the map is flat or
    nearly so but its values differ, `rank` is above 1,024, or a large part of the image may hold the result.

    Raises:
        ValueError: if rank is below 1, or the number of values differs from the number of tokens.
    """
    check_rank(rank)
    values = geometry.check_values(values)
    patches = geometry.patches(values, method)
    if patches is not None and rank <= _MOST_RANKS:
        if patches.pixels < rank:
            return None
        try:
            place = _Search(patches, values, rank).run()
        except Undecided:
            pass
        else:
            return None if place is None else as_fractions(*place, geometry.size, corner)
    return peak(geometry.paint(values, method), rank, corner)


def covers_a_pixel(geometry: TokenGeometry, values: Float[np.ndarray, " tokens"], method: Method = "bicubic") -> bool:
    """Return whether the painted map has a pixel that is not NaN."""
    values = geometry.check_values(values)
    patches = geometry.patches(values, method)
    return bool((~np.isnan(geometry.paint(values, method))).any()) if patches is None else patches.pixels > 0


class _Search:
    """The search for the rank-th highest pixel of a map.

    The result's value is never below `floor`. `values` and `places` hold all pixels computed so far that are not below
    it either.
    """

    def __init__(self, patches: Patches, tokens: Float32[np.ndarray, " tokens"], rank: int) -> None:
        self.patches, self.tokens, self.rank = patches, tokens, rank
        self.height, self.width = int(patches.rows[-1]), int(patches.columns[-1])
        self.floor = -math.inf
        self.error = 0.0
        self.values = np.empty(0, np.float32)
        self.places = np.empty(0, np.int64)  # row * width + column
        self.computable = max(_LEAST_COMPUTED, int(self.height * self.width * _COMPUTED))

    def run(self) -> tuple[int, int] | None:
        """Return the (row, column) of the pixel, or None if the map is flat.

        Raises:
            Undecided: if only the painted map can tell.
        """
        values = self.tokens[self.patches.tokens]
        low, high = float(values.min()), float(values.max())
        if low == high:
            return None
        highest = max(-low, high)
        if not LEAST_VALUE < highest < HIGHEST_VALUE:
            raise Undecided
        cells = max((sum(layer.tokens.shape) for layer in self.patches.layers), default=0)
        self.error = _WEIGHT_ERROR * highest + _PLACE_ERROR * cells * (high - low)
        painters = [BlockPainter(layer, self.tokens) for layer in self.patches.layers]
        found = [painter.bounds() for painter in painters]
        constant = self._constant_patches()
        self._begin(constant, found)
        if len(constant.upper):
            self._add_constant(constant)
        for painter, (blocks, *_) in zip(painters, found):
            self._search(painter, blocks)
        if len(self.values) < self.rank:
            raise Undecided
        place = self.places[np.lexsort((self.places, -self.values))[self.rank - 1]]
        row, column = divmod(int(place), self.width)
        return row, column

    def _constant_patches(self) -> Blocks:
        """Return the patches of one value, with that value as bound."""
        patches = self.patches
        row, column = np.nonzero(patches.constant >= 0)
        values = self.tokens[patches.constant[row, column]].astype(np.float64)
        rows, columns = patches.rows, patches.columns
        return Blocks(np.array([rows[row], rows[row + 1], columns[column], columns[column + 1]]), values)

    def _begin(self, constant: Blocks, bounds: Sequence[Bounds]) -> None:
        """Set the floor from the pixels at the corners of all patches, and check that the map is not flat."""
        found = np.concatenate([constant.upper, *(each.samples for each in bounds)])
        largest = max([each.largest for each in bounds] + [float(np.abs(constant.upper).max(initial=0))])
        spread = float(found.max() - found.min()) - 2 * self.error
        if spread <= 2 * PAINTED_FLAT * largest:
            raise Undecided
        if len(found) >= self.rank:
            self.floor = float(np.partition(found, -self.rank)[-self.rank]) - self.error
        large = constant.upper[constant.areas >= self.rank]
        self.floor = max(self.floor, float(large.max(initial=-math.inf)))

    def _add_constant(self, blocks: Blocks) -> None:
        """Add patches of one value. Of each, only the first pixels can be the result, because equal ones are ranked."""
        blocks = blocks.take(blocks.upper >= self.floor)
        rows, columns = blocks.pixels(self.rank)
        self._add(np.repeat(blocks.upper, blocks.areas.clip(max=self.rank)).astype(np.float32), rows, columns)

    def _search(self, painter: BlockPainter, blocks: Blocks) -> None:
        """Search blocks, those with the highest bounds first, until no other can hold the result."""
        blocks = blocks.take(blocks.upper + self.error >= self.floor)
        blocks = blocks.take(np.argsort(-blocks.upper))
        start, count = 0, _FIRST
        while start < len(blocks.upper) and blocks.upper[start] + self.error >= self.floor:
            some = blocks.take(slice(start, start + count))
            some = some.take(some.upper + self.error >= self.floor)
            is_small = some.areas <= _SMALL
            if is_small.any():
                rows, columns = some.take(is_small).pixels()
                self._add(painter.values(rows, columns), rows, columns)
            if not is_small.all():
                parts, lower = painter.split(some.take(~is_small))
                self._raise_floor(lower, parts.areas)
                self._search(painter, parts)
            start, count = start + count, 4 * count

    def _raise_floor(self, lower: Float[np.ndarray, " blocks"], areas: Int[np.ndarray, " blocks"]) -> None:
        """Raise the floor to what the pixels of disjoint blocks, given lower bounds of them, cannot be below."""
        order = np.argsort(-lower)
        enough = np.searchsorted(areas[order].cumsum(), self.rank)
        if enough < len(order):
            self.floor = max(self.floor, float(lower[order[enough]]) - self.error)

    def _add(self, values: Float32[np.ndarray, " pixels"], rows: np.ndarray, columns: np.ndarray) -> None:
        self.computable -= len(values)
        if self.computable < 0:
            raise Undecided
        kept = values >= self.floor
        self.values = np.concatenate([self.values, values[kept]])
        self.places = np.concatenate([self.places, rows[kept] * self.width + columns[kept]])
        if len(self.values) >= self.rank:
            self.floor = max(self.floor, float(np.partition(self.values, -self.rank)[-self.rank]))
            kept = self.values >= self.floor
            self.values, self.places = self.values[kept], self.places[kept]
