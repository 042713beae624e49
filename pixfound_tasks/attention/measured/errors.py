"""The error of a measurement that proves nothing."""

from __future__ import annotations


class NotMeasurable(ValueError):
    """The geometry of a model cannot be measured with certainty. The message says why. It is never guessed."""


class NoPlace(NotMeasurable):
    """Image tokens stand for no place: each depends on the whole image.

    Args:
        count: the number of image tokens of the prompt.
        why: what makes them so, in words.
    """

    def __init__(self, count: int, why: str) -> None:
        super().__init__(f"no place: each of the {count} image tokens depends on the whole image, {why}")
