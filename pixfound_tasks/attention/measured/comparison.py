"""How far measured boxes are from those of a registered rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pixfound_tasks.attention.geometry import TokenGeometry

if TYPE_CHECKING:
    from jaxtyping import Float64

_LITTLE, _MUCH = 0.05, 0.3  # of a box: inside the image, that the other geometry may leave out, or must have


class Deviation(NamedTuple):
    """The largest deviation between two geometries.

    Attributes:
        pixels: the largest difference between edges of a token's two boxes, inside the image.
        boxes: the same as a fraction of the box's side.
        missing: how many tokens have a box in the image by the rule but see no place.
        extra: how many tokens see a place but have no box in the image by the rule.
    """

    pixels: float
    boxes: float
    missing: int
    extra: int


def deviation(measured: Sequence[TokenGeometry], registered: Sequence[TokenGeometry]) -> Deviation:
    """Return the largest deviation over the images of a prompt.

    Raises:
        ValueError: if an image has other numbers of tokens.
    """
    parts = []
    for index, (one, other) in enumerate(zip(measured, registered)):
        if len(one.boxes) != len(other.boxes):
            raise ValueError(
                f"expected {len(other.boxes)} tokens of image {index + 1} by the rule, but measured {len(one.boxes)}"
            )
        parts.append(_of_image(one, other))
    pixels, boxes, missing, extra = zip(*parts)
    return Deviation(max(pixels), max(boxes), sum(missing), sum(extra))


def _of_image(measured: TokenGeometry, registered: TokenGeometry) -> Deviation:
    (own, own_part), (other, other_part) = (_inside(geometry) for geometry in (measured, registered))
    both = (own_part > 0) & (other_part > _LITTLE)
    difference, side = np.abs(own - other)[both], (other[:, 2:] - other[:, :2])[both]
    relative = difference / np.concatenate([side, side], axis=1)
    missing = (other_part > _MUCH) & ~(own_part > 0)
    extra = (own_part > _MUCH) & ~(other_part > 0)
    return Deviation(
        float(difference.max(initial=0)), float(relative.max(initial=0)), int(missing.sum()), int(extra.sum())
    )


def _inside(geometry: TokenGeometry) -> tuple[Float64[np.ndarray, "tokens 4"], Float64[np.ndarray, " tokens"]]:
    """Return the part of each box inside the image, and what fraction of the box it is; 0 without a box."""
    height, width = geometry.size
    inside = geometry.boxes.clip(0, [width, height, width, height])
    area, whole = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (inside, geometry.boxes))
    return inside, np.nan_to_num(area / whole)
