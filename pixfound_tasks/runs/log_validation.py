"""Validation of logged samples, which are untrusted. Each function raises `ValueError` on an unexpected value.

Values that pass can be counted, averaged and plotted without further checks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pixfound_tasks.masks import Size

MAX_PIXELS = 1 << 25  # of an image or a mask file
_MOST = 1 << 31
_SHARES = (
    "accuracy", "lenient_accuracy", "unparsed", "unjudged", "ciou", "precision_50", "absent_accuracy", "oracle_miou",
    "chance_miou", "exact_phrase_rate", "median_location", "miou", "pair_accuracy",
)  # fmt: skip
# A document may also log its part of these metrics as two values: intersection and union in pixels; an IoU and whether
# the answer had masks; a pair's number and whether this image's answer is correct.
_PARTS = ("ciou", "miou", "pair_accuracy")
_NAMES = ("concept", "classified_by")


def check_metrics(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the sample if each metric is in 0..1, NaN, None, or one of the two-value parts in `_PARTS`."""
    for name in _SHARES:
        value = sample.get(name)
        if name in _PARTS and isinstance(value, list):
            if len(value) != 2 or not all(_is_number(part) for part in value if part is not None):
                raise _unexpected(name, "two numbers", value)
            if name == "pair_accuracy":
                count(value[0], name)
            if name == "miou":
                _share(value[0], name)
        else:
            _share(value, name)
    for name in _NAMES:
        if not isinstance(sample.get(name), (str, type(None))):
            raise _unexpected(name, "text", sample[name])
    return sample


def check_variants(score: Any) -> tuple[Any, ...]:
    """Checks a prompt-sensitivity score: the type and number of the variation, and its value.

    The value is in 0..1, or `[pair, correct]` for paired images.
    """
    type, variation, value = score
    if not isinstance(type, str):
        raise _unexpected("score", "the type of a variation", type)
    count(variation, "score")
    if isinstance(value, list):
        pair, correct = value
        count(pair, "score")
        _share(correct, "score")
    else:
        _share(value, "score")
    return type, variation, value


def check_asking(score: Any, id: str) -> tuple[Any, ...]:
    """Checks an ablation score: the document's id, the kind of ablation, and the index of the chosen option.

    The index is None if no option was chosen, and NaN if the answer is missing.
    """
    of, kind, chosen = score
    if of != id or not isinstance(kind, str):
        raise _unexpected("score", f"the score of a prompt about {id!r}", score)
    if chosen is None or (isinstance(chosen, float) and math.isnan(chosen)):
        return of, kind, chosen
    return of, kind, count(chosen, "score")


def size_of(fields: Mapping[str, Any]) -> Size:
    """Returns `(height, width)`; raises `ValueError` if the image has no pixels or more than `MAX_PIXELS`."""
    height, width = (count(fields[name], name) for name in ("height", "width"))
    if not 0 < height * width <= MAX_PIXELS:
        raise _unexpected("size", f"an image of 1 to {MAX_PIXELS} pixels", f"{width} x {height}")
    return height, width


def count(value: Any, name: str) -> int:
    """Returns the value if it is an integer in 0..2**31 - 1."""
    if type(value) is not int or not 0 <= value < _MOST:
        raise _unexpected(name, "a whole number", value)
    return value


def _share(value: Any, name: str) -> None:
    # `math.isnan` raises an error on integers that are too large for a float.
    if value is not None and not (_is_number(value) and (value != value or 0 <= value <= 1)):
        raise _unexpected(name, "a number in 0..1", value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _unexpected(name: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"expected {expected} as {name}, but got {str(value)[:40]!r}")
