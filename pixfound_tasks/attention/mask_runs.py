"""A mask as runs of pixels down the columns of the image, as COCO's run-length encoding holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from pixfound_tasks import masks

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

    Mask = masks.Rle | Bool[np.ndarray, "height width"]


class Runs(NamedTuple):
    """Runs of pixels, each within one column of the image.

    Attributes:
        column: the column of each run.
        top, bottom: its half-open range of rows.
    """

    column: Int[np.ndarray, " runs"]
    top: Int[np.ndarray, " runs"]
    bottom: Int[np.ndarray, " runs"]

    def take(self, which: Any) -> Runs:
        """Return the runs with these indices, or for which a mask is true."""
        return Runs(self.column[which], self.top[which], self.bottom[which])

    def cut(
        self, rows: Int[np.ndarray, " rows+1"], columns: Int[np.ndarray, " columns+1"]
    ) -> tuple[Runs, Int[np.ndarray, " runs"], Int[np.ndarray, " runs"]]:
        """Cut the runs where rows and columns of blocks begin, as the ascending edges say.

        Returns the parts within blocks, and the row and the column of the block that each is in.
        """
        column, top, bottom = self.column, np.maximum(self.top, rows[0]), np.minimum(self.bottom, rows[-1])
        found = Runs(column, top, bottom).take((top < bottom) & (column >= columns[0]) & (column < columns[-1]))
        run, row = _stretched(np.searchsorted(rows, found.top, "right") - 1, np.searchsorted(rows, found.bottom) - 1)
        column, top, bottom = found.take(run)
        parts = Runs(column, np.maximum(top, rows[row]), np.minimum(bottom, rows[row + 1]))
        return parts, row, np.searchsorted(columns, column, "right") - 1


def filled_pixels(
    runs: Runs, rows: Int[np.ndarray, " rows+1"], columns: Int[np.ndarray, " columns+1"]
) -> Int[np.ndarray, "rows columns"]:
    """Return how many pixels of runs each block has, between the ascending edges of rows and columns of blocks."""
    parts, row, column = runs.cut(rows, columns)
    shape = len(rows) - 1, len(columns) - 1
    counts = np.bincount(row * shape[1] + column, parts.bottom - parts.top, shape[0] * shape[1])
    return counts.astype(int).reshape(shape)


class MaskRuns:
    """A mask, and its runs. It is made once and used for the maps of many phrases.

    Attributes:
        rle: the mask.
        size: the height and width of the image, in pixels.
        area: the number of pixels in the mask.
        runs: its runs.
        kept: what other modules compute once from the mask, for as long as what it is computed for exists.
    """

    def __init__(self, mask: Mask) -> None:
        """Find the runs of an RLE, which is not decoded, or of an array of bool or 0 and 1.

        Raises:
            ValueError: if it is neither, or its runs do not add up to its pixels.
        """
        self.rle = _rle(mask)
        height, width = map(int, self.rle["size"])
        self.size: tuple[int, int] = (height, width)
        self.kept: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        start, end = masks.run_ends(self.rle)
        start, end = start[start < end].astype(int), end[start < end].astype(int)
        self.area = int((end - start).sum())
        # A run that goes on at the top of the next column is cut there.
        run, column = _stretched(start // max(height, 1), (end - 1) // max(height, 1))
        top, bottom = start[run] - column * height, end[run] - column * height
        self.runs = Runs(column, np.maximum(top, 0), np.minimum(bottom, height))


def as_runs(mask: Mask | MaskRuns, size: tuple[int, int]) -> MaskRuns:
    """Return the runs of a mask of an image of this size. Raises ValueError if the mask is of another size."""
    runs = mask if isinstance(mask, MaskRuns) else MaskRuns(mask)
    if runs.size != tuple(size):
        raise ValueError(f"expected a mask of the image's size {tuple(size)}, but got {runs.size}")
    return runs


def _rle(mask: Mask) -> masks.Rle:
    if isinstance(mask, np.ndarray):
        if mask.dtype.kind not in "bui":
            raise ValueError(
                f"expected a mask of bool or 0 and 1, but got {mask.dtype}: compare logits or probabilities with a "
                "threshold first"
            )
        return masks.encode(mask)
    if not isinstance(mask, dict) or not {"size", "counts"} <= mask.keys():
        raise ValueError(
            f"expected a mask as an array, as an RLE with size and counts, or MaskRuns, but got {str(mask)[:80]}"
        )
    counts: Any = mask["counts"]
    text = counts.decode("ascii", "replace") if isinstance(counts, bytes) else counts
    size = masks.check_size(mask["size"])
    return masks.read_mask({"size": list(size), "counts": text}, size)


def _stretched(
    first: Int[np.ndarray, " ranges"], last: Int[np.ndarray, " ranges"]
) -> tuple[Int[np.ndarray, " numbers"], Int[np.ndarray, " numbers"]]:
    """Return all numbers of ranges, the last ones included, and before them the range that each is from."""
    counts = last - first + 1
    each = np.repeat(np.arange(len(counts)), counts)
    return each, first[each] + np.arange(len(each)) - (counts.cumsum() - counts)[each]
