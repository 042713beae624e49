"""What a log of samples may say, which anybody may have written: a `ValueError` where a value is another.

What these pass on can be counted, averaged and drawn without a second look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pixfound_tasks.masks import Size

MAX_PIXELS = 1 << 25  # of an image, as of a picture of a mask
_MOST = 1 << 31
_SHARES = (
    "accuracy", "lenient_accuracy", "unparsed", "unjudged", "ciou", "precision_50", "absent_accuracy", "oracle_miou",
    "chance_miou", "exact_phrase_rate", "median_location", "miou", "pair_accuracy",
)  # fmt: skip
# Of these a document may log its part: two overlaps in pixels, an IoU and whether masks came, a pair and its half.
_PARTS = ("ciou", "miou", "pair_accuracy")
_NAMES = ("concept", "classified_by")


def check_metrics(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """A sample whose metrics are shares in 0..1, NaN, None, or of some the document's part."""
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


def check_varied(score: Any) -> tuple[Any, ...]:
    """What a task of prompt sensitivity logs of one asking: the type of variation, its number, and its value."""
    type, variation, value = score
    if not isinstance(type, str):
        raise _unexpected("score", "the type of a variation", type)
    count(variation, "score")
    if isinstance(value, list):
        pair, right = value
        count(pair, "score")
        _share(right, "score")
    else:
        _share(value, "score")
    return type, variation, value


def check_asking(score: Any, id: str) -> tuple[Any, ...]:
    """What a task of evidence logs of one asking: the document's id, the kind of asking, and the option or None."""
    of, kind, chosen = score
    if of != id or not isinstance(kind, str):
        raise _unexpected("score", f"an asking about {id!r}", score)
    return of, kind, None if chosen is None else count(chosen, "score")


def size_of(fields: Mapping[str, Any]) -> Size:
    """`(height, width)` of an image that can be held in memory."""
    height, width = (count(fields[name], name) for name in ("height", "width"))
    if not 0 < height * width <= MAX_PIXELS:
        raise _unexpected("size", f"an image of 1 to {MAX_PIXELS} pixels", f"{width} x {height}")
    return height, width


def count(value: Any, name: str) -> int:
    """A whole number from 0 on, of a size that a benchmark can have."""
    if type(value) is not int or not 0 <= value < _MOST:
        raise _unexpected(name, "a whole number", value)
    return value


def _share(value: Any, name: str) -> None:
    # Not `math.isnan`, which refuses whole numbers that are too large for a float.
    if value is not None and not (_is_number(value) and (value != value or 0 <= value <= 1)):
        raise _unexpected(name, "a number in 0..1", value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _unexpected(name: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"expected {expected} as {name}, but got {str(value)[:40]!r}")
