"""Sums of the positive values of blocks of pixels in which a map is one polynomial.

A bicubic polynomial is given by its 4 x 4 Bernstein control points between the first and the last pixel along each
axis, and lies between the lowest and the highest of them. If none is negative, the sum is linear in them, and if none
is positive, it is 0. Other blocks are cut, and the pixels of those parts that may have both signs are computed. So
pixels are only computed near those where the map is 0.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Float64, Int

SIDE = 24  # pixels along a side of the parts of a block, at most
_WHOLE = 32  # pixels along both sides of a block that is not cut, at most
_ZEROS = np.zeros(1 << 16, np.float32)  # as many values are computed at a time; numpy is slow with one zero for all
_NET = np.arange(4)[:, None], np.arange(4)

Shape = tuple[int, int]  # rows and columns of pixels


class Nets(NamedTuple):
    """Blocks whose control points belong to pixels of one shape. A block may have fewer pixels than that.

    Attributes:
        points: the control points, those of a row of pixels after each other.
        owners: the number of the sum that each block adds to.
        heights, widths: the rows and columns of pixels in each block.
    """

    points: Float32[np.ndarray, "16 blocks"]
    owners: Int[np.ndarray, " blocks"]
    heights: Int[np.ndarray, " blocks"]
    widths: Int[np.ndarray, " blocks"]


def bernstein(places: Float64[np.ndarray, "*places"]) -> Float64[np.ndarray, "*places 4"]:
    """Return the weights of four control points at places, which are 0 and 1 at the first and the last pixel."""
    s, t = 1 - places, places
    return np.stack([s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t], axis=-1)


@lru_cache(maxsize=1024)
def pixel_weights(count: int) -> Float32[np.ndarray, "{count} 4"]:
    """Return the weights of control points at each of `count` pixels, which are equally far apart."""
    return bernstein(np.arange(count) / max(count - 1, 1)).astype(np.float32)


class Parts(NamedTuple):
    """How one side of blocks is cut. All parts have one length, but the last may go on beyond the side.

    Attributes:
        length: the pixels of a part, beyond the side included.
        starts: the first pixel of each part.
        controls: the weights of the side's control points in those of its parts: the first of all parts, the second
            of all, and so on.
        sums: the weights in the sum of the pixels of each part, if the side has all its pixels, or 1 fewer, or 2, ...
    """

    length: int
    starts: Int[np.ndarray, " parts"]
    controls: Float32[np.ndarray, "4*parts 4"]
    sums: Float32[np.ndarray, "missing parts 4"]


@lru_cache(maxsize=1024)
def parts_of(count: int) -> Parts:
    """Return the cut of `count` pixels into parts of at most `SIDE` pixels."""
    length = -(-count // -(-count // SIDE))
    starts = np.arange(0, count, length)
    last = max(count - 1, 1)
    thirds = (starts + np.arange(4)[:, None] / 3 * (length - 1)) / last  # (4, parts)
    controls = np.linalg.solve(bernstein(np.arange(4) / 3), bernstein(thirds).transpose(1, 0, 2))  # (parts, 4, 4)
    pixels = np.arange(count)
    filled = pixels < count - np.arange(spare(count) + 1)[:, None]  # (missing, pixels)
    sums = np.add.reduceat(filled[..., None] * bernstein(pixels / last), starts, axis=1)
    weights = controls.transpose(1, 0, 2).reshape(-1, 4)
    return Parts(length, starts, weights.astype(np.float32), sums.astype(np.float32))


def spare(count: int) -> int:
    """Return how many fewer pixels than `count` a side may have, to be cut as if it had as many."""
    return count // 10 if count > _WHOLE else 0


def add_blocks(work: dict[Shape, list[Nets]], shape: Shape, nets: Nets) -> None:
    """Add blocks to others of their shape."""
    work.setdefault(shape, []).append(nets)


def cut(nets: Nets, shape: Shape, work: dict[Shape, list[Nets]]) -> Float32[np.ndarray, " blocks"]:
    """Return the sums over those parts of blocks that are nowhere negative. Parts of both signs are added to `work`.

    Small blocks are added as they are.
    """
    if max(shape) <= _WHOLE:
        add_blocks(work, shape, nets)
        return np.zeros(len(nets.owners), np.float32)
    down, across = map(parts_of, shape)
    parts = part_points(nets.points, down, across)
    low = parts.min(axis=(0, 2))
    is_mixed = (low < 0) & (parts.max(axis=(0, 2)) > 0)
    row, column, block = _nonzero(is_mixed)
    heights = np.minimum(nets.heights[block] - down.starts[row], down.length)
    widths = np.minimum(nets.widths[block] - across.starts[column], across.length)
    is_whole = (heights == down.length) & (widths == across.length)
    for chosen in map(np.flatnonzero, (is_whole, ~is_whole & (heights > 0) & (widths > 0))):
        if len(chosen):
            of = block[chosen]
            points = take_parts(parts, of, row[chosen], column[chosen])
            found = Nets(points, nets.owners[of], heights[chosen], widths[chosen])
            add_blocks(work, (down.length, across.length), found)
    weights_down, weights_across = (
        np.ascontiguousarray(part.sums[count - found].transpose(1, 2, 0))  # (parts, 4, blocks)
        for part, count, found in zip((down, across), shape, (nets.heights, nets.widths))
    )
    half_sums = np.einsum("rib,ijb->rjb", weights_down, nets.points.reshape(4, 4, -1))
    sums = np.einsum("rjb,cjb->rcb", half_sums, weights_across)
    return np.where(low >= 0, sums, np.float32(0)).sum(axis=(0, 1))


def _nonzero(found: Bool[np.ndarray, "rows columns blocks"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return `np.nonzero(found)`, which is slow."""
    part, block = np.divmod(np.flatnonzero(found), found.shape[2])
    row, column = np.divmod(part, found.shape[1])
    return row, column, block


def part_points(
    points: Float32[np.ndarray, "16 blocks"], down: Parts, across: Parts
) -> Float32[np.ndarray, "4 rows 4 columns blocks"]:
    """Return the control points of all parts of blocks."""
    rows, columns, count = len(down.starts), len(across.starts), points.shape[1]
    halves = (down.controls @ points.reshape(4, -1)).reshape(-1, 4, count)
    return (across.controls @ halves).reshape(4, rows, 4, columns, count)


def take_parts(
    parts: Float32[np.ndarray, "4 rows 4 columns blocks"],
    block: Int[np.ndarray, " chosen"],
    row: Int[np.ndarray, " chosen"],
    column: Int[np.ndarray, " chosen"],
) -> Float32[np.ndarray, "16 chosen"]:
    """Return the control points of some parts of blocks."""
    _, rows, _, columns, count = parts.shape
    first = (row * (4 * columns) + column) * count + block
    net = _NET[0] * (rows * 4 * columns * count) + _NET[1] * (columns * count)
    return parts.ravel()[net.reshape(16, 1) + first]


def positive_sums_of(work: dict[Shape, list[Nets]], count: int) -> Float64[np.ndarray, " {count}"]:
    """Return for each owner, 0 to `count - 1`, the sum of the positive values of its blocks, which `work` has."""
    sums = np.zeros(count)
    for shape, found in work.items():
        is_whole = [bool((nets.heights == shape[0]).all() and (nets.widths == shape[1]).all()) for nets in found]
        for kind in set(is_whole):
            chosen = [nets for nets, each in zip(found, is_whole) if each == kind]
            nets = Nets(*(np.concatenate(each, axis=-1) for each in zip(*chosen))) if len(chosen) > 1 else chosen[0]
            added = pixel_sums(nets.points, shape) if kind else _part_sums(nets, shape)
            sums += np.bincount(nets.owners, added, count)
    return sums


def _part_sums(nets: Nets, shape: Shape) -> Float32[np.ndarray, " blocks"]:
    """Return the sums of the positive values of blocks that have fewer pixels than `shape`."""
    down, across = (
        (np.arange(length)[:, None] < found).astype(np.float32)
        for length, found in zip(shape, (nets.heights, nets.widths))
    )
    return pixel_sums(nets.points, shape, down[:, None], across)


def pixel_sums(
    points: Float32[np.ndarray, "16 blocks"],
    shape: Shape,
    inside: Float32[np.ndarray, "rows columns blocks"] | None = None,
    across: Float32[np.ndarray, "columns blocks"] | None = None,
) -> Float32[np.ndarray, " blocks"]:
    """Return the sums of the positive values of blocks, times `inside` and `across`, over all pixels."""
    weights = tuple(map(pixel_weights, shape))
    sums = np.empty(points.shape[1], np.float32)
    step = max(1, len(_ZEROS) // (shape[0] * shape[1]))
    for start in range(0, len(sums), step):
        part = slice(start, start + step)
        columns = weights[1] @ points[:, part].reshape(4, 4, -1)
        values = weights[0] @ columns.reshape(4, -1)
        np.maximum(values, _ZEROS[: values.size].reshape(values.shape), out=values)
        values = values.reshape(*shape, -1)
        if inside is not None:
            values *= inside[..., part]
        if across is not None:
            values = (_ones(shape[0]) @ values.reshape(shape[0], -1)).reshape(1, shape[1], -1) * across[:, part]
        sums[part] = _ones(values.shape[0] * shape[1]) @ values.reshape(-1, values.shape[2])
    return sums


@lru_cache(maxsize=1024)
def _ones(count: int) -> Float32[np.ndarray, " {count}"]:
    return np.ones(count, np.float32)
