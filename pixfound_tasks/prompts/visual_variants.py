"""The study's image variations: crops and black rectangles guided by the mask (arXiv 2502.04192)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.prompts.typos import SEED, Draws

CROPS = range(10)  # the study's numbers for the variations
MASK_OUTS = range(10, 20)

_SHARE = 0.2  # a crop must keep, and a black rectangle must cover, more than this fraction of the mask
_JPEG_QUALITY = 95  # OpenCV's default, which the study has
_SHORTEST_CROP = 30  # minimum width and height, in pixels, from the corner of the bounding box


class Region(NamedTuple):
    """Pixels from (left, top) up to, but not including, (right, bottom)."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class VisualChange:
    """A change of an image and its mask. `region` is None if they are not changed.

    `kind` is "crop" (keep only the region) or "mask_out" (make the region black).
    """

    kind: str
    region: Region | None

    def image(self, image: Image.Image) -> Image.Image:
        """Return the changed image (RGB)."""
        image = image.convert("RGB")
        if self.region is None:
            return image
        if self.kind == "crop":
            return image.crop(self.region)
        image.paste((0, 0, 0), self.region)
        return image

    def mask(self, mask: Rle) -> Rle:
        """Return the changed mask. Its size is that of the changed image."""
        if self.region is None:
            return mask
        left, top, right, bottom = self.region
        array = masks.decode(mask)
        if self.kind == "crop":
            return masks.encode(array[top:bottom, left:right])
        array[top:bottom, left:right] = False
        return masks.encode(array)


def as_jpeg(image: Image.Image) -> Image.Image:
    """Return the image (RGB) after encoding as JPEG and decoding, which the study's images have gone through.

    Quality and chroma subsampling are the study's. Pixels may differ by a few levels between JPEG libraries.
    """
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling="4:2:0")
    return Image.open(buffer).convert("RGB")


class _Target(NamedTuple):
    """A mask cropped to its bounding box, bool (height, width), with the box's top left corner and the image's size.

    All lengths are in pixels.
    """

    mask: np.ndarray
    x: int
    y: int
    size: Size

    def is_enough(self, x: int, y: int, width: int, height: int) -> bool:
        """Whether this rectangle, which starts within the bounding box, contains more than a fifth of the mask."""
        x, y = x - self.x, y - self.y
        return bool(self.mask[y : y + height, x : x + width].sum() / self.mask.sum() > _SHARE)

    def region(self, left: int, top: int, right: int, bottom: int) -> Region:
        """Return the rectangle, clipped to the image on the right and at the bottom."""
        height, width = self.size
        return Region(left, top, min(right, width), min(bottom, height))


def visual_changes(targets: Iterable[Rle], variations: Sequence[int]) -> Iterator[list[VisualChange]]:
    """Yield, for each mask of a benchmark in the order of its documents, one change per variation.

    Variations 0..9 crop the image. Variations 10..19 make a rectangle black. `SEED` plus the variation's number seeds
    its random stream, which runs over all masks. A part of a benchmark therefore gives other changes than the whole,
    except if it is the beginning. An empty mask draws nothing and is not changed. Masks are read one at a time.

    Raises ValueError if a variation is out of range.
    """
    if unknown := sorted(set(variations) - {*CROPS, *MASK_OUTS}):
        raise ValueError(f"expected variations in 0..9 (crops) and 10..19 (mask-outs), but got {unknown}")
    streams = [Draws.seeded(SEED + variation) for variation in variations]
    kinds = ["crop" if variation in CROPS else "mask_out" for variation in variations]
    return (_changes(_target(target), kinds, streams) for target in targets)


def _changes(target: _Target | None, kinds: Sequence[str], streams: Sequence[Draws]) -> list[VisualChange]:
    return [
        VisualChange(kind, None if target is None else _DRAWN[kind](target, draws.numbers))
        for kind, draws in zip(kinds, streams)
    ]


def _target(target: Rle) -> _Target | None:
    mask = masks.decode(target)
    rows, columns = (np.flatnonzero(mask.any(axis)).tolist() for axis in (1, 0))
    if not rows:
        return None
    inside = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _Target(inside, columns[0], rows[0], mask.shape)


def _drawn_crop(target: _Target, numbers: np.random.RandomState) -> Region | None:
    """Draw a crop from the image's top left corner to a point in the bounding box.

    The point is at 50 to 80 % of the box's width and height, and at least 30 pixels from the box's corner. As in the
    study, only the parts to the right of and below this point are cut off. Returns None if the crop keeps too little of
    the mask.
    """
    share = 0.5 + 0.3 * numbers.random_sample()
    height, width = (max(_SHORTEST_CROP, int(side * share)) for side in target.mask.shape)
    if not target.is_enough(target.x, target.y, width, height):
        return None
    return target.region(0, 0, target.x + width, target.y + height)


def _drawn_mask_out(target: _Target, numbers: np.random.RandomState) -> Region | None:
    """Draw a rectangle whose sides are 0 to 80 % of the bounding box's, at a random position in the box.

    If it covers too little of the mask, the same rectangle at the box's top left corner is tried. Returns None if that
    covers too little as well. As in the study, the rectangle may be almost empty or extend beyond the bounding box.
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
