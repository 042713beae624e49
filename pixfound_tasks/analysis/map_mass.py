"""How much of a phrase's attention map lies on the object, before any segmenter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle
from pixfound_tasks.response.maps import CoarseMap, shares

if TYPE_CHECKING:
    from pixfound_tasks.attention.look import Look, Span


class MapMass(NamedTuple):
    """The fraction of a map's total inside a mask, and the fraction of the image that the mask covers; both in 0..1.

    For a uniform map, `mass` equals `area`.
    """

    mass: float
    area: float


def map_mass(values: np.ndarray, target: Rle) -> MapMass:
    """The mass of a map, float (height, width), of the ground truth's size. Negative values and NaN count as 0.

    Centered maps are negative at pixels that a phrase attends to less than the answer does on average. The mass is NaN
    if the map has no positive value or the object is absent.

    Raises:
        ValueError: if the map and the mask differ in size.
    """
    _check_size(values.shape, target)
    inside = masks.decode(target)
    positive = np.nan_to_num(values.astype(np.float64), nan=0.0).clip(min=0)
    return _mass(float(positive.sum()), float(positive[inside].sum()), target)


def coarse_mass(found: CoarseMap, target: Rle) -> MapMass:
    """`map_mass` of a phrase's coarse map, as precise as its cells and levels are."""
    levels = np.frombuffer(found.levels, np.uint8).reshape(found.size).astype(np.float64)
    total, area = levels.sum(), _area(target)
    mass = float((levels * mask_means(target, found.size)).sum() / total) if total > 0 and area else math.nan
    return MapMass(mass, area)


def mask_means(target: Rle, size: tuple[int, int]) -> np.ndarray:
    """`cell_means` of a mask. The mask is not decoded: runs are sums over whole columns and parts of two."""
    height, width = target["size"]
    down, across = shares(height, size[0]).T, shares(width, size[1]).T
    down_to = np.vstack([np.zeros(size[0]), down.cumsum(axis=0)])
    across_to = np.vstack([np.zeros(size[1]), across.cumsum(axis=0)])
    across = np.vstack([across, np.zeros(size[1])])  # a run may end at the end of the image
    (start_column, start), (end_column, end) = (np.divmod(edges, height) for edges in masks.run_ends(target))
    whole = np.outer(down_to[-1], (across_to[end_column] - across_to[start_column]).sum(axis=0))
    return np.asarray(whole + down_to[end].T @ across[end_column] - down_to[start].T @ across[start_column])


def phrase_mass(look: Look, span: Span, target: Rle, image: int = 0) -> MapMass:
    """`map_mass` of an answer's phrase over one image of its prompt, from what `save_attention` wrote.

    It is exact to float32 rounding: the map is summed, but not painted, and the mask is not decoded.
    """
    _check_size(look.geometries[image].size, target)
    return _mass(*look.phrase_sums(span, target, image), target)


def _check_size(size: Sequence[int], target: Rle) -> None:
    if list(size) != list(target["size"]):
        raise ValueError(f"expected a map of the mask's size {list(target['size'])}, but got {list(size)}")


def _area(target: Rle) -> float:
    return masks.area(target) / math.prod(target["size"])


def _mass(total: float, within: float, target: Rle) -> MapMass:
    area = _area(target)
    return MapMass(within / total if total > 0 and area else math.nan, area)
