"""The means of coarse cells of a map, and its coarse map, from its token values.

Means are linear in the token values, so that their factors are computed once for a geometry. They differ from the means
of the painted map by less than float32 rounding. For sums of positive values, which are not linear, see `token_mass`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.token_layers import HIGHEST_VALUE, LEAST_VALUE, Patches, Undecided
from pixfound_tasks.response.maps import TOP, CoarseMap, as_levels, coarse_map, coarse_size, shares

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Float64, Int

    from pixfound_tasks.attention.token_grids import Method

# A painted pixel differs by about 1e-6 of the values around it, because weights are float32, and by what two tokens to
# either side change if its coordinate is off by float32 rounding. That is relative to the cells of the grid, and it
# averages out over the pixels of a cell.
_MEAN_ERROR, _PLACE_ERROR = 3e-6, 1.5e-7
_SUM_ERROR = 1e-11  # of float64 sums in another order, relative to the mean magnitude
_TIE = 1e-9  # of a level: means are summed in another order, and float64 is that accurate


def token_coarse_map(
    geometry: TokenGeometry, values: Float[np.ndarray, " tokens"], method: Method = "bicubic"
) -> CoarseMap | None:
    """Return `coarse_map` of the painted map, computed from the token values.

    The means of cells are exact to float32 rounding. Cells whose level depends on that rounding are painted, so that
    all levels are those of the painted map. The whole map is painted only if a layer has both finite values and others,
    or the levels of many cells depend on rounding.
    """
    values = geometry.check_values(values)
    try:
        return _coarse_levels(geometry, values, method)
    except Undecided:
        return coarse_map(geometry.paint(values, method))


def _coarse_levels(geometry: TokenGeometry, values: Float32[np.ndarray, " tokens"], method: Method) -> CoarseMap | None:
    patches = geometry.patches(values, method)
    if patches is None:
        raise Undecided
    highest = float(np.abs(values[patches.tokens]).max(initial=0.0))
    if highest == 0:
        return None
    if not LEAST_VALUE < highest < HIGHEST_VALUE:
        raise Undecided
    size = coarse_size(geometry.size)
    cells = cell_means_of_tokens(patches, values, size)
    errors = _mean_errors(patches, values, size)
    top, error = cells.max(), errors.flat[cells.argmax()]
    highest_cells = cells + errors >= top - error
    if top <= error:
        if (cells < -errors)[_factors(patches, size).covered].all():
            return None
        raise Undecided
    # A level depends on rounding if the errors of the cell and of the highest cells can move it over a half.
    relative = (errors + errors[highest_cells].max() * cells.clip(min=0) / top) / (top - error)
    doubtful = _distance_to_half(cells) <= TOP * relative
    if doubtful.any():
        doubtful |= highest_cells
        if doubtful.sum() > doubtful.size // 8:
            raise Undecided
        for row, column in np.argwhere(doubtful):
            cells[row, column] = _painted_mean(geometry, values, method, size, (row, column))
        if (_distance_to_half(cells) <= _TIE).any():
            raise Undecided
    return as_levels(cells)


def _distance_to_half(cells: Float64[np.ndarray, "rows columns"]) -> Float64[np.ndarray, "rows columns"]:
    """Return how far a cell's level is from one that is rounded to the next."""
    return np.abs(TOP * cells.clip(min=0) / cells.max() % 1 - 0.5)


class _Factors(NamedTuple):
    """What the means of cells are linear in.

    Attributes:
        parts: for each rectangle of a bicubic layer its tokens, and their weights in the rows and columns of cells.
        error_parts: the same with what the tokens' magnitudes add to the errors of cells.
        rows, columns: the shares of the rows and columns of patches in those of cells.
        covered: whether a cell has a pixel that a token covers.
    """

    parts: list[tuple[Int[np.ndarray, "rows columns"], np.ndarray, np.ndarray]]
    error_parts: list[tuple[Int[np.ndarray, "rows columns"], np.ndarray, np.ndarray]]
    rows: Float64[np.ndarray, "cell_rows patch_rows"]
    columns: Float64[np.ndarray, "cell_columns patch_columns"]
    covered: Bool[np.ndarray, "cell_rows cell_columns"]


def cell_means_of_tokens(
    patches: Patches, values: Float32[np.ndarray, " tokens"], size: tuple[int, int]
) -> Float64[np.ndarray, "rows columns"]:
    """Return `cell_means` of the painted map, NaN as 0, over a grid of `size` (rows, columns) cells."""
    factors = _factors(patches, size)
    means = np.zeros(size)
    for tokens, rows, columns in factors.parts:
        means += rows @ values[tokens].astype(np.float64) @ columns.T
    if patches.is_constant.any():
        constant = np.where(patches.is_constant, values[patches.constant], 0.0)
        means += factors.rows @ constant @ factors.columns.T
    return means


def _mean_errors(
    patches: Patches, values: Float32[np.ndarray, " tokens"], size: tuple[int, int]
) -> Float64[np.ndarray, "rows columns"]:
    """Return how much the painted means of cells may differ from `cell_means_of_tokens`."""
    factors, magnitudes = _factors(patches, size), np.abs(values).astype(np.float64)
    errors = np.zeros(size)
    for tokens, rows, columns in factors.error_parts:
        errors += rows @ magnitudes[tokens] @ columns.T
    errors *= _MEAN_ERROR
    if patches.is_constant.any():
        constant = np.where(patches.is_constant, magnitudes[patches.constant], 0.0)
        errors += _SUM_ERROR * (factors.rows @ constant @ factors.columns.T)
    return errors


def _nearby(weights: Float64[np.ndarray, "cells tokens"], pixels: float) -> Float64[np.ndarray, "cells tokens"]:
    """Return the magnitudes of weights, with a part of them at the next two tokens, for cells of that many pixels."""
    count = weights.shape[1]
    distance = np.abs(np.arange(count)[:, None] - np.arange(count))
    part = _PLACE_ERROR * count / math.sqrt(pixels) / _MEAN_ERROR
    return np.asarray(np.abs(weights) @ ((distance == 0) + part * (distance <= 2)))


def _factors(patches: Patches, size: tuple[int, int]) -> _Factors:
    if size not in patches.kept:
        patches.kept[size] = _compute_factors(patches, size)
    found: _Factors = patches.kept[size]
    return found


def _compute_factors(patches: Patches, size: tuple[int, int]) -> _Factors:
    rows, columns = shares(int(patches.rows[-1]), size[0]), shares(int(patches.columns[-1]), size[1])
    parts, error_parts = [], []
    pixels = math.prod(int(edges[-1]) / cells for edges, cells in zip((patches.rows, patches.columns), size))
    for layer, y, x in patches.rectangles:
        down = rows[:, y] @ layer.y.weights(np.arange(y.start, y.stop))
        across = columns[:, x] @ layer.x.weights(np.arange(x.start, x.stop))
        parts.append((layer.tokens, down, across))
        error_parts.append((layer.tokens, _nearby(down, pixels), _nearby(across, pixels)))
    of_rows, of_columns = (
        np.add.reduceat(each, edges[:-1], axis=1) for each, edges in ((rows, patches.rows), (columns, patches.columns))
    )
    return _Factors(parts, error_parts, of_rows, of_columns, of_rows @ patches.is_covered @ of_columns.T > 0)


def _painted_mean(
    geometry: TokenGeometry,
    values: Float32[np.ndarray, " tokens"],
    method: Method,
    size: tuple[int, int],
    cell: tuple[int, int],
) -> float:
    """Return the mean of one cell, from its painted pixels."""
    sides = [shares(length, cells)[index] for length, cells, index in zip(geometry.size, size, cell)]
    rows, columns = (slice(int(np.flatnonzero(side)[0]), int(np.flatnonzero(side)[-1]) + 1) for side in sides)
    painted = np.nan_to_num(geometry.paint_part(values, rows, columns, method).astype(np.float64))
    return float(sides[0][rows] @ painted @ sides[1][columns])
