"""What the words around numbers say: their unit, the order of a box's numbers, and which places are taken back."""

from __future__ import annotations

import re

from pixfound_tasks.grounding.coordinates.syntax import Found, with_layout

_PIXELS = re.compile(r"\bin pixels?\b|\(pixels?\)|\bpixel coordinates\b|\bb?box_(?:in_)?pixels?\b", re.IGNORECASE)
_PERCENT = re.compile(
    r"[\])]\s{0,3}(?:%|\(?(?:percent|%))|\bin (?:percent|%)|\bpercent(?:age)?s? of\b|\bb?box_percent", re.IGNORECASE
)
_LAYOUTS = (
    ("yxyx", re.compile(r"\by_?(?:1|0|min)\s*,\s*x_?(?:1|0|min)\s*,\s*y_?(?:2|1|max)\s*,\s*x_?(?:2|1|max)\b")),
    ("xywh", re.compile(r"\bx\s*,\s*y\s*,\s*w(?:idth)?\s*,\s*h(?:eight)?\b|\bformat\s*[:=]\s*xywh\b")),
)
# What comes after one of these takes back what was said before.
_REVISION = re.compile(
    r"\b(?:wait|actually|corrected|correction|final answer|correct (?:bounding )?(?:box|coordinates?|answer)|instead"
    r"|but (?:at|rather))\b|\banswer\s*:",
    re.IGNORECASE,
)
_LONGEST = 20_000  # characters of a reply in which words are looked for


def after_revision(text: str) -> str:
    """Return what follows the last word that takes back what was said before; "" if there is none.

    JSON is left as it is: its words may be values, and its places depend on the keys around them.
    """
    if len(text) > _LONGEST or "{" in text:
        return ""
    revisions = list(_REVISION.finditer(text))
    return text[revisions[-1].end() :] if revisions and "[" in text[: revisions[-1].start()] else ""


def with_statements(found: list[Found], text: str) -> list[Found]:
    """Return the places with the unit and the layout that a sentence states, if their own syntax states none."""
    text = text[:_LONGEST]
    is_pixels, is_percent = (pattern.search(text) is not None for pattern in (_PIXELS, _PERCENT))
    unit = "" if is_pixels == is_percent else "px" if is_pixels else "%"
    stated = [name for name, pattern in _LAYOUTS if pattern.search(text.lower())]
    layout = stated[0] if len(stated) == 1 else ""
    if not unit and not layout:
        return found
    return [
        with_layout(item._replace(unit=item.unit or unit), layout)
        if isinstance(item, Found) and not item.fixed
        else item
        for item in found
    ]
