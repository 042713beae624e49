"""How much of what a phrase's tokens looked at lies on the object, before any segmenter."""

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
    """The share of a map that lies inside a mask, and the share of the image that the mask is; both in 0..1.

    A map that looks everywhere alike has its mass equal to the area.
    """

    mass: float
    area: float


def map_mass(values: np.ndarray, truth: Rle) -> MapMass:
    """Of a map, float (height, width) as the truth; what is under zero or NaN has no mass.

    Centred maps have negative values where a phrase looks less than the answer does on average. The mass is NaN where
    the map has none, or the object is absent.

    Raises:
        ValueError: where map and mask differ in size.
    """
    if list(values.shape) != list(truth["size"]):
        raise ValueError(f"expected a map of the mask's size {list(truth['size'])}, but got {list(values.shape)}")
    inside = masks.decode(truth)
    positive = np.nan_to_num(values.astype(np.float64), nan=0.0).clip(min=0)
    total = positive.sum()
    mass = float(positive[inside].sum() / total) if total > 0 and inside.any() else math.nan
    return MapMass(mass, float(inside.mean()))


def coarse_mass(found: CoarseMap, truth: Rle) -> MapMass:
    """`map_mass` of the coarse map that a phrase carries, as exact as its cells and levels are."""
    inside = masks.decode(truth)
    levels = np.frombuffer(found.levels, np.uint8).reshape(found.size).astype(np.float64)
    total = levels.sum()
    mass = float((levels * cell_means(inside, found.size)).sum() / total) if total > 0 and inside.any() else math.nan
    return MapMass(mass, float(inside.mean()))


def phrase_mass(look: Look, span: Span, truth: Rle, image: int = 0) -> MapMass:
    """`map_mass` of a phrase of an answer over one image of its prompt, from what `save_attention` wrote."""
    return map_mass(look.phrase_map(span, image), truth)
