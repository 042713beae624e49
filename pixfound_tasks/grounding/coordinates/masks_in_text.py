"""Masks that a model writes itself: outlines, and pictures beside a box."""

from __future__ import annotations

import base64
import binascii
import io
import re
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.grounding.coordinates.placing import Placed
from pixfound_tasks.masks import Rle, Size
from pixfound_tasks.response import Box

_MOST_PICTURES = 100
_LONGEST_OUTLINE = 200_000  # pixels along all outlines of a reply; drawing takes time and memory in proportion
_MOST_PIXELS = 1 << 24  # of a picture
_PREFIX = re.compile(r"data:image/\w{1,10};base64,")
_THRESHOLD = 127  # of 255: the probability 0.5


class InvalidPicture(ValueError):
    """A text is not a picture of a mask."""


class Outlines(NamedTuple):
    """The masks of outlines, and what could not be drawn."""

    masks: list[Rle]
    problems: list[str]


class Drawn(NamedTuple):
    """The masks that a model wrote itself, or None, what they were written as, and what could not be drawn."""

    masks: tuple[Rle, ...] | None
    source: str
    problems: list[str]


def draw(placed: Sequence[Placed], size: Size) -> Drawn:
    """Return the masks that the model wrote itself, or None if there are none.

    If some boxes have such masks and others have none, these others count as filled boxes.
    """
    outlines = draw_outlines([each.corners for each in placed if each.item.is_polygon], size)
    made, problems, left = list(outlines.masks), list(outlines.problems), []
    sources = ["outline (by syntax)"] if made else []
    boxes = [each for each in placed if len(each.corners) == 4 and not each.item.is_polygon]
    for index, (corners, _, item) in enumerate(boxes):
        try:
            if item.mask and index < _MOST_PICTURES:
                made.append(read_picture(item.mask, corners, size))  # type: ignore[arg-type]
                sources.append("picture (by syntax)")
                continue
            if item.mask:
                raise InvalidPicture(f"only the first {_MOST_PICTURES} are decoded")
        except InvalidPicture as error:
            problems.append(f"the mask of a box was dropped: {error}; the box counts")
        left += [] if item.is_covered else [corners]
    if not made:
        return Drawn(None, "", problems)
    if left:
        problems.append(f"{len(left)} boxes without a mask, beside others with one, count as filled boxes")
        made += [masks.from_box(corners, size) for corners in left]
    return Drawn(tuple(made), ", ".join(dict.fromkeys(sources)), problems)


def read_picture(text: str, box: Box, size: Size) -> Rle:
    """Return the mask that a picture says of a box, on an image of `size` (height, width).

    Gemini writes a base64 PNG of probabilities, 0..255, over the box. As in Google's own example it is resized to the
    box, bilinearly, and counts above 127. Raises `InvalidPicture` if the text is no such picture.
    """
    x0, y0, x1, y1 = (int(value * side) for value, side in zip(box, (*size[::-1], *size[::-1])))
    if x0 >= x1 or y0 >= y1:
        raise InvalidPicture("expected a box of at least one pixel")
    probabilities = _decoded(text).resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR)
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = np.asarray(probabilities) > _THRESHOLD
    return masks.encode(mask)


def _decoded(text: str) -> Image.Image:
    encoded = _PREFIX.sub("", text.replace("\\", ""), count=1)
    try:
        data = base64.b64decode(encoded, validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise InvalidPicture(f"expected at most {_MOST_PIXELS} pixels, but got {picture.size}")
            return picture.convert("L")
    # Pillow raises any of these on damaged files.
    except (binascii.Error, OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError) as error:
        if isinstance(error, InvalidPicture):
            raise
        raise InvalidPicture(f"expected a PNG in base64, but got {text[:30]!r}... ({type(error).__name__})") from error


def draw_outlines(outlines: Sequence[Sequence[float]], size: Size) -> Outlines:
    """Return the filled outlines `(x0, y0, x1, y1, ...)`, in fractions, on an image of `size` (height, width)."""
    sides = np.array(size[::-1], float)
    drawn = Outlines([], [])
    left = _LONGEST_OUTLINE
    for outline in outlines:
        vertices = np.asarray(outline, float).reshape(-1, 2) * sides
        left -= int(np.abs(vertices - np.roll(vertices, 1, axis=0)).max(axis=1).sum())
        if left < 0:
            drawn.problems.append(f"expected outlines of at most {_LONGEST_OUTLINE} pixels; the rest is not drawn")
            break
        mask = masks.from_polygons([vertices.ravel().tolist()], size)
        if masks.area(mask):
            drawn.masks.append(mask)
        else:
            drawn.problems.append("expected an outline with an area within the image, but got none")
    return drawn
