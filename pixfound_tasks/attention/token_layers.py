"""Cut a painted map into patches in which one formula of the token values gives every pixel.

A map that `TokenGeometry.paint` paints consists of layers, the later ones over the earlier. A bicubic layer is one
polynomial of 4 x 4 tokens between neighboring token centers. A box that forms no grid, and a cell that is painted
nearest, has one value. The edges of all of these cut the image into rows and columns of patches. Their number depends
on the tokens and not on the pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pixfound_tasks.attention.token_axes import Axis
from pixfound_tasks.attention.token_grids import Method, TokenGrid

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int

LEAST_VALUE, HIGHEST_VALUE = 1e-30, 1e30  # magnitudes in between have the whole precision of float32


class Undecided(Exception):
    """What was computed from the token values does not tell what painting gives, because of rounding."""


class Layer(NamedTuple):
    """Tokens of one shape.

    Attributes:
        tokens: indices of the image tokens.
        boxes: their boxes.
        grid: the arrangement of `boxes`, or None if they form no grid. Of boxes at the same place, it has the last.
        y, x: the axes of the grid, or None.
    """

    tokens: Int[np.ndarray, " tokens"]
    boxes: Float64[np.ndarray, "tokens 4"]
    grid: TokenGrid | None
    y: Axis | None
    x: Axis | None

    @property
    def painted(self) -> Int[np.ndarray, " *tokens"]:
        """The tokens that the layer's map depends on."""
        return self.tokens if self.grid is None else self.tokens[self.grid.tokens]


class BicubicLayer(NamedTuple):
    """The part of a map that one grid paints bicubically.

    Attributes:
        tokens: the image tokens of the grid.
        y, x: its axes.
        rows, columns: the patches that it covers.
        visible: which of these patches no later layer covers.
    """

    tokens: Int[np.ndarray, "rows columns"]
    y: Axis
    x: Axis
    rows: slice
    columns: slice
    visible: Bool[np.ndarray, "patch_rows patch_columns"]


class Rectangle(NamedTuple):
    """A part of the map that one bicubic layer paints: half-open ranges of pixels."""

    layer: BicubicLayer
    rows: slice
    columns: slice


@dataclass(frozen=True, eq=False)
class Patches:
    """The patches of a map.

    Attributes:
        rows, columns: the first pixel of each row and column of patches, and the end of the image.
        constant: the image token whose value a patch has everywhere, or -1.
        layers: the bicubic layers of which some patch is visible.
        tokens: the tokens of these patches and layers.
        is_covered: whether a patch has a token.
        kept: what other modules compute once from the patches.
    """

    rows: Int[np.ndarray, " patch_rows+1"]
    columns: Int[np.ndarray, " patch_columns+1"]
    constant: Int[np.ndarray, "patch_rows patch_columns"]
    layers: tuple[BicubicLayer, ...]
    tokens: Int[np.ndarray, " tokens"]
    is_covered: Bool[np.ndarray, "patch_rows patch_columns"]
    kept: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def pixels(self) -> int:
        """The number of pixels that some token covers."""
        return int(self.is_covered.astype(int) @ np.diff(self.columns) @ np.diff(self.rows))

    @cached_property
    def is_constant(self) -> Bool[np.ndarray, "patch_rows patch_columns"]:
        """Whether a patch has the value of one token everywhere."""
        return self.constant >= 0

    @cached_property
    def rectangles(self) -> tuple[Rectangle, ...]:
        """The visible parts of the bicubic layers as rectangles that do not overlap."""
        return tuple(
            Rectangle(
                layer,
                slice(*(int(self.rows[layer.rows.start + edge]) for edge in (top, bottom))),
                slice(*(int(self.columns[layer.columns.start + edge]) for edge in (left, right))),
            )
            for layer in self.layers
            for top, bottom, left, right in _rectangles(layer.visible)
        )


def cut(layers: Sequence[Layer], size: tuple[int, int], method: Method) -> Patches:
    """Cut the map of layers, the later over the earlier, into patches. `size` is (height, width) in pixels."""
    layers = [layer for index, layer in enumerate(layers) if not _is_hidden(layer, layers[index + 1 :])]
    rows, columns = _edges(layers, size, method)
    owner = np.full((len(rows) - 1, len(columns) - 1), -1)
    constant = np.full_like(owner, -1)
    for index, layer in enumerate(layers):
        if layer.grid is None or layer.y is None or layer.x is None:
            top, bottom, left, right = _patch_ranges(layer.boxes, rows, columns)
            for token, *box in zip(layer.tokens, top, bottom, left, right):
                place = slice(*box[:2]), slice(*box[2:])
                owner[place], constant[place] = index, token
            continue
        place = _patches_of(layer.y, rows), _patches_of(layer.x, columns)
        owner[place], constant[place] = index, -1
        if method == "nearest":
            nearest = layer.y.nearest[rows[:-1][place[0]]][:, None], layer.x.nearest[columns[:-1][place[1]]]
            constant[place] = layer.painted[nearest]
    shown = np.unique(owner[(owner >= 0) & (constant < 0)])
    bicubic = tuple(_bicubic(layers[index], owner == index, rows, columns) for index in shown)
    tokens = np.concatenate([constant[constant >= 0], *(layer.tokens.ravel() for layer in bicubic)])
    return Patches(rows, columns, constant, bicubic, tokens, owner >= 0)


def _rectangles(visible: Bool[np.ndarray, "rows columns"]) -> Iterator[tuple[int, int, int, int]]:
    """Yield half-open rectangles (top, bottom, left, right) that cover what is visible: runs in equal rows."""
    changes = np.flatnonzero((visible[1:] != visible[:-1]).any(axis=1)) + 1
    for top, bottom in pairwise([0, *changes.tolist(), len(visible)]):
        runs = np.flatnonzero(np.diff(visible[top], prepend=False, append=False)).tolist()
        for left, right in zip(runs[::2], runs[1::2]):
            yield top, bottom, left, right


def _is_hidden(layer: Layer, later: Sequence[Layer]) -> bool:
    """Return whether one of the later grids covers the whole layer."""
    if layer.y is None or layer.x is None:
        return False
    return any(
        over.y.start <= layer.y.start
        and over.y.stop >= layer.y.stop
        and over.x.start <= layer.x.start
        and over.x.stop >= layer.x.stop
        for over in later
        if over.y is not None and over.x is not None
    )


def _edges(layers: Sequence[Layer], size: tuple[int, int], method: Method) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = [np.array([0, size[0]])], [np.array([0, size[1]])]
    for layer in layers:
        if layer.y is None or layer.x is None:
            filled = filled_pixels(layer.boxes)
            rows.append(filled[:, 1::2].ravel())
            columns.append(filled[:, ::2].ravel())
        else:
            rows.append(layer.y.breaks(method))
            columns.append(layer.x.breaks(method))
    return tuple(np.unique(np.concatenate(found).clip(0, side)) for found, side in zip((rows, columns), size))  # type: ignore[return-value]


def filled_pixels(boxes: Float64[np.ndarray, "tokens 4"]) -> Int[np.ndarray, "tokens 4"]:
    """Return the pixels `(x0, y0, x1, y1)`, half-open, whose centers lie in each box."""
    return np.ceil(boxes - 0.5).clip(0).astype(int)


def _patch_ranges(boxes: Float64[np.ndarray, "tokens 4"], rows: np.ndarray, columns: np.ndarray) -> list[np.ndarray]:
    """Return the half-open ranges of patches that boxes fill: top, bottom, left, right."""
    x0, y0, x1, y1 = filled_pixels(boxes).T
    return [
        np.searchsorted(edges, sides.clip(max=edges[-1]))
        for edges, sides in ((rows, y0), (rows, y1), (columns, x0), (columns, x1))
    ]


def _patches_of(axis: Axis, edges: Int[np.ndarray, " edges"]) -> slice:
    first, end = np.searchsorted(edges, [axis.start, axis.stop])
    return slice(int(first), int(end))


def _bicubic(
    layer: Layer, owned: Bool[np.ndarray, "patch_rows patch_columns"], rows: np.ndarray, columns: np.ndarray
) -> BicubicLayer:
    assert layer.y is not None and layer.x is not None
    place = _patches_of(layer.y, rows), _patches_of(layer.x, columns)
    return BicubicLayer(layer.painted, layer.y, layer.x, *place, owned[place])
