"""How well the phrases up to each part of an answer cover the object: one curve per image, and a band over images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pixfound_tasks import masks
from pixfound_tasks.masks import Rle
from pixfound_tasks.response import Phrase, Response, all_candidates

POSITIONS = 20


class Curve(NamedTuple):
    """Values in 0..1 for equal parts of an answer, in token order.

    If the object is present, a value is the best IoU of the candidate masks. If it is absent, a value is the fraction
    of the image that the candidates cover. `so_far` is over all phrases that began before the end of the part, and 0
    before the first phrase. `here` is over the phrases that have a token in the part, and NaN if there are none.
    """

    so_far: tuple[float, ...]
    here: tuple[float, ...]


class Band(NamedTuple):
    """Mean and quartiles of many images' curves at each part, float64 (parts,); NaN if no image has a value.

    `lower` and `upper` are the quartiles. `images` counts the images that have a value, int64 (parts,).
    """

    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    images: np.ndarray


def token_location(phrase: Phrase, response: Response) -> float | None:
    """A phrase's first token over the answer's tokens, in 0..1; None if its tokens are unknown."""
    if phrase.tokens is None or not response.tokens or not phrase.tokens[0] < phrase.tokens[1] <= response.tokens:
        return None
    return phrase.tokens[0] / response.tokens


def curve(response: Response, target: Rle, positions: int = POSITIONS) -> Curve | None:
    """The curve of an answer in `positions` parts.

    If phrases were searched for but none has a candidate, the curve is 0 throughout. Returns None if no phrases were
    searched for, or if the candidates' places among the tokens are unknown.
    """
    placed = [p for p in response.phrases if p.candidates and token_location(p, response) is not None]
    is_bare = response.selected is not None and not all_candidates(response.phrases)
    if not response.tokens or not (placed or is_bare):
        return None
    # Scaling tokens by the number of parts keeps all bounds whole numbers, so the comparisons are exact.
    starts, stops = np.array([phrase.tokens for phrase in placed], int).reshape(-1, 2).T * positions
    part_starts = np.arange(positions)[:, None] * response.tokens
    begun = starts < part_starts + response.tokens
    value = _value(placed, target)
    return Curve(
        tuple(value(chosen) if chosen.any() else 0.0 for chosen in begun),
        tuple(value(chosen) if chosen.any() else math.nan for chosen in begun & (stops > part_starts)),
    )


def _value(phrases: Sequence[Phrase], target: Rle) -> Callable[[np.ndarray], float]:
    """A function from the chosen phrases, bool (phrases,), to their value."""
    found = [[candidate.mask for candidate in phrase.candidates] for phrase in phrases]
    if masks.area(target):
        best = np.array([max(masks.ious(candidates, target)) for candidates in found])
        return lambda chosen: float(best[chosen].max())
    size = tuple(target["size"])
    covers = [masks.union(candidates, size) for candidates in found]
    return lambda chosen: masks.area(masks.union([covers[i] for i in np.flatnonzero(chosen)], size)) / math.prod(size)


def band(values: Sequence[Sequence[float]]) -> Band:
    """The band of curves (images, parts) that all have the same number of parts.

    NaN is left out. Without any curve the band has no parts.
    """
    table = np.array(values, np.float64).reshape(len(values), len(values[0]) if values else 0)
    columns = [column[~np.isnan(column)] for column in table.T]
    quartiles = [np.quantile(column, (0.25, 0.75)) if len(column) else (np.nan, np.nan) for column in columns]
    lower, upper = np.array(quartiles, np.float64).reshape(-1, 2).T
    mean = np.array([column.mean() if len(column) else np.nan for column in columns])
    return Band(mean, lower, upper, np.array([len(column) for column in columns], np.int64))
