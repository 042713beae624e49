"""Boxes of image tokens, from the places of the numbers that each of them sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pixfound_tasks.attention.geometry import Size
from pixfound_tasks.attention.measured.coordinate_pictures import Places
from pixfound_tasks.attention.measured.errors import NotMeasurable

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int

_FINE = 1000  # parts of a pixel
_USUAL = 0.01  # of a token's numbers must show a place that counts
_SAME = 1e-4  # of the image's side: places that do not differ
_EVEN, _NARROW = 0.12, 0.4  # of a box: what steps and gaps between boxes may differ by, and may be


class Extents(NamedTuple):
    """What tokens see along one axis, in pixels.

    Attributes:
        center: the middle of the places.
        step: the distance between neighboring places; 0 if there is one place.
        places: the number of different places.
        is_scattered: whether places lie far apart.
    """

    center: Float64[np.ndarray, " tokens"]
    step: Float64[np.ndarray, " tokens"]
    places: Int[np.ndarray, " tokens"]
    is_scattered: Bool[np.ndarray, " tokens"]


class Tokens(NamedTuple):
    """Boxes of all image tokens of a prompt, (tokens, 4), and the image of each, -1 for tokens without a place."""

    boxes: Float64[np.ndarray, "tokens 4"]
    owners: Int[np.ndarray, " tokens"]


def exact_tokens(
    places: dict[str, Places], tokens: dict[str, Int[np.ndarray, "*numbers"]], count: int, sizes: Sequence[Size]
) -> Tokens:
    """Return the boxes of `count` tokens whose numbers reach them alone.

    Args:
        places: where the numbers of each pixel tensor come from.
        tokens: the token that each number reaches, -1 for none, by pixel tensor.
        count: the number of image tokens.
        sizes: (height, width) of the images.

    Raises:
        NotMeasurable: if a token sees places far apart.
    """
    token = np.concatenate([found.ravel() for found in tokens.values()])
    image, x, y = (
        np.concatenate([getattr(places[name], field).ravel() for name in tokens]) for field in Places._fields
    )
    boxes, owners = np.full((count, 4), np.nan), np.full(count, -1)
    for index, size in enumerate(sizes):
        own = (token >= 0) & (image == index) & ~np.isnan(x) & ~np.isnan(y)
        if not own.any():
            continue
        along_x, along_y = (extents(token[own], values[own], count) for values in (x, y))
        scattered = along_x.is_scattered | along_y.is_scattered
        if scattered.any():
            raise NotMeasurable(f"expected tokens that see one place each, but {scattered.sum()} see places far apart")
        found = regular_boxes(along_x, along_y, size)
        seen = ~np.isnan(found[:, 0])
        boxes[seen], owners[seen] = found[seen], index
    return Tokens(boxes, owners)


def extents(token: Int[np.ndarray, " numbers"], places: Float64[np.ndarray, " numbers"], count: int) -> Extents:
    """Return what each of `count` tokens sees along one axis. Tokens without a number are NaN.

    Args:
        token: the token of each number.
        places: the coordinate of each number.
        count: the number of tokens.
    """
    found = Extents(np.full(count, np.nan), np.zeros(count), np.zeros(count, int), np.zeros(count, bool))
    if not len(token):
        return found
    # Numbers of one column show one place, so that few are left.
    low = places.min()
    fine = np.round((places - low) * _FINE).astype(np.int64)
    key, times = np.unique(token * (fine.max() + 1) + fine, return_counts=True)
    # Single numbers at the edges of padding may show another place than the rest of their row or column.
    is_usual = times >= _USUAL * np.bincount(token, minlength=count)[key // (fine.max() + 1)]
    token, places = key[is_usual] // (fine.max() + 1), key[is_usual] % (fine.max() + 1) / _FINE + low
    sizes = np.bincount(token, minlength=count)
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes[sizes > 0]):  # most tokens have the same number of numbers
        tokens = np.flatnonzero(sizes == size)
        part = _extents(places[starts[tokens][:, None] + np.arange(size)])
        for whole, values in zip(found, part):
            whole[tokens] = values
    return found


def _extents(places: Float64[np.ndarray, "tokens numbers"]) -> Extents:
    """`places` are sorted along each row."""
    gaps = np.diff(places, axis=1)
    spread = places[:, -1:] - places[:, :1]
    step = _median_above(gaps, np.maximum(spread / 200, 1e-9))
    step = _median_above(gaps, 0.4 * step[:, None])
    is_scattered = (gaps.max(axis=1, initial=0) > 3 * step) & (spread[:, 0] > 4) & (step > 0)
    # Number the different places of each token; numbers within 0.4 steps of their neighbor share a place.
    column = np.zeros(places.shape, int)
    column[:, 1:] = np.cumsum((gaps > 0.4 * step[:, None]) & (step[:, None] > 0), axis=1)
    count = column[:, -1] + 1
    center = np.empty(len(places))
    for number in np.unique(count):
        rows = np.flatnonzero(count == number)
        flat = (np.arange(len(rows))[:, None] * number + column[rows]).ravel()
        means = np.bincount(flat, places[rows].ravel()) / np.bincount(flat)
        means = means.reshape(len(rows), number)
        if number > 1:
            cut = number // 6  # resampling moves the places at the image's edges inward
            step[rows] = (means[:, number - 1 - cut] - means[:, cut]) / (number - 1 - 2 * cut)
        offsets = (np.arange(number) - (number - 1) / 2) * step[rows][:, None]
        center[rows] = np.median(means - offsets, axis=1)
    return Extents(center, step, count, is_scattered)


def _median_above(gaps: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return the median of each row's gaps above `least`; 0 if there are none."""
    kept = np.where(gaps > least, gaps, np.nan)
    some = ~np.isnan(kept).all(axis=1) if kept.shape[1] else np.zeros(len(kept), bool)
    found = np.zeros(len(gaps))
    if some.any():
        found[some] = np.nanmedian(kept[some], axis=1)
    return found


def regular_boxes(along_x: Extents, along_y: Extents, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """Return the boxes of tokens, with those of one view of the image (a tile, a thumbnail) put on a common grid.

    Tokens at the edge of a padded image see fewer places than others. Their boxes are completed beyond the image.
    """
    boxes = np.full((len(along_x.center), 4), np.nan)
    for view in _views(along_x, along_y):
        for axis, (extent, length) in enumerate(((along_x, size[1]), (along_y, size[0]))):
            other = (along_y, along_x)[axis].places[view]
            low, width = _axis(extent.center[view], extent.step[view], extent.places[view], float(length), other)
            boxes[view, axis], boxes[view, axis + 2] = low, low + width
    boxes[np.isnan(along_x.center)] = np.nan
    return boxes


def _views(along_x: Extents, along_y: Extents) -> list[np.ndarray]:
    """Group tokens by the distance between neighboring places: those of a thumbnail lie further apart.

    Tokens in reading order are grouped first, because means over many tokens tell similar distances apart.
    """
    placed = np.flatnonzero(np.isfinite(along_x.center))
    steps = np.stack([along_x.step, along_y.step], axis=1)[placed]
    middle = along_y.center[placed]
    height = np.abs(along_y.step * along_y.places)[placed]
    jumps = np.diff(middle) < -0.75 * height[1:]  # a new view begins at the top
    jumps |= (np.abs(np.diff(steps, axis=0)) > 0.1 * steps[1:] + 1e-9).any(axis=1)
    found: list[list[np.ndarray]] = []
    for part in np.split(np.arange(len(placed)), np.flatnonzero(jumps) + 1):
        own = np.median(steps[part], axis=0)
        for group in found:
            known = np.concatenate(group)
            slack = 0.002 + 0.03 / np.sqrt(min(len(part), len(known)))
            if (np.abs(own - np.median(steps[known], axis=0)) <= slack * own + 1e-9).all():
                group.append(part)
                break
        else:
            found.append([part])
    return [placed[view] for view in _joined([np.concatenate(group) for group in found], steps)]


def _joined(views: list[np.ndarray], steps: np.ndarray) -> list[np.ndarray]:
    """Join views whose tokens show one place along an axis, at the edge of a padded image, with those beside them."""
    whole = [view for view in views if (np.median(steps[view], axis=0) > 0).all()]
    if not whole:
        return views
    for view in views:
        own = np.median(steps[view], axis=0)
        if (own > 0).all():
            continue
        misses = [np.abs(np.median(steps[other], axis=0) - own)[own > 0].sum() for other in whole]
        nearest = int(np.argmin(misses))
        if misses[nearest] <= 0.1 * own.sum():
            whole[nearest] = np.concatenate([whole[nearest], view])
        else:
            whole.append(view)
    return whole


def _axis(
    center: np.ndarray, step: np.ndarray, count: np.ndarray, length: float, other: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the starts of the boxes of a view along one axis, and their common width.

    `other` holds the numbers of places along the other axis.
    """
    most = _usual(count)
    pitch = float(np.median(step[count == most]))
    if pitch * most < _SAME * length and np.ptp(center) < _SAME * length:
        # Resized to one pixel in between: every token sees all of the side.
        return np.zeros(len(center)), length
    first, last = center - count * pitch / 2, center + count * pitch / 2
    if (
        (first < 0.75 * pitch) != (last > length - 0.75 * pitch)
    ).all():  # every token is cut at one edge of the image: tokens are taken to be square
        most = max(most, _usual(other))
    width = most * pitch
    is_cut_low = (count < most) & (first < 0.75 * pitch) & (last < length - 0.75 * pitch)
    low = np.where(is_cut_low, last - width, np.where(count < most, first, center - width / 2))
    order = np.sort(low)
    edges = np.flatnonzero(np.diff(order) > 0.5 * width) + 1
    columns = np.array([np.median(part) for part in np.split(order, edges)])
    steps = np.diff(columns) / width
    if len(columns) > 1 and (np.abs(steps - 1) < _EVEN).all():
        inner = np.arange(len(columns))[1:-1] if len(columns) > 4 else np.arange(len(columns))
        slope, start = np.polyfit(inner, columns[inner], 1)
        # The middles stay where they are if the width changes.
        low = low + (width - slope) / 2
        columns, width = start + (width - slope) / 2 + slope * np.arange(len(columns)), float(slope)
    elif _is_of_few_pixels(columns, width, length):
        width = length / len(columns)
        low = columns = width * np.arange(len(columns))[np.abs(low[:, None] - columns[None]).argmin(axis=1)]
    nearest = columns[np.abs(low[:, None] - columns[None]).argmin(axis=1)]
    is_near = np.abs(nearest - low) < 0.3 * width
    return (nearest if is_near.all() else low), width


def _is_of_few_pixels(columns: np.ndarray, width: float, length: float) -> bool:
    """Return whether the boxes of a view, which begin at `columns`, share a side that was resized to a few pixels.

    What is enlarged from a few pixels shows places between their centers alone: every box seems too narrow, with even
    gaps between them and beside the first and the last. Tokens that leave out something of each other do not exist.
    """
    if len(columns) < 2:
        return False
    steps = np.diff(columns)
    before, after = columns[0], length - columns[-1] - width
    is_even = np.ptp(steps) < _EVEN * width and _EVEN < steps.mean() / width - 1 < _NARROW
    return bool(is_even and abs(before - after) < _EVEN * width and 0 < before < _NARROW * width)


def _usual(count: np.ndarray) -> int:
    """Return the number of places of a token that is not cut: the largest of the frequent ones."""
    values, times = np.unique(count, return_counts=True)
    return int(values[times >= 0.25 * times.max()].max())
