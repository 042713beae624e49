"""Arrange the boxes of image tokens in grids, and place the pixels of the image in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Float32, Float64, Int

Method = Literal["bicubic", "nearest"]


class TokenGrid(NamedTuple):
    """Boxes that lie in rows and columns.

    Attributes:
        tokens: indices of the boxes.
        x: the left edge of each column and the right edge of the last.
        y: the top edge of each row and the bottom edge of the last.
    """

    tokens: Int[np.ndarray, "rows columns"]
    x: Float64[np.ndarray, " columns+1"]
    y: Float64[np.ndarray, " rows+1"]


def layers_by_shape(boxes: Float64[np.ndarray, "tokens 4"]) -> list[Int[np.ndarray, " _group"]]:
    """Group boxes by shape. Returns the indices of each group, largest boxes first."""
    shapes = boxes[:, 2:] - boxes[:, :2]

    def by_shape() -> Iterator[np.ndarray]:
        rest = np.arange(len(boxes))
        while len(rest):
            same = np.abs(shapes[rest] - shapes[rest[0]]).max(axis=1) < 1e-3
            yield rest[same]
            rest = rest[~same]

    return sorted(by_shape(), key=lambda layer: -shapes[layer[0]].prod())


def as_grid(boxes: Float64[np.ndarray, "tokens 4"]) -> TokenGrid | None:
    """Arrange boxes of the same shape as a grid. Returns None if they do not fill one."""
    width, height = boxes[0, 2:] - boxes[0, :2]
    x, y = _edges(boxes[:, 0], width), _edges(boxes[:, 1], height)
    if x is None or y is None:
        return None
    tokens = np.full((len(y) - 1, len(x) - 1), -1)
    tokens[np.searchsorted(y, boxes[:, 1] + height / 2) - 1, np.searchsorted(x, boxes[:, 0] + width / 2) - 1] = (
        np.arange(len(boxes))
    )
    return None if (tokens < 0).any() else TokenGrid(tokens, x, y)


def _edges(starts: Float64[np.ndarray, " boxes"], length: float) -> Float64[np.ndarray, " edges"] | None:
    """Return the distinct starts of boxes along an axis, and the end of the last box.

    Returns None if boxes overlap or lie apart. Gaps of up to half a box are accepted, because patches may not quite
    fill their tiles.
    """
    starts = np.sort(starts)
    different = starts[np.append(True, np.diff(starts) > 1e-3 * length)]
    steps = np.diff(different) / length
    if (steps < 1 - 1e-3).any() or (steps > 1.5).any():
        return None
    return np.append(different, different[-1] + length)


def pixel_places(edges: Float64[np.ndarray, " edges"], length: int) -> Float32[np.ndarray, " {length}"]:
    """Return the pixel centers of an axis in grid coordinates: -1 and 1 are the outer edges of the grid.

    Pixels outside the grid are NaN.
    """
    steps = np.linspace(-1, 1, len(edges))
    return np.interp(np.arange(length) + 0.5, edges, steps, left=np.nan, right=np.nan).astype(np.float32)


def sample(
    cells: Float32[np.ndarray, "rows columns"], places: Float32[np.ndarray, "*places 2"], method: Method
) -> Float32[np.ndarray, "*places"]:
    """Interpolate the values of a grid's cells at places `(x, y)` in grid coordinates.

    A place gets the same value, bit for bit, whatever other places are sampled with it.
    """
    options: dict[str, Any] = {"mode": method, "padding_mode": "border", "align_corners": False}
    grid = torch.from_numpy(places.reshape(1, 1, -1, 2) if places.ndim == 2 else places[None])
    found = functional.grid_sample(torch.from_numpy(np.ascontiguousarray(cells))[None, None], grid, **options)
    return np.asarray(found.numpy().reshape(places.shape[:-1]))
