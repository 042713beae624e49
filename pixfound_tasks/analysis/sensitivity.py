"""How much a score changes with the wording, or with the image: by type of variation, with intervals.

`mean`, `spread`, `worst` and `drop` are those of `tasks.sensitivity`. Intervals resample pairs, or images, with all
their variations.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pixfound_tasks.analysis.intervals import Interval, Values, mean_interval
from pixfound_tasks.analysis.metrics import mean
from pixfound_tasks.prompts.variants import ORIGINAL

ALL = "all"


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


class Sensitivity(NamedTuple):
    """One type of variation, or all of them (`ALL`), of one task; scores are in 0..1, NaN if nothing was measured.

    `scores` has every variation's score, in order. `spread` is their standard deviation, `worst` the lowest. `drop` is
    the original's score minus the variations' `mean`, both over what was measured in the original and in every
    variation.
    """

    type: str
    original: float
    scores: tuple[float, ...]
    mean: Interval
    spread: float
    worst: float
    drop: Interval


Measured = Mapping[Hashable, float]  # a pair or a document -> its value


def analyse(samples: Iterable[VariantSample]) -> list[Sensitivity]:
    """Sensitivity to all variations together, then to each type in alphabetical order; empty without variations.

    Answers to pairs count by pair: both images correct or not. A pair with a missing image does not count.
    """
    parts: dict[tuple[str, int], list[VariantSample]] = {}
    for sample in samples:
        parts.setdefault((sample.type, sample.variation), []).append(sample)
    unit_of = {key: unit for part in parts.values() for key, unit in _units(part).items()}
    measured = {variation: _measured(part) for variation, part in sorted(parts.items(), key=lambda item: item[0][1])}
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
    known = [score for score in scores if not math.isnan(score)]
    everywhere = [key for key in original if all(key in found for found in variations)]
    units = [unit_of[key] for key in everywhere]
    means = [mean([found[key] for found in variations]) for key in everywhere]
    drops = [original[key] - of_key for key, of_key in zip(everywhere, means)]
    return Sensitivity(
        type,
        original=mean(original.values()),
        scores=tuple(scores),
        mean=mean_interval(Values(means, units)),
        spread=float(np.std(known)) if known else math.nan,
        worst=min(known, default=math.nan),
        drop=mean_interval(Values(drops, units)),
    )


def _is_half(sample: VariantSample) -> bool:
    return isinstance(sample.value, bool) and sample.pair is not None


def _key(sample: VariantSample) -> Hashable:
    return ("pair", sample.pair) if _is_half(sample) else sample.id


def _units(part: Sequence[VariantSample]) -> dict[Hashable, Hashable]:
    return {_key(sample): sample.id if sample.pair is None else ("pair", sample.pair) for sample in part}


def _measured(part: Sequence[VariantSample]) -> dict[Hashable, float]:
    by_key: dict[tuple[Hashable, bool], list[float]] = {}
    for sample in part:
        if sample.value is not None and not math.isnan(sample.value):
            by_key.setdefault((_key(sample), _is_half(sample)), []).append(sample.value)
    return {
        key: float(all(found)) if is_half else float(found[0])
        for (key, is_half), found in by_key.items()
        if len(found) == (2 if is_half else 1)
    }
