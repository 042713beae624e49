"""Small masks whose overlaps can be counted by hand."""

import numpy as np

from pixfound_tasks.masks import Rle, Size, encode

SIZE = (4, 6)  # height, width


def rectangle(x0: int, y0: int, x1: int, y1: int, size: Size = SIZE) -> Rle:
    """The pixels from (x0, y0) up to, but not including, (x1, y1)."""
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return encode(mask)
