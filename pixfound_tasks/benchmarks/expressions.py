"""The referring expressions of PixCV-Bench, from the names in its table and the wording of CV-Bench's prompt."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from pixfound_tasks.benchmarks.sources import DataError

RED_BOX = "(annotated by the red box)"

_MARKED = re.compile(r"\bthe ((?:(?!\bthe\b).)+?) ?" + re.escape(RED_BOX), re.IGNORECASE)
_LEAST_LIKENESS = 0.6  # 0..1: under it two names have nothing in common


def read_names(text: str, where: str) -> tuple[str, ...]:
    """One name, or the two of a Python tuple written as text; names hold commas, and a tuple is never split at them.

    Raises DataError where a name is empty, or the tuple is none.
    """
    text = text.strip()
    names = _tuple(text) if text.startswith("(") else (text,)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        expected = "a name or a tuple of two names such as \"('bicycle', 'person')\""
        raise DataError(f"expected {expected} in Objects.csv for {where}, but got {text[:200]!r}: fetch the file again")
    return tuple(name.strip() for name in names)


def _tuple(text: str) -> tuple[str, ...] | None:
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the last two where it is nested too deeply
        return None
    return names if isinstance(names, tuple) and len(names) == 2 else None


def expression(names: Sequence[str], prompt: str) -> str:
    """One name as it is, of two `A and B`; the one that the prompt marks by a red box first, and with that remark."""
    if len(names) == 1:
        return names[0]
    first, second = names
    if RED_BOX not in prompt:
        return f"{first} and {second}"
    marked = _MARKED.search(prompt)
    likeness = [_likeness(name, marked[1]) if marked else 0.0 for name in names]
    # The prompt marks what it asks about, and names that first: swap only where it is clearly the second.
    if likeness[1] > max(likeness[0], _LEAST_LIKENESS):
        first, second = second, first
    return f"{first} {RED_BOX} and {second}"


def _likeness(name: str, words: str) -> float:
    """How like the prompt's words a name is, in 0..1: all of it or one of its synonyms, which commas separate.

    The prompt may use one synonym only, or the plural: "the trees (annotated by the red box)".
    """
    parts = [name, *(part.strip() for part in name.split(","))]
    return max(SequenceMatcher(None, part.lower(), words.lower()).ratio() for part in parts)
