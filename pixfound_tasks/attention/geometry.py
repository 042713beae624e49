"""Map image tokens to boxes in the original image, and paint token values onto it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Float64, Int

Method = Literal["bicubic", "nearest"]
Size = tuple[int, int]  # (height, width) in pixels

_PAINTED_FLAT = 1e-5  # relative to the highest value; bicubic interpolation of a constant varies by about 4e-6


@dataclass(frozen=True)
class TokenGeometry:
    """The box of each image token, in pixels of the original image.

    `boxes` has rows `(x0, y0, x1, y1)`. Rows are NaN for tokens without a position in the
    image, such as newline tokens. Boxes may extend beyond the image if the processor padded it. They may overlap if the
    model sees the image more than once (tiles and thumbnail). `size` is the image's (height, width).
    """

    boxes: Float64[np.ndarray, "tokens 4"]
    size: Size

    def paint(
        self, values: Float[np.ndarray, " tokens"], method: Method = "bicubic"
    ) -> Float32[np.ndarray, "height width"]:
        """Paint token values as a map of the image. Pixels that no token covers are NaN.

        Boxes of the same shape that form a grid are interpolated together, either bicubic (as the PixFoundation authors
        do) or nearest. Boxes that form no grid are filled with their value. Smaller boxes are painted over larger ones,
        so tiles cover the thumbnail.

        Raises:
            ValueError: if the number of values differs from the number of tokens.
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

    def cropped(self, size: Size) -> TokenGeometry:
        """Return the same tokens over the image of this size in the middle of the square that was padded around it."""
        left, top = ((side - length) // 2 for side, length in zip(self.size[::-1], size[::-1]))
        return TokenGeometry(self.boxes - np.array([left, top, left, top]), size)

    def shrunk(self, longest: int) -> TokenGeometry:
        """Return the same tokens over a smaller copy of the image, its longest side at most `longest` pixels."""
        height, width = self.size
        scale = min(1.0, longest / max(self.size))
        size = max(1, round(height * scale)), max(1, round(width * scale))
        return TokenGeometry(self.boxes * np.array([size[1] / width, size[0] / height] * 2), size)

    def finest_grid(self) -> Int[np.ndarray, "rows columns"]:
        """Return the indices of the tokens with the smallest boxes, arranged as in the image.

        Raises:
            ValueError: if these boxes form no grid.
        """
        placed = np.flatnonzero(~np.isnan(self.boxes[:, 0]))
        finest = placed[_layers(self.boxes[placed])[-1]]
        grid = _grid(self.boxes[finest])
        if grid is None:
            raise ValueError("expected the image tokens with the smallest boxes to form a grid, but they do not")
        return finest[grid.tokens]


class _Grid(NamedTuple):
    """Boxes that lie in rows and columns.

    Attributes:
        tokens: indices of the boxes.
        x: the left edge of each column and the right edge of the last.
        y: the top edge of each row and the bottom edge of the last.
    """

    tokens: Int[np.ndarray, "rows columns"]
    x: Float64[np.ndarray, " columns+1"]
    y: Float64[np.ndarray, " rows+1"]


def grid_boxes(
    rows: int, columns: int, region: tuple[float, float, float, float]
) -> Float64[np.ndarray, "{rows}*{columns} 4"]:
    """Return the boxes of a grid over a region `(x0, y0, x1, y1)`, row by row."""
    x0, y0, x1, y1 = region
    x, y = np.linspace(x0, x1, columns + 1), np.linspace(y0, y1, rows + 1)
    return np.stack([*np.meshgrid(x[:-1], y[:-1]), *np.meshgrid(x[1:], y[1:])], axis=-1).reshape(-1, 4)


def peak(values: Float[np.ndarray, "height width"], rank: int = 1, corner: bool = False) -> tuple[float, float] | None:
    """Return the center of a map's highest pixel, or of its rank-th highest, as (x, y) fractions of width and height.

    With `corner`, return the pixel's upper left corner: its whole-number coordinates. NaN pixels are ignored. Pixels
    with equal values are ranked row by row, left to right. Returns None if the map is flat or has fewer than `rank`
    pixels. A map counts as flat if its range is below the interpolation error of a constant map.

    Raises:
        ValueError: if rank is below 1.
    """
    if rank < 1:
        raise ValueError(f"expected rank to be 1 (the highest pixel) or more, but got {rank}")
    known = values[~np.isnan(values)]
    if known.size < rank or np.ptp(known) <= _PAINTED_FLAT * np.abs(known).max():
        return None
    height, width = values.shape
    value = np.partition(known, -rank)[-rank]
    row, column = np.argwhere(values == value)[rank - 1 - np.count_nonzero(known > value)]
    offset = 0.0 if corner else 0.5
    return float((column + offset) / width), float((row + offset) / height)


def _layers(boxes: Float64[np.ndarray, "tokens 4"]) -> list[Int[np.ndarray, " _group"]]:
    """Group boxes by shape. Returns the indices of each group, largest boxes first."""
    shapes = boxes[:, 2:] - boxes[:, :2]

    def by_shape() -> Iterator[np.ndarray]:
        rest = np.arange(len(boxes))
        while len(rest):
            same = np.abs(shapes[rest] - shapes[rest[0]]).max(axis=1) < 1e-3
            yield rest[same]
            rest = rest[~same]

    return sorted(by_shape(), key=lambda layer: -shapes[layer[0]].prod())


def _grid(boxes: Float64[np.ndarray, "tokens 4"]) -> _Grid | None:
    """Arrange boxes of the same shape as a grid. Returns None if they do not fill one."""
    width, height = boxes[0, 2:] - boxes[0, :2]
    x, y = _edges(boxes[:, 0], width), _edges(boxes[:, 1], height)
    if x is None or y is None:
        return None
    tokens = np.full((len(y) - 1, len(x) - 1), -1)
    tokens[np.searchsorted(y, boxes[:, 1] + height / 2) - 1, np.searchsorted(x, boxes[:, 0] + width / 2) - 1] = (
        np.arange(len(boxes))
    )
    return None if (tokens < 0).any() else _Grid(tokens, x, y)


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


def _interpolate(
    cells: Float32[np.ndarray, "rows columns"], grid: _Grid, size: Size, method: Method
) -> Float32[np.ndarray, "height width"]:
    """Interpolate the values of a grid's cells as a map. Pixels outside the grid are NaN."""
    # Pixel centers in grid coordinates: -1 and 1 are the outer edges of the grid.
    x, y = (
        np.interp(np.arange(length) + 0.5, edges, np.linspace(-1, 1, len(edges)), left=np.nan, right=np.nan)
        for length, edges in zip(size[::-1], (grid.x, grid.y))
    )
    places = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=-1)).float()[None]
    options: dict[str, Any] = {"mode": method, "padding_mode": "border", "align_corners": False}
    painted = functional.grid_sample(torch.from_numpy(cells)[None, None], places.nan_to_num(), **options)
    return np.where(places[0].isnan().any(dim=-1), np.float32(np.nan), painted[0, 0].numpy())


def _fill(
    boxes: Float64[np.ndarray, "tokens 4"], values: Float32[np.ndarray, " tokens"], size: Size
) -> Float32[np.ndarray, "height width"]:
    """Fill each box with its value: every pixel whose center lies in the box."""
    canvas = np.full(size, np.nan, np.float32)
    for (x0, y0, x1, y1), value in zip(np.ceil(boxes - 0.5).clip(0).astype(int), values):
        canvas[y0:y1, x0:x1] = value
    return canvas
