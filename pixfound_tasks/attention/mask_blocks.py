"""The patches of a map that a mask fills, and the blocks with pixels of the mask in those that it fills in part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pixfound_tasks.attention.mask_runs import Runs, filled_pixels
from pixfound_tasks.attention.positive_blocks import Parts, Shape, parts_of

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int


class EdgePatches(NamedTuple):
    """The patches of one shape that a mask fills in part.

    Attributes:
        patches: their numbers.
        down, across: how they are cut into blocks.
        blocks: the blocks that have a pixel in the mask: the index of the patch, and their row and column in it.
        inside: which pixels of these blocks are in the mask, 0 or 1.
    """

    patches: Int[np.ndarray, " patches"]
    down: Parts
    across: Parts
    blocks: Int[np.ndarray, "3 blocks"]
    inside: Float32[np.ndarray, "rows columns blocks"]


class MaskBlocks(NamedTuple):
    """A mask over a grid of patches.

    Attributes:
        is_full: whether the mask fills a patch, row by row.
        edges: the patches that it fills in part, by shape.
    """

    is_full: Bool[np.ndarray, " patches"]
    edges: list[EdgePatches]


def mask_blocks(
    runs: Runs,
    rows: Int[np.ndarray, " rows+1"],
    columns: Int[np.ndarray, " columns+1"],
    kind: Int[np.ndarray, "rows columns"],
    shapes: Sequence[Shape],
) -> MaskBlocks:
    """Cut a mask where patches begin, and where blocks of patches begin that it fills in part.

    `shapes` are those that patches are handled as, and `kind` is the index of each patch's.
    """
    filled = filled_pixels(runs, rows, columns)
    is_full = filled == np.diff(rows)[:, None] * np.diff(columns)
    is_edge = (filled > 0) & ~is_full
    parts, row, column = runs.cut(rows, columns)
    at_edge = np.flatnonzero(is_edge[row, column])
    parts, row, column = parts.take(at_edge), row[at_edge], column[at_edge]
    # Pixels are counted from the corner of each patch.
    near = Runs(parts.column - columns[column], parts.top - rows[row], parts.bottom - rows[row])
    edges = []
    for index in np.unique(kind[row, column]).tolist():
        patches = np.flatnonzero(is_edge & (kind == index))
        chosen = np.flatnonzero(kind[row, column] == index)
        of = np.searchsorted(patches, row[chosen] * kind.shape[1] + column[chosen])
        edges.append(_edge_patches(near.take(chosen), of, patches, shapes[index]))
    return MaskBlocks(is_full.ravel(), edges)


def _edge_patches(
    runs: Runs, of: Int[np.ndarray, " runs"], patches: Int[np.ndarray, " patches"], shape: Shape
) -> EdgePatches:
    """Cut patches of one shape into blocks. `of` are the indices of the runs' patches."""
    down, across = map(parts_of, shape)
    rows, columns = len(down.starts), len(across.starts)
    begins = np.zeros((len(patches), rows * down.length + 1, columns * across.length), np.int8)
    begins[of, runs.top, runs.column] += 1
    begins[of, runs.bottom, runs.column] -= 1
    inside = begins.cumsum(axis=1, dtype=np.int8)[:, :-1]
    inside = inside.reshape(len(patches), rows, down.length, columns, across.length).transpose(0, 1, 3, 2, 4)
    blocks = np.nonzero(inside.any(axis=(3, 4)))
    weights = np.moveaxis(inside[blocks], 0, -1).astype(np.float32, order="C")
    return EdgePatches(patches, down, across, np.array(blocks), weights)
