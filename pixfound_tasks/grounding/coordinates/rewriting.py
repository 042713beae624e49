"""Writes boxes that come as sentences or as tables in the form that the scanner reads."""

from __future__ import annotations

import re

from pixfound_tasks.grounding.coordinates.names import AXES, plain
from pixfound_tasks.grounding.coordinates.syntax import NUMBER

_PAIR = rf"[(\[]\s?({NUMBER})\s?,\s?({NUMBER})\s?[)\]]"
_TOP, _BOTTOM = r"\b(?:top|upper)[- ]?", r"\b(?:bottom|lower)[- ]?"
_WORDS = r"[^()\[\]{}\d\n]{0,40}"
# "Top-left: (100, 250), bottom-right: (500, 750)", and the other diagonal. The scanner sorts the corners.
_CORNERS = tuple(
    re.compile(rf"{first}{_WORDS}{_PAIR}{_WORDS}{second}{_WORDS}{_PAIR}", re.IGNORECASE)
    for top, bottom in (("left", "right"), ("right", "left"))
    for first, second in ((_TOP + top, _BOTTOM + bottom), (_BOTTOM + bottom, _TOP + top))
)
_RULE = re.compile(r"\|?(?:\s*:?-{3,}:?\s*\|)+(?:\s*:?-{3,}:?\s*)?")  # the second line of a Markdown table
_LONGEST = 20_000  # characters


def rewritten(text: str) -> str:
    """Return a reply with named corners in sentences, and the rows of Markdown tables of named axes, as boxes.

    JSON and long replies are left as they are.
    """
    if len(text) > _LONGEST or "{" in text:
        return text
    for corners in _CORNERS:
        text = corners.sub(r"[\1, \2, \3, \4]", text)
    return _with_rows(text) if "|" in text else text


def _with_rows(text: str) -> str:
    """The text with the rows of its tables as braces, if the heading names axes."""
    lines = text.split("\n")
    heading: list[str] = []
    for index, line in enumerate(lines):
        if index + 1 < len(lines) and _RULE.fullmatch(lines[index + 1].strip()):
            heading = _cells(line)
        elif "|" not in line:
            heading = []
        elif sum(plain(name) in AXES for name in heading) >= 2 and not _RULE.fullmatch(line.strip()):
            named = (f"{name}: {cell}" for name, cell in zip(heading, _cells(line)) if plain(name) in AXES)
            lines[index] = "{" + ", ".join(named) + "}"
    return "\n".join(lines)


def _cells(line: str) -> list[str]:
    return [cell.strip(" *`") for cell in line.strip().strip("|").split("|")]
