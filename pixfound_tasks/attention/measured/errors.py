"""The error of a measurement that proves nothing."""

from __future__ import annotations


class NotMeasurable(ValueError):
    """The geometry of a model cannot be measured with certainty. The message says why. It is never guessed."""


class NoGradient(NotMeasurable):
    """Image tokens depend on pixel values by no gradient, as if they were discrete."""

    def __init__(self) -> None:
        super().__init__(
            "image tokens have no gradient with respect to pixel values, as if they were discrete, but they are not "
            "the codes of cells, one each"
        )


class NoPlace(NotMeasurable):
    """Image tokens stand for no place: each depends on the whole image.

    Args:
        count: the number of image tokens of the prompt.
        why: what makes them so, in words.
    """

    def __init__(self, count: int, why: str) -> None:
        super().__init__(f"no place: each of the {count} image tokens depends on the whole image, {why}")
