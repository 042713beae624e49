"""Places numbers on the image, by what they are declared, or state themselves, to mean."""

from __future__ import annotations

from typing import NamedTuple

from pixfound_tasks.grounding.coordinates.conventions import grid_of, record_of
from pixfound_tasks.grounding.coordinates.meaning import as_corners
from pixfound_tasks.grounding.coordinates.syntax import Found
from pixfound_tasks.masks import Size

# Every problem that a declared convention would mend contains this, so that such replies can be counted.
UNDECLARED = "set PIXFOUND_COORDINATES to the model's convention"

_COARSE = 100  # decimals within 0..1 are implausible in a longer range


class Unread(ValueError):
    """Numbers that mean no place on the image."""


class Placed(NamedTuple):
    """A place in fractions of the image, `(x, y)` once or more, the convention assumed, and what was written."""

    corners: tuple[float, ...]
    convention: str
    item: Found


def place(item: Found, size: Size, convention: str | None) -> Placed:
    """Return a box, a point or an outline in fractions of the image. A box's corners are in order, its area above 0.

    Raises `Unread` if the numbers are impossible.
    """
    name, how = _convention(item, convention)
    grid = grid_of(name, size)
    written = f"{[float(f'{number:.6g}') for number in item.numbers[:8]]} ({name})"
    numbers = item.numbers
    if item.unit == "mixed":
        raise Unread(f"expected one unit for all numbers, but got several in {written}")
    if grid.is_y_first and not item.is_named:
        numbers = tuple(numbers[index ^ 1] for index in range(len(numbers)))
    if len(numbers) == 4 and not item.is_polygon:
        numbers = as_corners(numbers, item.layout or ("" if item.fixed else _layout(convention)))
    if not all((grid.y if index % 2 else grid.x).holds(number) for index, number in enumerate(numbers)):
        raise Unread(f"expected numbers within {grid.x.span:g} x {grid.y.span:g}, but got {written}")
    if item.is_fraction and item.fixed and grid.x.span > _COARSE:
        raise Unread(f"expected numbers of 0..{grid.x.span:g}, but got fractions {written}")
    axes = (grid.x, grid.y) * (len(numbers) // 2)
    fractions = [axis.fraction(number, grid.offset) for axis, number in zip(axes, numbers)]
    corners = tuple(min(max(value, 0.0), 1.0) for value in fractions)
    if len(corners) == 2:
        # A point in a padded square may lie outside the image and is rejected then. A box is clipped to the image.
        if any(abs(value - inside) > 1.01 * axis.drift for value, inside, axis in zip(fractions, corners, axes)):
            raise Unread(f"expected a point within the image, but got {written}")
    elif not item.is_polygon:
        (x0, x1), (y0, y1) = sorted(corners[::2]), sorted(corners[1::2])
        if x0 == x1 or y0 == y1:
            raise Unread(f"expected a box with an area within the image, but got {written}")
        corners = (x0, y0, x1, y1)
    return Placed(corners, f"{name} ({how})", item)


def _layout(convention: str | None) -> str:
    return record_of(convention).layout if convention else ""


def _convention(item: Found, declared: str | None) -> tuple[str, str]:
    """Return the convention of the numbers, and whether it came from their syntax or was declared.

    Raises `Unread` if it is neither.
    """
    if item.unit in ("px", "%"):
        if declared and record_of(declared).unit == item.unit:
            return declared, "declared"
        return {"px": "pixel", "%": "percent"}[item.unit], "by unit"
    if item.fixed:
        return item.fixed, "by syntax"
    meant_by = declared or item.default
    if item.is_fraction and not (meant_by and record_of(meant_by).keeps_decimals):
        return "fraction", "by syntax"
    if declared:
        return declared, "declared"
    if item.default:
        return item.default, "by syntax"
    raise Unread(
        f"expected a declared convention for {list(item.numbers[:8])}, which could be pixels or thousandths; "
        f"{UNDECLARED}"
    )
