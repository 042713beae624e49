"""The check that a name is one of the allowed names, with one error message for all callers."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def check_choice(what: str, value: str, allowed: Iterable[str]) -> None:
    """Raise ValueError unless `value` is allowed. The message says `what` it is and suggests the nearest name."""
    names = sorted(allowed)
    if value in names:
        return
    nearest = get_close_matches(str(value), names, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"expected {what} to be one of {names}, but got {value!r}{hint}")
