"""From attention rows to one value per image token and generated token."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def mean(rows: np.ndarray) -> np.ndarray:
    """The rows as they are, float32 (tokens, image tokens)."""
    return rows


def mean_centered(rows: np.ndarray) -> np.ndarray:
    """What each token looks at beyond what every token looks at: the rows less their mean over the answer's tokens.

    Rows that were not recorded (NaN) stay NaN and do not count. Source: attend-and-segment, PixFoundation section 3.
    """
    recorded = ~np.isnan(rows).any(axis=1)
    return rows - rows[recorded].mean(axis=0) if recorded.any() else rows


REDUCERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"mean_centered": mean_centered, "mean": mean}
