"""What the scanned groups of numbers are, given what the model was prompted for: boxes, points or outlines."""

from __future__ import annotations

from collections.abc import Sequence

from pixfound_tasks.grounding.coordinates.collecting import Scan
from pixfound_tasks.grounding.coordinates.conventions import record_of
from pixfound_tasks.grounding.coordinates.names import is_box_key, is_plural_box_key, is_polygon_key
from pixfound_tasks.grounding.coordinates.syntax import Found, Pairs, join


def meant(scanned: Scan, convention: str | None, kind: str | None) -> tuple[list[Found], list[str]]:
    """Return the boxes, points and outlines of a reply that are its answer, and problems with the others."""
    problems = list(scanned.problems)
    found: list[Found] = []
    for item in scanned.found:
        if isinstance(item, Pairs):
            found += _resolved(item, kind, problems)
        else:
            found.append(item)
    vertices = sum(item.is_vertex and not item.is_polygon and len(item.numbers) == 2 for item in found)
    if vertices:
        problems.append(f"expected at least 3 vertices of an outline in one list, but got {vertices} vertices")
        found = [item for item in found if not item.is_vertex or item.is_polygon]
    certain = [item for item in found if len(item.numbers) > 2 or not item.is_loose]
    if kind != "box":
        # A pair with only brackets around it is a point if a convention is declared and nothing else is certain.
        return (found if convention and not certain else certain), problems
    answers = [item for item in certain if len(item.numbers) > 2 or _is_only_way(item, convention)]
    if not answers and any(len(item.numbers) == 2 for item in certain):
        problems.append("expected a box, but got points; if the model can only point, set PIXFOUND_KIND=point")
    return answers, problems


def _resolved(pairs: Pairs, kind: str | None, problems: list[str]) -> Sequence[Found]:
    """Return the box, the boxes, the outline or the points that a list of pairs is."""
    parts, key = pairs
    if is_polygon_key(key):
        if len(parts) > 2:
            return [join(parts, is_polygon=True)]
        problems.append(f"expected at least 3 vertices of an outline, but got {len(parts)}")
        return []
    if len(parts) == 2 and (kind == "box" or is_box_key(key)):
        return [join(parts, is_loose=False)]
    if not is_box_key(key):
        return parts
    if len(parts) == 4 and (box := _rectangle(parts)):
        return [box]
    if len(parts) == 4 and not is_plural_box_key(key):
        return [join(parts, is_polygon=True)]
    if len(parts) % 2:
        problems.append(f"expected two corners for each box, but got {len(parts)}")
        return []
    return [join(parts[index : index + 2]) for index in range(0, len(parts), 2)]


def _rectangle(parts: Sequence[Found]) -> Found | None:
    """The box of four points that are its corners, or None if they are not."""
    columns, rows = ({part.numbers[axis] for part in parts} for axis in (0, 1))
    if len(columns) != 2 or len(rows) != 2 or len({part.numbers for part in parts}) != 4:
        return None
    box = join(parts)
    return box._replace(numbers=(min(columns), min(rows), max(columns), max(rows)))


def _is_only_way(point: Found, convention: str | None) -> bool:
    """Whether a point is an answer to a prompt for a box, because the model can only point."""
    if point.is_pointing and (point.fixed or convention is None):
        return True
    return convention is not None and record_of(convention).is_of_pointers


def is_nothing(item: Found) -> bool:
    """Whether a box is a way to say "not there": all of its numbers are 0, or -1."""
    return len(item.numbers) == 4 and not item.is_polygon and set(item.numbers) in ({0.0}, {-1.0})


def as_corners(numbers: Sequence[float], layout: str) -> tuple[float, ...]:
    """Return the corners of a box whose four numbers have a layout, see `Found`."""
    if layout == "xywh":
        x, y, width, height = numbers
        return (x, y, x + width, y + height)
    if layout == "cxcywh":
        x, y, width, height = numbers
        return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return tuple(numbers)
