"""One wording for a name that is not among those it can be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def check_choice(what: str, value: str, allowed: Iterable[str]) -> None:
    """Raise ValueError, naming the nearest allowed name, unless `value` is one of them."""
    names = sorted(allowed)
    if value in names:
        return
    nearest = get_close_matches(str(value), names, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"expected {what} to be one of {names}, but got {value!r}{hint}")
