"""The study's variations of the picture: crops and black rectangles guided by the mask (arXiv 2502.04192)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.prompts.alterations import SEED, Draws

CROPS = range(10)  # the study's numbers for the variations
MASK_OUTS = range(10, 20)

_SHARE = 0.2  # a crop must keep more than this share of the mask, a black rectangle must hold more
_SHORTEST_CROP = 30  # pixels of the bounding box


class Region(NamedTuple):
    """Pixels from (left, top) up to, but not including, (right, bottom)."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class VisualChange:
    """What becomes of a picture and of its mask; `region` is None where they stay as they are.

    `kind` says what happens to the region: "crop" keeps nothing else, "mask_out" blacks it out.
    """

    kind: str
    region: Region | None

    def image(self, image: Image.Image) -> Image.Image:
        """The picture after the change, RGB."""
        image = image.convert("RGB")
        if self.region is None:
            return image
        if self.kind == "crop":
            return image.crop(self.region)
        image.paste((0, 0, 0), self.region)
        return image

    def mask(self, mask: Rle) -> Rle:
        """The mask after the change, of the changed picture's size."""
        if self.region is None:
            return mask
        left, top, right, bottom = self.region
        array = masks.decode(mask)
        if self.kind == "crop":
            return masks.encode(array[top:bottom, left:right])
        array[top:bottom, left:right] = False
        return masks.encode(array)


class _Target(NamedTuple):
    """A mask within its bounding box, bool (height, width), the box's corner, and the image's size, all in pixels."""

    mask: np.ndarray
    x: int
    y: int
    size: Size

    def is_enough(self, x: int, y: int, width: int, height: int) -> bool:
        """Whether this rectangle, which starts within the bounding box, holds more than a fifth of the mask."""
        x, y = x - self.x, y - self.y
        return bool(self.mask[y : y + height, x : x + width].sum() / self.mask.sum() > _SHARE)

    def region(self, left: int, top: int, right: int, bottom: int) -> Region:
        """The part of it that is in the image."""
        height, width = self.size
        return Region(left, top, min(right, width), min(bottom, height))


def visual_changes(truths: Iterable[Rle], variations: Sequence[int]) -> Iterator[list[VisualChange]]:
    """For each mask of a benchmark, in the order of its documents, its change in every one of these variations.

    Variations 0..9 crop, 10..19 black out. Each is seeded with `SEED` plus its number and draws from one stream over
    all masks: a part of a benchmark gives other changes than the whole, except for its first documents. An empty mask
    draws nothing and is not changed. Masks are read one by one, as they are asked for.

    Raises ValueError for a variation out of range.
    """
    if unknown := sorted(set(variations) - {*CROPS, *MASK_OUTS}):
        raise ValueError(f"expected variations in 0..9 (crops) and 10..19 (mask-outs), but got {unknown}")
    streams = [Draws.seeded(SEED + variation) for variation in variations]
    kinds = ["crop" if variation in CROPS else "mask_out" for variation in variations]
    return (_changes(_target(truth), kinds, streams) for truth in truths)


def _changes(target: _Target | None, kinds: Sequence[str], streams: Sequence[Draws]) -> list[VisualChange]:
    return [
        VisualChange(kind, None if target is None else _DRAWN[kind](target, draws.numbers))
        for kind, draws in zip(kinds, streams)
    ]


def _target(truth: Rle) -> _Target | None:
    mask = masks.decode(truth)
    rows, columns = (np.flatnonzero(mask.any(axis)).tolist() for axis in (1, 0))
    if not rows:
        return None
    inside = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _Target(inside, columns[0], rows[0], mask.shape)


def _drawn_crop(target: _Target, numbers: np.random.RandomState) -> Region | None:
    """From the image's top left corner into the bounding box, to half or more of its width and height.

    Kept as the study has it: only what is right of the object and under it is cut off.
    """
    share = 0.5 + 0.3 * numbers.random_sample()
    height, width = (max(_SHORTEST_CROP, int(side * share)) for side in target.mask.shape)
    if not target.is_enough(target.x, target.y, width, height):
        return None
    return target.region(0, 0, target.x + width, target.y + height)


def _drawn_mask_out(target: _Target, numbers: np.random.RandomState) -> Region | None:
    """A rectangle of a share of the bounding box's sides from a place within it, or else from its corner.

    Kept as the study has it: the share may be near 0, and the rectangle may reach out of the bounding box.
    """
    share = 0.8 * numbers.random_sample()
    height, width = (int(side * share) for side in target.mask.shape)
    drawn = [numbers.randint(low, low + side) for low, side in zip((target.x, target.y), target.mask.shape[::-1])]
    for x, y in (drawn, (target.x, target.y)):
        if target.is_enough(x, y, width, height):
            return target.region(int(x), int(y), int(x) + width, int(y) + height)
    return None


_DRAWN: dict[str, Callable[[_Target, np.random.RandomState], Region | None]] = {
    "crop": _drawn_crop,
    "mask_out": _drawn_mask_out,
}
