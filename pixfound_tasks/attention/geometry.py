"""Map image tokens to boxes in the original image, and paint token values onto it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pixfound_tasks.attention.token_axes import Axis
from pixfound_tasks.attention.token_grids import Method, as_grid, layers_by_shape, sample
from pixfound_tasks.attention.token_layers import Layer, Patches, cut, filled_pixels

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Float64, Int

Size = tuple[int, int]  # (height, width) in pixels

PAINTED_FLAT = 1e-5  # relative to the highest value; bicubic interpolation of a constant varies by about 4e-6


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
        height, width = self.size
        return self.paint_part(values, slice(0, height), slice(0, width), method)

    def paint_part(
        self, values: Float[np.ndarray, " tokens"], rows: slice, columns: slice, method: Method = "bicubic"
    ) -> Float32[np.ndarray, "height width"]:
        """Return `paint(values, method)[rows, columns]`, for slices with start and stop, and paint no other pixel."""
        values = self.check_values(values)
        canvas = np.full((rows.stop - rows.start, columns.stop - columns.start), np.nan, np.float32)
        for layer in self.layers:
            if layer.grid is None or layer.y is None or layer.x is None:
                painted = _fill(layer.boxes, values[layer.painted], rows, columns)
            else:
                x, y = layer.x.places[columns], layer.y.places[rows]
                painted = _interpolate(values[layer.painted], x, y, method)
            canvas = np.where(np.isnan(painted), canvas, painted)
        return canvas

    def check_values(self, values: Float[np.ndarray, " tokens"]) -> Float32[np.ndarray, " tokens"]:
        """Return token values as float32. Raises ValueError if their number differs from the number of tokens."""
        if values.shape != (len(self.boxes),):
            raise ValueError(f"expected one value for each of {len(self.boxes)} image tokens, but got {values.shape}")
        return np.asarray(values, np.float32)

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
        finest = self.layers[-1]
        if finest.grid is None:
            raise ValueError("expected the image tokens with the smallest boxes to form a grid, but they do not")
        return finest.painted

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of a painted map, from the lowest to the highest."""
        placed = np.flatnonzero(~np.isnan(self.boxes[:, 0]))
        groups = [placed[group] for group in layers_by_shape(self.boxes[placed])]
        return tuple(self._layer(tokens) for tokens in groups)

    def patches(self, values: Float32[np.ndarray, " tokens"], method: Method) -> Patches | None:
        """Return the patches of the map of these values. Layers without a value, which are NaN, are left out.

        Returns None if a layer has both finite values and others. Then the patches of the map are not rectangles.
        """
        shown = self.layers
        if not np.isfinite(values).all():
            shown = tuple(layer for layer in self.layers if not np.isnan(values[layer.painted]).all())
            if not all(np.isfinite(values[layer.painted]).all() for layer in shown):
                return None
        key = (method, *(id(layer) for layer in shown))
        if key not in self._patches:
            self._patches[key] = cut(shown, self.size, method)
        return self._patches[key]

    @cached_property
    def _patches(self) -> dict[tuple[Method | int, ...], Patches]:
        return {}

    def _layer(self, tokens: Int[np.ndarray, " tokens"]) -> Layer:
        boxes = self.boxes[tokens]
        grid = as_grid(boxes)
        if grid is None:
            return Layer(tokens, boxes, None, None, None)
        return Layer(tokens, boxes, grid, Axis(grid.y, self.size[0]), Axis(grid.x, self.size[1]))


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
    check_rank(rank)
    known = values[~np.isnan(values)]
    if known.size < rank or np.ptp(known) <= PAINTED_FLAT * np.abs(known).max():
        return None
    value = np.partition(known, -rank)[-rank]
    row, column = np.argwhere(values == value)[rank - 1 - np.count_nonzero(known > value)]
    return as_fractions(row, column, values.shape, corner)


def check_rank(rank: int) -> None:
    """Raise ValueError if the rank of a pixel is below 1."""
    if rank < 1:
        raise ValueError(f"expected rank to be 1 (the highest pixel) or more, but got {rank}")


def as_fractions(row: int, column: int, size: Size, corner: bool) -> tuple[float, float]:
    """Return a pixel's center, or its upper left corner, as (x, y) fractions of width and height."""
    height, width = size
    offset = 0.0 if corner else 0.5
    return float((column + offset) / width), float((row + offset) / height)


def _interpolate(
    cells: Float32[np.ndarray, "rows columns"],
    x: Float32[np.ndarray, " width"],
    y: Float32[np.ndarray, " height"],
    method: Method,
) -> Float32[np.ndarray, "height width"]:
    """Interpolate the values of a grid's cells as a map of pixels at places in the grid, see `pixel_places`.

    Pixels outside the grid are NaN.
    """
    places = np.stack(np.meshgrid(x, y), axis=-1)
    painted = sample(cells, np.nan_to_num(places), method)
    return np.where(np.isnan(places).any(axis=-1), np.float32(np.nan), painted)


def _fill(
    boxes: Float64[np.ndarray, "tokens 4"], values: Float32[np.ndarray, " tokens"], rows: slice, columns: slice
) -> Float32[np.ndarray, "height width"]:
    """Fill each box with its value: every pixel whose center lies in the box."""
    canvas = np.full((rows.stop - rows.start, columns.stop - columns.start), np.nan, np.float32)
    start = np.array([columns.start, rows.start] * 2)
    for (x0, y0, x1, y1), value in zip((filled_pixels(boxes) - start).clip(0), values):
        canvas[y0:y1, x0:x1] = value
    return canvas
