"""The error of a measurement that proves nothing."""

from __future__ import annotations


class NotMeasurable(ValueError):
    """The geometry of a model cannot be measured with certainty. The message says why. It is never guessed."""
