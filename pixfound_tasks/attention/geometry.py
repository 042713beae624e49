"""Where in the original image each image token lies, and painting token values onto it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch.nn import functional

Method = Literal["bicubic", "nearest"]
Size = tuple[int, int]  # (height, width) in pixels

_PAINTED_FLAT = 1e-5  # of the highest value: bicubic interpolation of one float32 value varies by some 4e-6 of it


@dataclass(frozen=True)
class TokenGeometry:
    """For every image token the box it stands for, in pixels of the original image.

    `boxes` is float64 (tokens, 4), rows `(x0, y0, x1, y1)`; NaN for tokens that stand for no place, such as newline
    tokens. Boxes may reach beyond the image where the processor padded it, and overlap where it shows the image more
    than once (tiles and thumbnail). `size` is the image's (height, width).
    """

    boxes: np.ndarray
    size: Size

    def paint(self, values: np.ndarray, method: Method = "bicubic") -> np.ndarray:
        """Token values, (tokens,), as a map float32 (height, width); NaN where no token sees the image.

        Boxes of one shape that form a grid are interpolated together, bicubic as the authors do, or nearest. Smaller
        boxes lie over larger ones: tiles over the thumbnail. Boxes that form no grid are filled with their value.
        """
        if values.shape != (len(self.boxes),):
            raise ValueError(f"expected one value for each of {len(self.boxes)} image tokens, but got {values.shape}")
        placed = ~np.isnan(self.boxes[:, 0])
        boxes, values = self.boxes[placed], np.asarray(values, np.float32)[placed]
        canvas = np.full(self.size, np.nan, np.float32)
        for layer in _layers(boxes):
            grid = _grid(boxes[layer])
            if grid is None:
                painted = _fill(boxes[layer], values[layer], self.size)
            else:
                painted = _interpolate(values[layer][grid.tokens], grid, self.size, method)
            canvas = np.where(np.isnan(painted), canvas, painted)
        return canvas

    def shrunk(self, longest: int) -> TokenGeometry:
        """The same tokens over a smaller picture of the image, its longest side at most `longest` pixels."""
        height, width = self.size
        scale = min(1.0, longest / max(self.size))
        size = max(1, round(height * scale)), max(1, round(width * scale))
        return TokenGeometry(self.boxes * np.array([size[1] / width, size[0] / height] * 2), size)

    def finest_grid(self) -> np.ndarray:
        """The tokens of the smallest boxes as they lie in the image: their indices, int (rows, columns).

        Raises ValueError where these boxes form no grid.
        """
        placed = np.flatnonzero(~np.isnan(self.boxes[:, 0]))
        finest = placed[_layers(self.boxes[placed])[-1]]
        grid = _grid(self.boxes[finest])
        if grid is None:
            raise ValueError("expected the smallest boxes of the image's tokens to form a grid, but they do not")
        return finest[grid.tokens]


class _Grid(NamedTuple):
    """Boxes that lie in rows and columns: their indices, (rows, columns); where along x the columns start and the
    last one ends, (columns + 1,); the same of the rows along y."""

    tokens: np.ndarray
    x: np.ndarray
    y: np.ndarray


def grid_boxes(rows: int, columns: int, region: tuple[float, float, float, float]) -> np.ndarray:
    """Boxes of a grid over a region `(x0, y0, x1, y1)`, row by row: float64 (rows * columns, 4)."""
    x0, y0, x1, y1 = region
    x, y = np.linspace(x0, x1, columns + 1), np.linspace(y0, y1, rows + 1)
    return np.stack([*np.meshgrid(x[:-1], y[:-1]), *np.meshgrid(x[1:], y[1:])], axis=-1).reshape(-1, 4)


def peak(values: np.ndarray, rank: int = 1) -> tuple[float, float] | None:
    """The middle of the highest pixel of a map (height, width), in fractions, or of the rank-th highest.

    Every pixel has a rank of its own: those of one value are ranked row by row, as one reads; NaN is left out.
    None where the map is flat, which points nowhere, or has fewer pixels: flat is what differs by no more than painting
    does from the one value it paints. Raises ValueError for a rank below 1.
    """
    if rank < 1:
        raise ValueError(f"expected the rank of a pixel as 1, the highest, or more, but got {rank}")
    known = values[~np.isnan(values)]
    if known.size < rank or np.ptp(known) <= _PAINTED_FLAT * np.abs(known).max():
        return None
    height, width = values.shape
    value = np.partition(known, -rank)[-rank]
    row, column = np.argwhere(values == value)[rank - 1 - np.count_nonzero(known > value)]
    return float((column + 0.5) / width), float((row + 0.5) / height)


def _layers(boxes: np.ndarray) -> list[np.ndarray]:
    """The indices of the boxes of each shape, the largest boxes first."""
    shapes = boxes[:, 2:] - boxes[:, :2]

    def by_shape() -> Iterator[np.ndarray]:
        rest = np.arange(len(boxes))
        while len(rest):
            same = np.abs(shapes[rest] - shapes[rest[0]]).max(axis=1) < 1e-3
            yield rest[same]
            rest = rest[~same]

    return sorted(by_shape(), key=lambda layer: -shapes[layer[0]].prod())


def _grid(boxes: np.ndarray) -> _Grid | None:
    """Boxes of one shape as a grid; None where they do not fill one."""
    width, height = boxes[0, 2:] - boxes[0, :2]
    x, y = _edges(boxes[:, 0], width), _edges(boxes[:, 1], height)
    if x is None or y is None:
        return None
    tokens = np.full((len(y) - 1, len(x) - 1), -1)
    tokens[np.searchsorted(y, boxes[:, 1] + height / 2) - 1, np.searchsorted(x, boxes[:, 0] + width / 2) - 1] = (
        np.arange(len(boxes))
    )
    return None if (tokens < 0).any() else _Grid(tokens, x, y)


def _edges(starts: np.ndarray, length: float) -> np.ndarray | None:
    """The different starts of boxes along an axis, and the end of the last; None where boxes overlap or lie apart.

    Small gaps are bridged: between tiles that their patches do not quite fill.
    """
    starts = np.sort(starts)
    different = starts[np.append(True, np.diff(starts) > 1e-3 * length)]
    steps = np.diff(different) / length
    if (steps < 1 - 1e-3).any() or (steps > 1.5).any():
        return None
    return np.append(different, different[-1] + length)


def _interpolate(cells: np.ndarray, grid: _Grid, size: Size, method: Method) -> np.ndarray:
    """The values of a grid's cells as a map (height, width); NaN beyond the grid."""
    # Pixel centres in the grid's own coordinates, -1 and 1 at its outer edges.
    x, y = (
        np.interp(np.arange(length) + 0.5, edges, np.linspace(-1, 1, len(edges)), left=np.nan, right=np.nan)
        for length, edges in zip(size[::-1], (grid.x, grid.y))
    )
    places = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=-1)).float()[None]
    options: dict[str, Any] = {"mode": method, "padding_mode": "border", "align_corners": False}
    painted = functional.grid_sample(torch.from_numpy(cells)[None, None], places.nan_to_num(), **options)
    return np.where(places[0].isnan().any(dim=-1), np.float32(np.nan), painted[0, 0].numpy())


def _fill(boxes: np.ndarray, values: np.ndarray, size: Size) -> np.ndarray:
    """Each box filled with its value: every pixel whose centre lies in it."""
    canvas = np.full(size, np.nan, np.float32)
    for (x0, y0, x1, y1), value in zip(np.ceil(boxes - 0.5).clip(0).astype(int), values):
        canvas[y0:y1, x0:x1] = value
    return canvas
