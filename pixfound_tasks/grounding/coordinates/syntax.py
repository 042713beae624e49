"""The syntax around numbers: tags, attributes, location tokens and Molmo's points."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pixfound_tasks.grounding.coordinates.names import UNIT_NAMES, box_axes, plain

NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
UNIT = re.compile(r"\s{0,3}(%|(?:px|pixels?|percent)\b)", re.IGNORECASE)
FOUR_NUMBERS = re.compile(rf"\s*{NUMBER}(?:(?:\s*,\s*|\s+){NUMBER}){{3}}\s*")
_VALUE = re.compile(rf"\s*({NUMBER})\s*(%|px|pixels?|percent)?\s*", re.IGNORECASE)
_NUMBER = re.compile(NUMBER)
_NUMBER_LIST = re.compile(rf"[\s\[({{<]*{NUMBER}%?(?:(?:\s*[,;]\s*|\s+){NUMBER}%?)+[\s\])}}>]*")
_ATTRIBUTE = re.compile(r"\b([xy])([0-9]{0,4})\s*=\s*[\"']([^\"'<>]{1,40})[\"']")
_NAMED_VALUE = re.compile(
    r"([A-Za-z][\w-]{0,30})\s{0,3}=\s{0,3}(?:\"([^\"]{1,80})\"|'([^']{1,80})'|([^\s\"'/>]{1,24}))"
)
_PLACE_ATTRIBUTES = frozenset("bbox box bbox_2d box_2d coords coordinates rect points_2d".split())
_NO_BOX_TAGS = frozenset("img image svg canvas video figure div span td table iframe".split())
_COORDS = re.compile(r"\bcoords\s*=\s*[\"']([^\"'<>]*)[\"']")
_KOSMOS_CELLS = 32
_LONGEST_NUMBER = 24  # characters
_LONGEST_LIST = 200  # characters of a string that holds a list of numbers


class Found(NamedTuple):
    """Two numbers (a point), four (a box) or more (a polygon) as written, and what the syntax around them says.

    Attributes:
        numbers: as written.
        fixed: the convention that the syntax belongs to.
        default: the convention that it implies if none is declared.
        is_named: the axes are named, so x comes first in `numbers` under any convention.
        is_loose: there are only brackets around the numbers.
        is_fraction: all numbers are within 0..1, and at least one has a decimal point.
        layout: what the four numbers of a box are, "xyxy", "xywh" or "cxcywh"; "" if the syntax does not say.
        unit: "%" or "px" if every number has it, "mixed" if only some have, else "".
        is_pointing: in Molmo's tags, which hold points only.
        is_vertex: a point of an outline, which is no answer by itself.
        is_polygon: the numbers are the vertices of an outline.
        mask: the mask that came with a box, as written; "" if none did.
        is_covered: the object has a mask or an outline besides this box.
    """

    numbers: tuple[float, ...]
    fixed: str | None = None
    default: str | None = None
    is_named: bool = False
    is_loose: bool = False
    is_fraction: bool = False
    layout: str = ""
    unit: str = ""
    is_pointing: bool = False
    is_vertex: bool = False
    is_polygon: bool = False
    mask: str = ""
    is_covered: bool = False


class Pairs(NamedTuple):
    """A list of two or more pairs of numbers: a box's corners, an outline's vertices, or points. `key` names it."""

    parts: tuple[Found, ...]
    key: str = ""


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


def make_found(numbers: Sequence[str], **syntax: Any) -> Found:
    """Return a `Found` of numbers as written. Text that is not a number or is too long becomes NaN."""
    read = [_VALUE.fullmatch(text) if len(text) <= _LONGEST_NUMBER + 8 else None for text in numbers]
    values = tuple(_number(match[1]) if match else math.nan for match in read)
    units = {UNIT_NAMES.get((match[2] or "").lower(), "") if match else "" for match in read}
    is_fraction = any("." in text for text in numbers) and all(0 <= value <= 1 for value in values)
    unit = units.pop() if len(units) == 1 else "mixed"
    return Found(values, is_fraction=is_fraction, unit=unit, **syntax)


def _number(text: str) -> float:
    return float(text) if len(text) <= _LONGEST_NUMBER else math.nan


def is_number(text: str) -> bool:
    """Return whether a string holds one number, with or without a unit."""
    return len(text) <= 2 * _LONGEST_NUMBER and bool(_VALUE.fullmatch(text))


def share_unit(numbers: Sequence[str], unit: str) -> Sequence[str]:
    """Return numbers with the one unit behind all of them: `unit`, or that of the last, as in "[64, 120, 320 px]"."""
    if any(_has_unit(number) for number in numbers[:-1]):
        return numbers
    match = _VALUE.fullmatch(numbers[-1])
    unit = unit or (match[2] or "" if match else "")
    last = numbers[-1] if _has_unit(numbers[-1]) else numbers[-1] + unit
    return [*(number + unit for number in numbers[:-1]), last]


def _has_unit(number: str) -> bool:
    return number[-1:] == "%" or number[-1:].isalpha()


def numbers_in(text: str) -> list[str]:
    """Return the numbers of a string that holds nothing else, such as "100, 250, 500, 750"; else none."""
    if len(text) > _LONGEST_LIST or not _NUMBER_LIST.fullmatch(text):
        return []
    unit = "%" if "%" in text else ""
    return [number + unit for number in _NUMBER.findall(text)]


def join(parts: Sequence[Found], **changes: Any) -> Found:
    """Return one `Found` with the numbers of several points, in order: a box of two corners, or an outline."""
    numbers = tuple(number for part in parts for number in part.numbers)
    is_fraction = any(part.is_fraction for part in parts) and all(0 <= number <= 1 for number in numbers)
    units = {part.unit for part in parts}
    unit = units.pop() if len(units) == 1 else "mixed"
    return parts[0]._replace(numbers=numbers, is_fraction=is_fraction, unit=unit, **changes)


def with_layout(found: Found, layout: str) -> Found:
    """Return a box with the layout that a key or its dict states, if its syntax says nothing more precise."""
    if len(found.numbers) != 4 or not layout or found.layout or found.is_named:
        return found
    if layout == "yxyx":
        y0, x0, y1, x1 = found.numbers
        return found._replace(numbers=(x0, y0, x1, y1), layout="xyxy", is_named=True)
    return found._replace(layout=layout, is_named=True)


def read_fields(fields: dict[str, str]) -> list[Found]:
    """Return the box or point in a dict with named axes, if any. The names are plain, see `names.plain`."""
    found = box_axes(fields) if len(fields) > 1 else None
    if found is None:
        return []
    axes, layout = found
    return [make_found([fields[name] for name in axes], is_named=True, layout=layout)]


def read_attributes(tag: str) -> list[Found]:
    """Return the box in the attributes of a tag, such as `<box x1="100" y1="250" x2="500" y2="750"/>`, if any."""
    if tag.split(maxsplit=1)[0].lower() in _NO_BOX_TAGS:
        return []
    fields: dict[str, str] = {}
    for name, *values in _NAMED_VALUE.findall(tag):
        value = "".join(values)
        if name.lower() in _PLACE_ATTRIBUTES and len(numbers := numbers_in(value)) == 4:
            return [make_found(numbers)]
        if is_number(value):
            fields[plain(name)] = value
    return [found for found in read_fields(fields) if len(found.numbers) == 4]


def read_pointing(tag: str) -> list[Found]:
    """Return the points in a tag of Molmo or Molmo2.

    Molmo writes `<point x= y=>` or `<points x1= y1= ...>`, Molmo2 `<points coords="image (id x y)...">`.
    """
    axes: dict[str, dict[str, str]] = {}
    for axis, index, value in _ATTRIBUTE.findall(tag):
        axes.setdefault(index, {})[axis] = value
    whole = [point for point in axes.values() if len(point) == 2]
    found = [
        make_found([point["x"], point["y"]], default="percent", is_named=True, is_pointing=True) for point in whole
    ]
    for coords in _COORDS.findall(tag):
        for group in re.split(r"[\t:;,]", coords):
            numbers = group.split()
            starts = range(len(numbers) % 3, len(numbers), 3)
            found += [
                make_found(numbers[start + 1 : start + 3], fixed="thousand", is_pointing=True) for start in starts
            ]
    return found


def read_bins(kind: str, run: Sequence[int], is_outline: bool = False) -> tuple[list[Found], list[str]]:
    """Return the complete boxes in a run of location tokens, or its outline, and a problem if tokens are left over."""
    if is_outline:
        if len(run) % 2 or len(run) < 6:
            return [], [f"expected pairs of location tokens ({kind}) for at least 3 vertices, but got {len(run)}"]
        return [Found(tuple(map(float, run)), fixed=kind, is_polygon=True)], []
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
