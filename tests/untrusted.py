"""What a model might print: hypothesis strategies over the response contract's own words, and anything else."""

import copy
import json
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from rectangles import rectangle

_KEYS = (
    "schema", "text", "masks", "boxes", "scores", "points", "phrases", "selected", "control", "tokens", "provenance",
    "size", "counts", "chars", "point", "candidates", "mask", "score", "by", "phrase", "candidate", "similarity",
    "map", "levels",
)  # fmt: skip
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([rectangle(0, 0, 3, 4), {"size": [1, 3], "levels": "D3A="}]),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), values, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=6).map(json.dumps)
OUTPUTS = OBJECTS | st.text(max_size=60)


def nested(depth: int) -> list:
    """Lists in one another."""
    found: list = []
    for _ in range(depth):
        found = [found]
    return found


# What JSON can hold in the place of what was expected there.
VALUES = (
    None, True, -1, 0, 7, 2**31, 2**63, 10**400, int("9" * 4300), 0.5, 1e308, float("nan"), float("inf"), "", "\ud800",
    "\0", "=1+1", "[/x]", "$x_$", "9" * 5000, [], [[]], [1, 2], [None, None], {}, {"a": 1}, nested(300),
)  # fmt: skip


def broken(value: Any, changes: int = 3) -> st.SearchStrategy[Any]:
    """The JSON value with another one in up to so many random places of it."""
    places = list(_places(value))
    change = st.tuples(st.sampled_from(places), st.sampled_from(VALUES))
    return st.lists(change, min_size=1, max_size=changes).map(lambda made: _changed(value, made))


def _places(value: Any, place: tuple = ()):
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*place, key))


def _changed(value: Any, changes: list[tuple[tuple, Any]]) -> Any:
    for place, new in changes:
        # A place that an earlier change took away is left.
        with suppress(KeyError, IndexError, TypeError):
            value = _put(value, place, new)
    return value


def _put(value: Any, place: tuple, new: Any) -> Any:
    if not place:
        return new
    changed = copy.copy(value)
    changed[place[0]] = _put(value[place[0]], place[1:], new)
    return changed
