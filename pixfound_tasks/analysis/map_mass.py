"""How much of a phrase's attention map lies on the object, before any segmenter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle
from pixfound_tasks.response.maps import CoarseMap, cell_means

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
    if list(values.shape) != list(target["size"]):
        raise ValueError(f"expected a map of the mask's size {list(target['size'])}, but got {list(values.shape)}")
    inside = masks.decode(target)
    positive = np.nan_to_num(values.astype(np.float64), nan=0.0).clip(min=0)
    total = positive.sum()
    mass = float(positive[inside].sum() / total) if total > 0 and inside.any() else math.nan
    return MapMass(mass, float(inside.mean()))


def coarse_mass(found: CoarseMap, target: Rle) -> MapMass:
    """`map_mass` of a phrase's coarse map, as precise as its cells and levels are."""
    inside = masks.decode(target)
    levels = np.frombuffer(found.levels, np.uint8).reshape(found.size).astype(np.float64)
    total = levels.sum()
    mass = float((levels * cell_means(inside, found.size)).sum() / total) if total > 0 and inside.any() else math.nan
    return MapMass(mass, float(inside.mean()))


def phrase_mass(look: Look, span: Span, target: Rle, image: int = 0) -> MapMass:
    """`map_mass` of an answer's phrase over one image of its prompt, from what `save_attention` wrote."""
    return map_mass(look.phrase_map(span, image), target)
