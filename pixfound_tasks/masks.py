"""Masks as COCO run-length encodings (RLE), by pycocotools: `{"size": [height, width], "counts": "..."}`.

Arrays are bool (height, width). Sizes are `(height, width)` in pixels throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco

Rle = dict[str, Any]
Size = tuple[int, int]

_LONGEST_NUMBER = 7  # characters: 35 bits, more pixels than an image can have


class Overlap(NamedTuple):
    """Pixels in both of two masks, and in any of them."""

    intersection: int
    union: int


class InvalidMask(ValueError):
    """Something that was to be a mask is none, or one of another size than expected."""


def encode(mask: np.ndarray) -> Rle:
    """RLE of a mask, bool or 0/1 (height, width)."""
    if mask.ndim != 2:
        raise ValueError(f"expected a mask of shape (height, width), but got shape {mask.shape}")
    return _as_text(coco.encode(np.asfortranarray(mask.astype(bool), dtype=np.uint8)))


def decode(rle: Rle) -> np.ndarray:
    """Mask of a trusted RLE, bool (height, width). What a model printed goes through `read_mask` first."""
    return coco.decode(rle).astype(bool)


def empty(size: Size) -> Rle:
    """The mask of nothing."""
    return encode(np.zeros(size, bool))


def area(rle: Rle) -> int:
    """Number of pixels."""
    return int(coco.area(rle))


def union(masks: Sequence[Rle], size: Size) -> Rle:
    """The pixels of any of the masks, all of this size; of none of them, the empty mask."""
    return _as_text(coco.merge(list(masks))) if masks else empty(size)


def iou(prediction: Rle, truth: Rle) -> float:
    """Intersection over union of two masks of one size; 1 where both are empty."""
    if list(prediction["size"]) != list(truth["size"]):
        raise InvalidMask(f"expected masks of one size, but got {prediction['size']} and {truth['size']}")
    found = overlap(prediction, truth)
    return found.intersection / found.union if found.union else 1.0


def overlap(prediction: Rle, truth: Rle) -> Overlap:
    """How much of two masks of one size is shared."""
    both = [prediction, truth]
    return Overlap(area(coco.merge(both, intersect=True)), area(coco.merge(both)))


def from_polygons(polygons: Sequence[Sequence[float]], size: Size) -> Rle:
    """The union of polygons `[x0, y0, x1, y1, ...]` in pixels, filled as COCO does."""
    filled = coco.frPyObjects([list(map(float, polygon)) for polygon in polygons], *size) if polygons else []
    return union(filled, size)


def from_box(box: Sequence[float], size: Size) -> Rle:
    """A filled rectangle from corners `(x_min, y_min, x_max, y_max)` in fractions of width and height."""
    height, width = size
    x0, y0, x1, y1 = (round(value * side) for value, side in zip(box, (width, height, width, height)))
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return encode(mask)


def from_point(point: Sequence[float], size: Size) -> Rle:
    """The one pixel that holds a point `(x, y)` in fractions of width and height."""
    mask = np.zeros(size, bool)
    x, y = (min(int(value * side), side - 1) for value, side in zip(point, size[::-1]))
    mask[y, x] = True
    return encode(mask)


def resize(mask: np.ndarray, size: Size) -> np.ndarray:
    """The mask at another size by nearest neighbour, bool (height, width)."""
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1) for new, old in zip(size, mask.shape)
    )
    return mask[np.ix_(rows, columns)]


def read_mask(value: Any, size: Size) -> Rle:
    """An untrusted RLE, checked before pycocotools sees it (which would write past its buffers).

    `counts` may be COCO's text or a list of run lengths. Raises `InvalidMask` where the size is not `size`, or the
    runs are not numbers that add up to it.
    """
    if not isinstance(value, dict) or value.get("size") != list(size):
        found = value.get("size") if isinstance(value, dict) else value
        raise InvalidMask(f"expected a mask of size {list(size)}, but got {str(found)[:80]}")
    counts = value.get("counts")
    if isinstance(counts, str):
        runs = _runs(counts)
    elif isinstance(counts, list) and all(type(run) is int for run in counts):
        runs = counts
    else:
        raise InvalidMask(f"expected counts as text or as a list of run lengths, but got {type(counts).__name__}")
    if min(runs, default=0) < 0 or sum(runs) != size[0] * size[1]:
        raise InvalidMask(f"expected runs that add up to {size[0] * size[1]} pixels, but got {sum(runs)}")
    if isinstance(counts, list):
        return _as_text(coco.frPyObjects({"size": list(size), "counts": counts}, *size))
    return {"size": list(size), "counts": counts}


def _runs(counts: str) -> list[int]:
    """Run lengths in COCO's text form: six bits a character, lowest first, each run less the one before the last."""
    runs, number, shift = [], 0, 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift == 5 * _LONGEST_NUMBER:
            raise InvalidMask(f"expected run lengths in COCO's text form, but got {counts[:80]!r}")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        number, shift = 0, 0
    if shift:
        raise InvalidMask(f"expected run lengths in COCO's text form, but got {counts[:80]!r}, which is cut off")
    return runs


def _as_text(rle: Rle) -> Rle:
    counts = rle["counts"]
    return {
        "size": [int(side) for side in rle["size"]],
        "counts": counts if isinstance(counts, str) else counts.decode("ascii"),
    }
