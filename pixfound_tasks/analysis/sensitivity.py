"""How much a score changes with the wording, or with the image: by type of variation, with intervals.

A variation's score is the score of the task without variations over the documents of this variation: pair accuracy
(accuracy if the images have no pairs), or mean IoU. Intervals resample pairs, or images, with all their variations.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pixfound_tasks.analysis.intervals import Interval, Values, mean_interval
from pixfound_tasks.analysis.metrics import PairPart, mean
from pixfound_tasks.prompts.variants import ORIGINAL

ALL = "all"

Value = PairPart | float | None  # half a pair; an IoU or an accuracy in 0..1; None: no value
Measured = Mapping[Hashable, float]  # a pair or a document -> its value


class VariantPart(NamedTuple):
    """What one document in one variation adds to the variation's score."""

    type: str
    variation: int
    value: Value


class VariantSample(NamedTuple):
    """A document in one variation.

    `value` is an IoU or an accuracy in 0..1, or, for an image of a pair, whether its answer is correct. None or NaN
    means "not measured".
    """

    id: str
    pair: int | None
    type: str
    variation: int
    value: float | bool | None


class Statistics(NamedTuple):
    """Over the scores of all variations, without the original; NaN if there is no score.

    `score` is their mean, `spread` their population standard deviation (the square root of the mean squared
    difference), `worst` the lowest. `drop` is the original's score minus `score`.
    """

    score: float
    spread: float
    worst: float
    drop: float


class Sensitivity(NamedTuple):
    """One type of variation, or all of them (`ALL`), of one task; scores are in 0..1, NaN if nothing was measured.

    `scores` has every variation's score, in order; `spread` and `worst` are their `Statistics`. `drop` is the
    original's score minus the variations' `mean`, both over what was measured in the original and in every variation.
    """

    type: str
    original: float
    scores: tuple[float, ...]
    mean: Interval
    spread: float
    worst: float
    drop: Interval


def statistics(original: float, scores: Sequence[float]) -> Statistics:
    """The statistics of the variations' scores. A NaN among them, or as the original, makes what needs it NaN."""
    if not scores:
        return Statistics(math.nan, math.nan, math.nan, math.nan)
    score = float(np.mean(scores))
    return Statistics(score, float(np.std(scores)), float(np.min(scores)), original - score)


def measure(values: Iterable[tuple[Hashable, Value]]) -> dict[Hashable, float]:
    """The value of each pair and of each other document of one variation, from the documents' ids and values.

    A pair has the value 1 if both images are correct, otherwise 0, and NaN if a half is. A pair with a missing image
    is left out.
    """
    single: dict[Hashable, float] = {}
    halves: dict[Hashable, list[float]] = {}
    for id, value in values:
        if isinstance(value, (int, float)):
            single[id] = float(value)
        elif value is not None:
            halves.setdefault(("pair", value[0]), []).append(float(value[1]))
    return single | {pair: math.prod(both) for pair, both in halves.items() if len(both) == 2}


def analyse(samples: Iterable[VariantSample]) -> list[Sensitivity]:
    """Sensitivity to all variations together, then to each type in alphabetical order; empty without variations.

    Answers to pairs count by pair: both images correct or not. A pair with a missing image does not count.
    """
    parts: dict[tuple[str, int], list[tuple[Hashable, Value]]] = {}
    unit_of: dict[Hashable, Hashable] = {}
    for id, pair, type, variation, value in samples:
        unit = id if pair is None else ("pair", pair)
        unit_of |= {id: unit, unit: unit}
        of_variation = parts.setdefault((type, variation), [])
        if value is not None and not math.isnan(value):
            of_variation.append(
                (id, float(value) if pair is None or not isinstance(value, bool) else PairPart(pair, value))
            )
    measured = {variation: measure(part) for variation, part in sorted(parts.items(), key=lambda item: item[0][1])}
    original = measured.pop((ORIGINAL, 0), {})
    types = sorted({type for type, _ in parts} - {ORIGINAL})
    groups = {type: [found for (of, _), found in measured.items() if of == type] for type in types}
    if len(groups) > 1:
        groups = {ALL: [found for type in types for found in groups[type]], **groups}
    return [_sensitivity(type, original, variations, unit_of) for type, variations in groups.items()]


def _sensitivity(
    type: str, original: Measured, variations: Sequence[Measured], unit_of: Mapping[Hashable, Hashable]
) -> Sensitivity:
    scores = [mean(found.values()) for found in variations]
    _, spread, worst, _ = statistics(mean(original.values()), [score for score in scores if not math.isnan(score)])
    everywhere = [key for key in original if all(key in found for found in variations)]
    units = [unit_of[key] for key in everywhere]
    means = [mean([found[key] for found in variations]) for key in everywhere]
    drops = [original[key] - of_key for key, of_key in zip(everywhere, means)]
    return Sensitivity(
        type,
        original=mean(original.values()),
        scores=tuple(scores),
        mean=mean_interval(Values(means, units)),
        spread=spread,
        worst=worst,
        drop=mean_interval(Values(drops, units)),
    )
