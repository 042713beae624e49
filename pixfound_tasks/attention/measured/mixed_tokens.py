"""Boxes of image tokens that are interpolated between patches, and whether others see places or the whole image.

Interpolated features: a number reaches several tokens, each with its weight. The gradient weighted by the tokens' rows
(columns), divided by the unweighted one, is the mean row (column) that the number reaches. It depends linearly on the
number's place, and the line says where the rows (columns) lie. The prompt says how many there are: a token without a
place, such as a newline, ends each row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from pixfound_tasks.attention.geometry import Size, grid_boxes
from pixfound_tasks.attention.measured.coordinate_pictures import Places
from pixfound_tasks.attention.measured.errors import NoPlace, NotMeasurable
from pixfound_tasks.attention.measured.reach import Gradients, Reach

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int

_SAMPLES = 12  # tokens whose gradients are taken one by one
_END = 0.01  # of a column: numbers of the patches at an end have its mean
_GLOBAL = 0.75  # of the spread of all numbers: tokens that spread so far see everything


class Block(NamedTuple):
    """Tokens `start` to `stop` that share their numbers, and the number of columns if a token ends each row."""

    start: int
    stop: int
    columns: int | None


def mixed_block(gradients: Gradients, found: Reach, is_answering: Bool[np.ndarray, " tokens"]) -> Block:
    """Return the tokens that numbers reach together; others reach theirs alone.

    Args:
        gradients: those of the forward pass, of all image tokens.
        found: which numbers reach one token alone.
        is_answering: whether a token depends on the images at all.
    """
    count = len(is_answering)
    shared = {name: (found.token[name] < 0) & found.is_reaching[name] for name in found.token}

    def is_shared(weights: torch.Tensor) -> bool:
        values = gradients.of(weights)
        return any(
            value is not None and bool((value.abs().cpu().numpy()[mask] > 1e-6 * float(value.abs().max())).any())
            for value, mask in zip(values, shared.values())
        )

    index = torch.arange(count)
    # The longest beginning, and the longest end, whose tokens share no number.
    start = _last(lambda length: not is_shared((index < length).float()), count)
    end = _last(lambda length: not is_shared((index >= count - length).float()), count - start)
    stop = count - end
    if start >= stop:
        raise NotMeasurable("expected numbers that reach the same tokens together, but none do")
    breaks = np.flatnonzero(~is_answering)
    breaks = breaks[(breaks >= start) & (breaks <= stop)]
    if len(breaks) < 2:
        return Block(start, stop, None)
    # The corners of interpolated rows may share nothing, so the rows' ends say where the block begins and ends.
    columns = int(breaks[1] - breaks[0]) - 1
    first, last = int(breaks[0]) - columns, int(breaks[-1])
    if first < 0 or (np.diff(breaks) != columns + 1).any() or columns < 1:
        raise NotMeasurable("expected rows of equally many tokens, but tokens without a place lie irregularly")
    return Block(first, last + 1, columns)


def _last(holds: Callable[[int], bool], most: int) -> int:
    """Return the largest length up to `most` for which a property holds that is lost for good at some length."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def interpolated_boxes(
    gradients: Gradients, places: dict[str, Places], block: Block, count: int, sizes: Sequence[Size]
) -> tuple[Float64[np.ndarray, "tokens 4"], Int[np.ndarray, " tokens"]]:
    """Return the boxes of a block's tokens, and the image of each, -1 for those without a place.

    Args:
        gradients: those of the forward pass, of all image tokens.
        places: where the numbers come from.
        block: the block, with a token at the end of each row.
        count: the number of image tokens.
        sizes: (height, width) of the images.
    """
    assert block.columns is not None
    within = torch.arange(block.stop - block.start)
    column, row = within % (block.columns + 1), within // (block.columns + 1)
    is_real = (column < block.columns).float()
    weights = torch.zeros(3, count)
    weights[:, block.start : block.stop] = torch.stack([is_real, is_real * (column + 1), is_real * (row + 1)])
    strength, *sums = (gradients.of(each) for each in weights)
    rows = int(row.max()) + 1
    owner_of, x, y = (
        np.concatenate([getattr(place, field).ravel() for place in places.values()]) for field in Places._fields
    )
    one, *two = (np.concatenate([_flat(value) for value in values]) for values in (strength, *sums))
    is_seen = np.abs(one) > 1e-3 * np.abs(one).max()
    images = np.unique(owner_of[is_seen & (owner_of >= 0)])
    if len(images) != 1:
        raise NotMeasurable("expected tokens that see one image, but they see several")
    image = int(images[0])
    known, is_padding = is_seen & (owner_of == image), is_seen & (owner_of < 0)
    lines = []
    for total, place, length, side in zip(two, (x, y), (block.columns, rows), (sizes[image][1], sizes[image][0])):
        means = total[is_seen] / one[is_seen] - 1
        lines.append(_line(means[known[is_seen]], place[known], length, side, means[is_padding[is_seen]]))
    (left, width), (top, height) = lines
    boxes, owner = np.full((count, 4), np.nan), np.full(count, -1)
    tokens = block.start + np.flatnonzero(is_real.numpy())
    grid = grid_boxes(rows, block.columns, (left, top, left + width * block.columns, top + height * rows))
    boxes[tokens], owner[tokens] = grid[: len(tokens)], image
    return boxes, owner


def _flat(value: torch.Tensor | None) -> Float64[np.ndarray, " numbers"]:
    if value is None:
        raise NotMeasurable("expected gradients of every pixel tensor, but one has none")
    return value.double().flatten().cpu().numpy()


def _line(means: np.ndarray, places: np.ndarray, length: int, side: int, padding: np.ndarray) -> tuple[float, float]:
    """Return where the first of `length` columns begins, and how wide each is, from the mean column at each place.

    `padding` holds the mean columns of numbers without a place.
    """
    is_inner = (means > 0.5) & (means < length - 1.5) if length > 4 else np.ones(len(means), bool)
    if length < 2 or np.ptp(means[is_inner]) < 0.5:
        raise NotMeasurable("expected interpolated features in two rows and columns or more, but there are fewer")
    # Numbers of one patch have one mean and several places, so the line is that of the places.
    width, center = np.polyfit(means[is_inner], places[is_inner], 1)
    off = np.abs(places - center - width * means)
    if width <= 0 or np.quantile(off, 0.95) > 1.25 * width:
        raise NotMeasurable("expected rows and columns that lie evenly, but they do not")
    # Interpolation keeps the ends: the columns share evenly what is seen. The line is coarse, and proves it.
    gaps = np.diff(np.sort(places))
    step = float(np.median(gaps[gaps > 0.3 * gaps.max()]))
    first, last = places.min() - step / 2, places.max() + step / 2
    first, last = 0.0 if first < 0.75 * step else first, float(side) if last > side - 0.75 * step else last
    before, after = _overhang(means, places, length, padding, step)
    first, last = first - before, last + after
    even = (last - first) / length
    slack = 0.1 if len(padding) else 0.25
    if abs(even - width) > slack * even or abs(first + even / 2 - center) > slack * even:
        if len(padding):  # what lies beyond the image has no place
            return float(center - width / 2), float(width)
        raise NotMeasurable("expected rows and columns that share evenly what they see, but they do not")
    return float(first), float(even)


def _overhang(
    means: np.ndarray, places: np.ndarray, length: int, padding: np.ndarray, step: float
) -> tuple[float, float]:
    """Return how far the first and the last patch reach beyond the image, into padding.

    Numbers of these patches have the mean of the first (last) column. As many of them as are padding have no place.
    """
    ends = [np.abs(padding - end) < _END for end in (0, length - 1)]
    if not len(padding) or not (ends[0] | ends[1]).all():
        return 0.0, 0.0  # padding is beside the other axis
    found = []
    for end, is_padding in zip((0, length - 1), ends):
        own = places[np.abs(means - end) < _END]
        lines = round(np.ptp(own) / step) + 1 if len(own) else 0
        found.append(step * lines * is_padding.sum() / max(len(own), 1))
    return found[0], found[1]


def check_local(
    gradients: Gradients, places: dict[str, Places], start: int, stop: int, count: int, image: int = 0
) -> tuple[Int[np.ndarray, " some"], Float64[np.ndarray, "some 4"]]:
    """Return some of the tokens `start` to `stop` of an image, with the middle (x, y) and spread of what they see.

    Raises NoPlace if they see all of the image.
    """
    tokens = np.unique(np.linspace(start, stop - 1, _SAMPLES).astype(int))
    seen = np.array([_seen(gradients, places, token, count, image) for token in tokens])
    everything = _spread([(place.x, place.y, place.image == image) for place in places.values()])
    if np.median(seen[:, 2:] / np.maximum(everything, 1e-9)) > _GLOBAL:
        reads_across = gradients.part.reads_across
        raise NoPlace(stop - start, f"as behind {'a resampler or a Q-Former' if reads_across else 'many convolutions'}")
    return tokens, seen


def _seen(gradients: Gradients, places: dict[str, Places], token: int, count: int, image: int) -> list[float]:
    """Return the middle (x, y) of what a token sees, and its spread."""
    weights = torch.zeros(count)
    weights[token] = 1
    energy, x, y = [], [], []
    for name, value in zip(gradients.names, gradients.of(weights)):
        if value is not None:
            known = places[name].image == image
            energy.append(value.double().square().cpu().numpy()[known])
            x.append(places[name].x[known])
            y.append(places[name].y[known])
    shares = np.concatenate(energy)
    if not shares.sum() > 0:
        raise NotMeasurable("numbers reach several tokens, and some tokens see no number of their own image")
    shares = shares / shares.sum()
    middle = [float((shares * np.concatenate(values)).sum()) for values in (x, y)]
    spread = [float(np.sqrt((shares * (np.concatenate(values) - at) ** 2).sum())) for values, at in zip((x, y), middle)]
    return middle + spread


def _spread(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Float64[np.ndarray, " 2"]:
    return np.array([np.concatenate([part[axis][part[2]] for part in parts]).std() for axis in (0, 1)])
