"""The syntax around numbers: tags, keys, location tokens and Molmo's points."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

_ATTRIBUTE = re.compile(r"\b([xy])([0-9]{0,4})\s*=\s*[\"']([^\"'<>]{1,40})[\"']")
_COORDS = re.compile(r"\bcoords\s*=\s*[\"']([^\"'<>]*)[\"']")
_KOSMOS_CELLS = 32
_LONGEST_NUMBER = 24  # characters

_CORNERS = (
    ("x_min", "y_min", "x_max", "y_max"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
_EXTENTS = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))


class Found(NamedTuple):
    """Two numbers (a point) or four (a box) as written, and what the syntax around them says.

    `fixed` is the convention that the syntax belongs to. `default` is the convention that it implies if none is
    declared. `is_named`: the axes are named, so x comes first in `numbers` under any convention. `is_loose`: there are
    only brackets around the numbers. `is_fraction`: all numbers are within 0..1, and at least one has a decimal point.
    """

    numbers: tuple[float, ...]
    fixed: str | None = None
    default: str | None = None
    is_named: bool = False
    is_loose: bool = False
    is_fraction: bool = False


class Tag(NamedTuple):
    """A tag around coordinates. `has_corners`: two pairs in it are one box. For `fixed` and `default` see `Found`."""

    closing: str
    fixed: str | None = None
    default: str | None = None
    has_corners: bool = False


TAGS = {
    "box": Tag("/box", default="thousand", has_corners=True),
    "bbox": Tag("/bbox", has_corners=True),
    "|box_start|": Tag("|box_end|", default="thousand", has_corners=True),
    "|begin_of_box|": Tag("|end_of_box|", default="thousand"),
    "|det|": Tag("|/det|", fixed="deepseek"),
    "point": Tag("/point"),
}
CLOSING_TAGS = frozenset(tag.closing for tag in TAGS.values())
FIXED_KEYS = {"box_2d": "thousand_yx"}
# Lists under these keys are not coordinates.
OTHER_KEYS = frozenset("color colour rgb rgba size shape image_size resolution score scores confidence".split())
# An empty list under these keys means "not there".
PLACE_KEY = re.compile(r"box|point|coord|object|detect|location|region|instance|result")


def make_found(numbers: Sequence[str], **syntax: Any) -> Found:
    """Return a `Found` of numbers as written. Text that is not a number or is too long becomes NaN."""
    values = tuple(map(_number, numbers))
    is_fraction = any("." in text for text in numbers) and all(0 <= value <= 1 for value in values)
    return Found(values, is_fraction=is_fraction, **syntax)


def _number(text: str) -> float:
    try:
        return float(text) if len(text) <= _LONGEST_NUMBER else math.nan
    except ValueError:
        return math.nan


def join_corners(first: Found, second: Found) -> Found:
    """Return the box that has two points as its corners."""
    is_fraction = first.is_fraction and second.is_fraction
    return first._replace(numbers=first.numbers + second.numbers, is_fraction=is_fraction)


def read_fields(fields: dict[str, str]) -> list[Found]:
    """Return the box or point in a dict with named axes, if any. `x, y, width, height` has a corner at `(x, y)`."""
    names = next((names for names in (*_CORNERS, *_EXTENTS, ("x", "y")) if fields.keys() >= set(names)), None)
    if names is None:
        return []
    found = make_found([fields[name] for name in names], is_named=True)
    if names in _EXTENTS:
        x, y, width, height = found.numbers
        found = found._replace(numbers=(x, y, x + width, y + height))
    return [found]


def read_pointing(tag: str) -> list[Found]:
    """Return the points in a tag of Molmo or Molmo2.

    Molmo writes `<point x= y=>` or `<points x1= y1= ...>`, Molmo2 `<points coords="image (id x y)...">`.
    """
    axes: dict[str, dict[str, str]] = {}
    for axis, index, value in _ATTRIBUTE.findall(tag):
        axes.setdefault(index, {})[axis] = value
    whole = [point for point in axes.values() if len(point) == 2]
    found = [make_found([point["x"], point["y"]], default="percent", is_named=True) for point in whole]
    for coords in _COORDS.findall(tag):
        for group in re.split(r"[\t:;,]", coords):
            numbers = group.split()
            starts = range(len(numbers) % 3, len(numbers), 3)
            found += [make_found(numbers[start + 1 : start + 3], fixed="thousand") for start in starts]
    return found


def read_bins(kind: str, run: Sequence[int]) -> tuple[list[Found], list[str]]:
    """Return the complete boxes in a run of location tokens, and a problem if tokens are left over."""
    step = 2 if kind == "kosmos-2" else 4
    problem = f"expected {step} location tokens ({kind}) for each box, but got {len(run)}"
    boxes = [run[index : index + step] for index in range(0, len(run) - step + 1, step)]
    found = [Found(_cells(*box) if step == 2 else tuple(map(float, box)), fixed=kind) for box in boxes]
    return found, [problem] if len(run) % step else []


def _cells(first: int, last: int) -> tuple[float, ...]:
    """Return a box in cells, between the centers of two cells.

    If the cells share a row or a column, the box extends to their outer edges.
    """
    (top, left), (bottom, right) = divmod(first, _KOSMOS_CELLS), divmod(last, _KOSMOS_CELLS)
    if left == right or top == bottom:
        return left, top, right + 1.0, bottom + 1.0
    return left + 0.5, top + 0.5, right + 0.5, bottom + 0.5
