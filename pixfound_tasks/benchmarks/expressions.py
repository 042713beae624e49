"""Builds referring expressions, of PixCV-Bench from the names in Objects.csv and the prompts of CV-Bench.

PIXFOUND_EXPRESSIONS selects how they are written: "clean", or "authors", as the study's code reads the tables. An
expression of PixMMVP then keeps its leading blank, and names of PixCV-Bench are split at commas, see `authors_names`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from pixfound_tasks.benchmarks.sources import DataError
from pixfound_tasks.choices import check_choice
from pixfound_tasks.settings import read_setting

CLEAN, AUTHORS = "clean", "authors"
RED_BOX = "(annotated by the red box)"

_MARKED = re.compile(r"\bthe ((?:(?!\bthe\b).)+?) ?" + re.escape(RED_BOX), re.IGNORECASE)
_LEAST_LIKENESS = 0.6  # 0..1: names with a lower similarity do not match


def selected_expressions() -> str:
    """Return how expressions are written by PIXFOUND_EXPRESSIONS. Raises ValueError if it has another value."""
    selected = read_setting("PIXFOUND_EXPRESSIONS")
    check_expressions(selected)
    return selected


def check_expressions(expressions: str) -> None:
    """Raise ValueError unless this is a valid value of PIXFOUND_EXPRESSIONS."""
    check_choice("PIXFOUND_EXPRESSIONS", expressions, (CLEAN, AUTHORS))


def prompted_expression(doc: Mapping[str, Any]) -> str:
    """Return the expression that a model is prompted with: "None", as in the study, if the document has none.

    The study has a blank before every expression, also before this word.
    """
    if doc["expression"] is not None:
        return str(doc["expression"])
    return " None" if (doc.get("provenance") or {}).get("expressions") == AUTHORS else "None"


def read_names(text: str, where: str) -> tuple[str, ...]:
    """Parse one name, or a Python tuple of two names that is written as text.

    Names may contain commas, so the text is never split at commas. `where` names the row in error messages.

    Raises DataError if a name is empty, or if the text begins with "(" but is not a tuple of two names.
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
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the last two if it is nested too deeply
        return None
    return names if isinstance(names, tuple) and len(names) == 2 else None


def expression(names: Sequence[str], prompt: str) -> str:
    """Return the referring expression for one or two names.

    One name is returned unchanged. Two names become "A and B". If the prompt marks a name with "(annotated by the red
    box)", that name comes first and keeps the remark.
    """
    if len(names) == 1:
        return names[0]
    first, second = names
    if RED_BOX not in prompt:
        return f"{first} and {second}"
    marked = _MARKED.search(prompt)
    likeness = [_likeness(name, marked[1]) if marked else 0.0 for name in names]
    # The marked name is usually the first one. Swap only if the second name is clearly the better match.
    if likeness[1] > max(likeness[0], _LEAST_LIKENESS):
        first, second = second, first
    return f"{first} {RED_BOX} and {second}"


def authors_names(text: str) -> tuple[str, ...]:
    """Return the names as the study's code reads them: split at all commas if the text has a parenthesis.

    A name with synonyms becomes several names, and all names but the first begin with a blank.
    """
    if "(" not in text:
        return (text,)
    return tuple(re.sub("[()]", "", text).replace("'", "").split(","))


def authors_expression(names: Sequence[str], prompt: str) -> str:
    """Return the expression as the study's code writes it, for names of `authors_names`.

    It is the first name and the second one. If the prompt has a red box, it is the first name that shares a character
    with the text before the remark, with the remark, and the last other name.
    """
    if len(names) == 1:
        return names[0]
    if "red box" not in prompt:
        return f"{names[0]} and {names[1]}"
    characters = set(prompt.partition(RED_BOX)[0].lower())
    marked = next((name for name in names if characters & set(name.lower())), names[0])
    other = next((name for name in reversed(names) if name != marked), marked)
    return f"{marked} {RED_BOX} and {other}"


def _likeness(name: str, words: str) -> float:
    """Return the similarity, in 0..1, of the prompt's words and a name or the best of its comma-separated synonyms.

    The prompt may use only one synonym, or the plural: "the trees (annotated by the red box)".
    """
    parts = [name, *(part.strip() for part in name.split(","))]
    return max(SequenceMatcher(None, part.lower(), words.lower()).ratio() for part in parts)
