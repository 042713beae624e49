"""Find the highest pixels of a map from its token values, without painting it.

Control points bound the pixels of every patch from above, and the best pixels so far bound the result from below.
Patches that may hold a better pixel are split in blocks, which have closer bounds, and these again. The pixels of small
blocks are computed as painting computes them, so that the result is the same pixel, with ties and rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pixfound_tasks.attention.geometry import PAINTED_FLAT, TokenGeometry, as_fractions, check_rank, peak
from pixfound_tasks.attention.token_blocks import OVERSHOOT, BlockPainter, Blocks, cuts
from pixfound_tasks.attention.token_grids import Method
from pixfound_tasks.attention.token_layers import HIGHEST_VALUE, LEAST_VALUE, Patches, Undecided

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Float64, Int

_MOST_RANKS = 1024  # beyond, painting is faster
_SMALL = 96  # pixels of a block that is computed, not split
_FIRST = 4  # patches that are searched before all others: those around one token, if it is much higher than others
_SOME, _MOST = 64, 1024  # blocks that are looked into before the rest is dropped or looked into
_LEAST_COMPUTED, _COMPUTED = 8192, 1 / 8  # pixels that may be computed, and as a fraction of the image
# A painted pixel differs from the polynomial of the tokens, because weights are float32 (by about 1e-6 each, relative
# to the highest value), and so are the pixel's coordinates (by about 2e-7 of the grid). From cell to cell, a map rises
# by at most 3.75 times half the range of the values. The first bounds of patches are float32 too (by less than 1e-6).
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
        values = self.tokens.take(self.patches.tokens)
        low, high = float(values.min()), float(values.max())
        if low == high:
            return None
        highest, reach = max(-low, high), OVERSHOOT * (high - low)
        if not LEAST_VALUE < highest < HIGHEST_VALUE:
            raise Undecided
        cells = max((sum(layer.tokens.shape) for layer in self.patches.layers), default=0)
        self.error = _WEIGHT_ERROR * highest + _PLACE_ERROR * cells * (high - low)
        if high - low + 2 * reach <= 2 * (PAINTED_FLAT * highest + self.error):
            raise Undecided
        self._add_constant()
        painters = [BlockPainter(cut, self.tokens) for cut in cuts(self.patches)]
        for painter in sorted(painters, key=lambda painter: -painter.upper.max()):
            self._search_patches(painter)
        if len(self.values) < self.rank:
            raise Undecided
        self._check_not_flat(painters, highest + reach + self.error)
        place = self.places[np.lexsort((self.places, -self.values))[self.rank - 1]]
        row, column = divmod(int(place), self.width)
        return row, column

    def _add_constant(self) -> None:
        """Add patches of one value. Of each, only the first pixels can be the result, because equal ones are ranked."""
        if not self.patches.is_constant.any():
            return
        row, column = np.nonzero(self.patches.is_constant)
        values = self.tokens[self.patches.constant[row, column]].astype(np.float64)
        rows, columns = self.patches.rows, self.patches.columns
        blocks = Blocks(np.array([rows[row], rows[row + 1], columns[column], columns[column + 1]]), values)
        self._raise_floor(values, blocks.areas)
        blocks = blocks.take(values >= self.floor)
        rows, columns = blocks.pixels(self.rank)
        self._add(np.repeat(blocks.upper, blocks.areas.clip(max=self.rank)).astype(np.float32), rows, columns)

    def _check_not_flat(self, painters: Sequence[BlockPainter], largest: float) -> None:
        """Raise Undecided if the map may be flat, given what no pixel's magnitude is above."""
        lowest = min((float(painter.upper.min()) + self.error for painter in painters), default=math.inf)
        if self.patches.is_constant.any():
            lowest = min(lowest, float(self.tokens[self.patches.constant[self.patches.is_constant]].min()))
        highest, flat = float(self.values.max()), 1.01 * PAINTED_FLAT * largest
        if highest - lowest <= flat:
            lowest = min([lowest, *(float(painter.samples().min()) for painter in painters)])
        if highest - lowest <= flat:
            raise Undecided

    def _search_patches(self, painter: BlockPainter) -> None:
        """Search all patches of a rectangle: few first, for a high floor, then those of the others that reach it."""
        upper = painter.upper
        if upper.max() < self.floor - self.error:
            return
        first = np.argpartition(upper, -_FIRST)[-_FIRST:] if len(upper) > _FIRST else np.arange(len(upper))
        self._search(painter, *painter.split_patches(first))
        is_left = upper >= self.floor - self.error
        is_left[first] = False
        left = np.flatnonzero(is_left)
        left, count = left[np.argsort(-upper[left])], _SOME
        while len(left):
            self._search(painter, *painter.split_patches(left[:count]))
            left = left[count:]
            left, count = left[upper[left] >= self.floor - self.error], min(4 * count, _MOST)

    def _search(self, painter: BlockPainter, blocks: Blocks, lower: Float64[np.ndarray, " blocks"]) -> None:
        """Search disjoint blocks, those with the highest bounds first, until no other can hold the result."""
        self._raise_floor(lower - self.error, blocks.areas)
        reaching = np.flatnonzero(blocks.upper >= self.floor - self.error)
        blocks = blocks.take(reaching[np.argsort(-blocks.upper[reaching])])
        start, count = 0, _SOME
        while start < len(blocks.upper) and blocks.upper[start] >= self.floor - self.error:
            some = blocks.take(slice(start, start + count))
            some = some.take(some.upper >= self.floor - self.error)
            is_small = some.areas <= _SMALL
            if is_small.any():
                rows, columns = some.take(is_small).pixels()
                self._add(painter.values(rows, columns), rows, columns)
            if not is_small.all():
                self._search(painter, *painter.split(some.take(~is_small)))
            start, count = start + count, 4 * count

    def _raise_floor(self, lower: Float[np.ndarray, " blocks"], areas: Int[np.ndarray, " blocks"]) -> None:
        """Raise the floor to what the rank-th highest pixel of disjoint blocks, given lower bounds, is not below."""
        order = np.argsort(-lower)
        enough = np.searchsorted(areas[order].cumsum(), self.rank)
        if enough < len(order):
            self.floor = max(self.floor, float(lower[order[enough]]))

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
