"""Where a phrase looked, as a coarse map that is small enough to travel in a response.

In JSON a map is `{"size": [rows, columns], "levels": "..."}`: at most 24 cells on the longer side, each a level from 0
to 15 of the map's maximum, row by row; two levels a byte, the first one high, an odd last one with a 0; in base64. A
map of 24 x 24 cells takes 384 characters.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import numpy as np

SIDE = 24  # cells on the longer side
TOP = 15  # the highest level


class CoarseMap(NamedTuple):
    """A map over an image: `size` is (rows, columns), `levels` one byte for each cell, row by row, 0 to 15."""

    size: tuple[int, int]
    levels: bytes


class InvalidMap(ValueError):
    """Something that was to be a map is none."""


def coarse_map(values: np.ndarray) -> CoarseMap | None:
    """A map, float (height, width), averaged over the areas of cells; None where it is flat, or nowhere positive.

    Negative values, where a phrase looks less than its answer does on average, give 0, and so does NaN, no image token.
    """
    height, width = values.shape
    scale = min(1.0, SIDE / max(values.shape))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    cells = cell_means(np.nan_to_num(values.astype(np.float64)), (rows, columns))
    top = cells.max()
    if top <= 0:
        return None
    levels = np.rint(TOP * cells.clip(min=0) / top).astype(np.uint8)
    return CoarseMap((rows, columns), levels.tobytes()) if np.ptp(levels) else None


def cell_means(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The means of an array (height, width) over the areas of `size` (rows, columns) cells, float64."""
    rows, columns = size
    height, width = values.shape
    return np.asarray(_shares(height, rows) @ values @ _shares(width, columns).T)


def _shares(length: int, cells: int) -> np.ndarray:
    """What share of each cell each pixel along an axis takes, (cells, length); every row adds up to 1."""
    edges = np.linspace(0, length, cells + 1)[:, None]
    pixels = np.arange(length)
    return (np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)).clip(min=0) * cells / length


def to_fields(found: CoarseMap) -> dict[str, Any]:
    """A coarse map as JSON fields: two levels to a byte, in base64."""
    levels = np.frombuffer(found.levels, np.uint8)
    pairs = np.pad(levels, (0, levels.size % 2)).reshape(-1, 2)
    packed = (pairs[:, 0] << 4 | pairs[:, 1]).astype(np.uint8).tobytes()
    return {"size": list(found.size), "levels": base64.b64encode(packed).decode("ascii")}


def read(value: Any) -> CoarseMap:
    """A map from untrusted JSON; `InvalidMap` for anything else."""
    size = value.get("size") if isinstance(value, dict) else None
    if not isinstance(size, list) or [type(s) for s in size] != [int, int] or not all(1 <= s <= SIDE for s in size):
        found = str(value if size is None else size)[:40]
        raise InvalidMap(f"expected a map of 1 to {SIDE} rows and columns, but got {found!r}")
    count = size[0] * size[1]
    text = value.get("levels")
    length = 4 * -(-count // 6)  # three bytes, six levels, are four characters
    if not isinstance(text, str) or len(text) != length:
        came = f"{len(text)}" if isinstance(text, str) else type(text).__name__
        raise InvalidMap(f"expected a map's {count} levels in {length} characters, but got {came}")
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except ValueError as error:
        raise InvalidMap(f"expected a map's levels in base64, but {error}") from error
    levels = np.stack([packed >> 4, packed & 15], axis=1).ravel()
    if packed.size != -(-count // 2):
        raise InvalidMap(f"expected a map's {count} levels in {-(-count // 2)} bytes, but got {packed.size}")
    return CoarseMap((size[0], size[1]), levels[:count].tobytes())
