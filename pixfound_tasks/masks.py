"""Masks as COCO run-length encodings (RLE), handled by pycocotools: `{"size": [height, width], "counts": "..."}`.

Mask arrays are bool (height, width). Sizes are `(height, width)` in pixels throughout.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco

Rle = dict[str, Any]
Size = tuple[int, int]

_GOES_ON = 32  # the bit of a character in COCO's text form that says that the number continues in the next character
_AT_ONCE = 1 << 20  # characters; decoding takes about a hundred bytes for each
_MERGED = 8  # masks per call
_ROUNDED = 1e-6  # pixels that a whole number of pixels may lose as a fraction of the side
_LONGEST_NUMBER = 7  # characters: 35 bits, which is more than the pixel count of any image


class Overlap(NamedTuple):
    """Pixel counts of the intersection and the union of two masks."""

    intersection: int
    union: int


class InvalidMask(ValueError):
    """A value is not a valid mask, or its size is not the expected one."""


def check_size(size: Any) -> Size:
    """Return the size of an image, `(height, width)` in pixels, from two whole numbers or from a Pillow image.

    Raises TypeError for anything else.
    """
    sides = (size.height, size.width) if hasattr(size, "height") and hasattr(size, "width") else size
    try:
        height, width = map(operator.index, sides)
    except (TypeError, ValueError) as error:
        got = repr(size)[:80] if isinstance(size, (list, tuple)) else type(size).__name__
        raise TypeError(
            f"expected a size as (height, width) in pixels, but got {got}; that of a Pillow image is image.size[::-1]"
        ) from error
    return height, width


def encode(mask: np.ndarray) -> Rle:
    """Encode a mask, bool or 0/1 (height, width), as RLE. Raises ValueError if it is not two-dimensional."""
    if mask.ndim != 2:
        raise ValueError(
            f"expected a mask of shape (height, width), but got shape {mask.shape}; encode one mask at a time"
        )
    return _as_text(coco.encode(np.asfortranarray(mask.astype(bool), dtype=np.uint8)))


def decode(rle: Rle) -> np.ndarray:
    """Decode a trusted RLE to a mask, bool (height, width). Pass a model's output through `read_mask` first."""
    return coco.decode(rle).astype(bool)


def run_ends(rle: Rle) -> tuple[np.ndarray, np.ndarray]:
    """Return the half-open runs of a trusted RLE's pixels, starts and ends, counted down the columns."""
    runs = _runs([_as_text(rle)["counts"]])
    assert runs is not None
    edges = np.cumsum(runs.lengths)
    return edges[:-1:2], edges[1::2]


def empty(size: Size) -> Rle:
    """Return the empty mask of this size."""
    return encode(np.zeros(size, bool))


def area(rle: Rle) -> int:
    """Return the number of pixels in a mask."""
    return int(coco.area(rle))


def union(masks: Sequence[Rle], size: Size) -> Rle:
    """Return the union of masks that all have this size. Returns the empty mask if there are none."""
    found = list(masks) or [empty(size)]
    # Merge in groups: pycocotools scans the running union once per mask, so merging a thousand masks into one with many
    # runs would take minutes.
    while len(found) > 1:
        found = [coco.merge(found[start : start + _MERGED]) for start in range(0, len(found), _MERGED)]
    return _as_text(found[0])


def iou(prediction: Rle, target: Rle) -> float:
    """Return the intersection over union of two masks, in 0..1. Returns 1 if both are empty.

    Raises `InvalidMask` if their sizes differ.
    """
    if list(prediction["size"]) != list(target["size"]):
        raise InvalidMask(f"expected masks of one size, but got {prediction['size']} and {target['size']}")
    found = overlap(prediction, target)
    return found.intersection / found.union if found.union else 1.0


def ious(predictions: Sequence[Rle], target: Rle) -> list[float]:
    """Return the IoU, in 0..1, of each prediction with a ground truth that is not empty. All masks have one size."""
    return coco.iou(list(predictions), [target], [False])[:, 0].tolist() if predictions else []


def overlap(prediction: Rle, target: Rle) -> Overlap:
    """Return the intersection and the union, in pixels, of two masks of one size."""
    both = [prediction, target]
    return Overlap(area(coco.merge(both, intersect=True)), area(coco.merge(both)))


def from_polygons(polygons: Sequence[Sequence[float]], size: Size) -> Rle:
    """Return the union of polygons `[x0, y0, x1, y1, ...]` in pixels, filled as COCO fills them."""
    filled = coco.frPyObjects([list(map(float, polygon)) for polygon in polygons], *size) if polygons else []
    return union(filled, size)


def from_box(box: Sequence[float], size: Size) -> Rle:
    """Return a filled rectangle. The corners `(x_min, y_min, x_max, y_max)` are fractions of width and height."""
    height, width = size
    x0, y0, x1, y1 = (round(value * side) for value, side in zip(box, (width, height, width, height)))
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return encode(mask)


def pixel_of(point: Sequence[float], size: Size) -> tuple[int, int]:
    """Return the (row, column) of the pixel that contains the point `(x, y)`, in fractions of width and height.

    A pixel's own corner is in it, although 29 / 224 * 224 is less than 29 in floating point.
    """
    column, row = (min(int(value * side + _ROUNDED), side - 1) for value, side in zip(point, size[::-1]))
    return row, column


def from_point(point: Sequence[float], size: Size) -> Rle:
    """Return the mask of the one pixel that contains the point `(x, y)`, in fractions of width and height."""
    mask = np.zeros(size, bool)
    mask[pixel_of(point, size)] = True
    return encode(mask)


def resize(mask: np.ndarray, size: Size) -> np.ndarray:
    """Resize a mask, bool (height, width), to `size` by nearest neighbor."""
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1) for new, old in zip(size, mask.shape)
    )
    return mask[np.ix_(rows, columns)]


def shrunk(masks: Sequence[Rle], longest: int) -> list[Rle]:
    """Shrink trusted masks of one size by nearest neighbor, so that the longer side is at most `longest` pixels.

    The result is meant for display. The masks are not decoded: the end of each run is mapped to the number of kept
    pixels before it.
    """
    if not masks or longest >= max(masks[0]["size"]):
        return list(masks)
    old = masks[0]["size"]
    new = [max(1, round(side * longest / max(old))) for side in old]
    kept = [((np.arange(few) + 0.5) * many / few).astype(int) for few, many in zip(new, old)]
    rows_before, columns_before = (np.searchsorted(places, np.arange(side + 1)) for places, side in zip(kept, old))
    count = new[0] * new[1]
    runs = _runs([mask["counts"] for mask in masks])
    assert runs is not None
    of = np.repeat(np.arange(len(masks)), np.diff(runs.first, append=runs.lengths.size))
    columns, rows = np.divmod(np.cumsum(runs.lengths) - of * (old[0] * old[1]), old[0])
    has_column = np.diff(columns_before, append=columns_before[-1])[columns]
    ends = columns_before[columns] * new[0] + has_column * rows_before[rows]
    # If two runs end at the same place, the mask switches there and switches back, so both ends cancel.
    places, times = np.unique(of * (count + 1) + ends, return_counts=True)
    of, places = np.divmod(places[times % 2 == 1], count + 1)
    starts = np.searchsorted(of[places < count], np.arange(1, len(masks)))
    return [
        _as_text(coco.frPyObjects({"size": new, "counts": np.diff(ends, prepend=0, append=count).tolist()}, *new))
        for ends in np.split(places[places < count], starts)
    ]


def read_mask(value: Any, size: Size) -> Rle:
    """Check an untrusted RLE and return it in COCO's text form. Pycocotools alone would write past its buffers.

    `counts` may be COCO's text form or a list of run lengths. Raises `InvalidMask` if the size is not `size`, or if the
    run lengths are not numbers that add up to its pixels.
    """
    (found,) = read_masks([value], size)
    if isinstance(found, InvalidMask):
        raise found
    return found


def read_masks(values: Sequence[Any], size: Size) -> list[Rle | InvalidMask]:
    """Check many RLEs at once, which is many times faster than `read_mask`. Returns a mask or an error for each."""
    counts = [_counts(value, size) for value in values]
    texts = [count for count in counts if isinstance(count, str)]
    totals = iter(_total_runs(texts, size[0] * size[1]))
    return [_verified(count, next(totals) if isinstance(count, str) else None, size) for count in counts]


def _counts(value: Any, size: Size) -> str | list[int] | InvalidMask:
    if not isinstance(value, dict) or value.get("size") != list(size):
        found = value.get("size") if isinstance(value, dict) else value
        return InvalidMask(f"expected a mask of size {list(size)}, but got {str(found)[:80]}")
    counts, most = value.get("counts"), size[0] * size[1] + 1  # at most one run per pixel after an empty first run
    if isinstance(counts, str) and len(counts) > _LONGEST_NUMBER * most:
        return InvalidMask(f"expected counts of a mask of {most - 1} pixels, but got {len(counts)} characters")
    if isinstance(counts, list) and len(counts) > most:
        return InvalidMask(f"expected counts of a mask of {most - 1} pixels, but got {len(counts)} run lengths")
    if isinstance(counts, str) or (isinstance(counts, list) and all(type(run) is int for run in counts)):
        return counts
    return InvalidMask(f"expected counts as text or as a list of run lengths, but got {type(counts).__name__}")


def _verified(counts: str | list[int] | InvalidMask, total: int | None, size: Size) -> Rle | InvalidMask:
    if isinstance(counts, InvalidMask):
        return counts
    if isinstance(counts, list):
        # Reject runs longer than the mask first, because their sum may have more digits than Python prints.
        total = sum(counts) if all(0 <= run <= size[0] * size[1] for run in counts) else None
    if total != size[0] * size[1]:
        problem = f"{total}" if total is not None else f"{str(counts)[:80]!r}"
        return InvalidMask(f"expected run lengths that add up to {size[0] * size[1]} pixels, but got {problem}")
    if isinstance(counts, list):
        return _as_text(coco.frPyObjects({"size": list(size), "counts": counts}, *size))
    return {"size": list(size), "counts": counts}


def _total_runs(texts: Sequence[str], longest: int) -> list[int | None]:
    """Return the sum of each text's run lengths, or None if it is malformed or a run is not in 0..longest."""
    is_whole = [bool(text) and text.isascii() and not ord(text[-1]) - 48 & _GOES_ON for text in texts]
    whole = [text for text, ok in zip(texts, is_whole) if ok]
    if not whole:
        return [None] * len(texts)
    runs = _runs(whole) if len(whole) == 1 or sum(map(len, whole)) < _AT_ONCE else None
    if runs is None:  # there is too much text for one call, or one text is malformed
        found = [None] if len(whole) == 1 else [_total_runs([text], longest)[0] for text in whole]
    else:
        # Sums may overflow 64 bits. A total is exact if no run is longer than the mask.
        is_possible = np.logical_and.reduceat((runs.lengths >= 0) & (runs.lengths <= longest), runs.first)
        totals = np.add.reduceat(runs.lengths, runs.first)
        found = [int(total) if possible else None for possible, total in zip(is_possible, totals)]
    rest = iter(found)
    return [next(rest) if ok else None for ok in is_whole]


class _Runs(NamedTuple):
    """The run lengths of several masks, concatenated, int64, and the index of each mask's first run."""

    lengths: np.ndarray
    first: np.ndarray


def _runs(texts: Sequence[str]) -> _Runs | None:
    """Decode run lengths from COCO's text form. The texts are complete and not empty. Returns None if one is malformed.

    A number is a sequence of six-bit characters, with the lowest bits first. The sixth bit says that the number
    continues. From a mask's fourth number on, a number is the difference from the run length two before it.
    """
    codes = np.frombuffer("".join(texts).encode("ascii"), np.uint8) - np.uint8(ord("0"))
    goes_on = codes & _GOES_ON != 0
    ends = np.flatnonzero(~goes_on)
    characters = np.diff(ends, prepend=-1)
    if codes.max() > 63 or characters.max() > _LONGEST_NUMBER:
        return None
    place = np.arange(codes.size) - np.repeat(ends - characters + 1, characters)
    numbers = np.add.reduceat((codes & 31).astype(np.int64) << 5 * place, ends - characters + 1)
    numbers -= np.where(codes[ends] & 16, 1 << 5 * characters, 0)

    text_ends = np.cumsum([len(text) for text in texts])
    counts = np.diff(np.searchsorted(ends, text_ends), prepend=0)
    first = np.cumsum(counts) - counts
    is_odd = (np.arange(numbers.size) - np.repeat(first, counts)) % 2 == 1
    differences = numbers.copy()
    differences[first] = 0
    sums = [np.cumsum(np.where(chosen, differences, 0)) for chosen in (~is_odd, is_odd)]
    even, odd = (total - np.repeat(total[first], counts) for total in sums)
    lengths = np.where(is_odd, odd, even)
    lengths[first] = numbers[first]
    return _Runs(lengths, first)


def _as_text(rle: Rle) -> Rle:
    counts = rle["counts"]
    return {
        "size": [int(side) for side in rle["size"]],
        "counts": counts if isinstance(counts, str) else counts.decode("ascii"),
    }
