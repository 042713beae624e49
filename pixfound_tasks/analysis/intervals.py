"""95 % confidence intervals of scores, by resampling pairs or images.

A unit is a pair with both its images (PixMMVP, PixMini), or an image (PixCV-Bench). A unit is resampled whole, with all
its values, so that answering and grounding stay together. How to build `Values` from samples:

| score | one value | its unit |
|---|---|---|
| accuracy | 0 or 1 per image | the image's pair; without pairs the image's id |
| pair accuracy | 0 or 1 per complete pair: whether both images were answered correctly | the pair |
| mIoU | an image's IoU, NaN if it has no referring expression | as for accuracy |
| any rate | 0 or 1 per item counted, or NaN | as for accuracy |

Values that are NaN (or None) are left out and counted. The draws are seeded, and units are sorted by their values. So
the same values give the same digits, regardless of their order and of the units' ids.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from pixfound_tasks.analysis import metrics

CONFIDENCE = 0.95
RESAMPLES = 10_000
SEED = 0
_DRAWN_AT_ONCE = 1_000_000  # units; bounds memory
_NO_SPREAD = 1e-12

Method = Literal["BCa", "percentile"]


class Interval(NamedTuple):
    """A value and its 95 % interval from `low` to `high`, over `units` pairs or images.

    `left_out` counts the values that are NaN. `reason` says why a number is NaN; it is empty if none is.
    """

    value: float
    low: float
    high: float
    units: int
    left_out: int = 0
    reason: str = ""


class Values(NamedTuple):
    """Measured values, `(n,)` floats with NaN or None for "not measured", and the `n` ids of their units."""

    values: Sequence[float | None] | np.ndarray
    units: Sequence[Hashable]


class _Defined(NamedTuple):
    values: np.ndarray
    units: Sequence[Hashable]


class Bootstrapped(NamedTuple):
    """An interval and its bootstrap distribution: the statistic of every resample, `(resamples,)`.

    The distribution is `(0,)` if nothing could be resampled.
    """

    interval: Interval
    distribution: np.ndarray


def fraction_interval(count: int, of: int) -> Interval:
    """A fraction of items counted one by one (pairs with an outcome, correct pairs), with Wilson's interval.

    Unlike the bootstrap it needs no draws, and it has a width even if all items count, or none. Raises ValueError
    unless `0 <= count <= of`.
    """
    if not 0 <= count <= of:
        raise ValueError(f"expected a count from 0 to {of}, but got {count}; count only items of that total")
    if of == 0:
        return Interval(math.nan, math.nan, math.nan, 0, reason="there is nothing to count")
    low, high = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(count / of, float(low), float(high), of)


def rate_interval(values: Values, resamples: int = RESAMPLES) -> Interval:
    """A fraction of items that are 0 or 1, possibly several per unit, with the BCa bootstrap over units.

    It is Wilson's interval over units if each unit has one value, or if all values are equal and resamples cannot
    differ.
    """
    defined = _defined(values)
    units = len(set(defined.units))
    alike = len(set(defined.values.tolist())) <= 1
    if not alike and units < len(defined.units):
        return mean_interval(values, resamples)
    correct = units * int(defined.values[0]) if alike and units else int(np.sum(defined.values))
    return fraction_interval(correct, units)._replace(left_out=len(values.units) - len(defined.units))


def mean_interval(values: Values, resamples: int = RESAMPLES) -> Interval:
    """Mean of the values (accuracy, mIoU, a rate), with its BCa bootstrap interval over units."""
    return bootstrap(lambda mean: mean, [values], resamples=resamples).interval


def median_interval(values: Values, resamples: int = RESAMPLES) -> Interval:
    """Median of the values (a location in the answer), with its percentile bootstrap interval over units."""
    defined = _defined(values)
    by_unit: dict[Hashable, list[float]] = {}
    for value, unit in zip(defined.values.tolist(), defined.units):
        by_unit.setdefault(unit, []).append(value)
    rows = np.full((len(by_unit), max(map(len, by_unit.values()), default=0)), math.nan)
    for row, found in zip(rows, sorted(by_unit.values())):
        row[: len(found)] = found
    interval = Interval(
        float(np.median(defined.values)) if by_unit else math.nan, math.nan, math.nan, len(by_unit),
        len(values.units) - len(defined.units),
    )  # fmt: skip
    if reason := _why_undrawn(interval):
        return interval._replace(reason=reason)
    return _draw(interval, partial(_median_of_draws, rows), "percentile", resamples).interval


def _median_of_draws(rows: np.ndarray, drawn: np.ndarray, axis: int = -1) -> np.ndarray:
    """The median of each resample. `rows` has one row of values per unit, padded with NaN."""
    found = rows[drawn]
    return np.nanmedian(found.reshape(*drawn.shape[:-1], -1), axis=-1)


def difference_interval(first: Values, second: Values, resamples: int = RESAMPLES) -> Interval:
    """Mean of `second` minus mean of `first` (oracle minus baseline), with its percentile bootstrap interval.

    Both means come from the same draws.
    """
    return bootstrap(lambda a, b: b - a, [first, second], "percentile", resamples).interval


def score_interval(answering: Sequence[Values], grounding: Sequence[Values], resamples: int = RESAMPLES) -> Interval:
    """S of the best A and the best M, see `analysis.metrics.score`, with its BCa bootstrap interval.

    Each sequence has one `Values` per protocol. If A is pair accuracy, its values are one per pair. The best protocol
    is chosen anew in every resample. If only a few pairs are correct, percentile intervals cover the true value too
    rarely (`perf/coverage.py`). If none is correct, there is no interval.
    """
    return bootstrap(score_of_means(len(answering)), [*answering, *grounding], resamples=resamples).interval


def score_of_means(protocols: int) -> Callable[..., float]:
    """S as a function of means: the first `protocols` of them are A's, the others are M's."""
    return lambda *means: metrics.score(means[:protocols], means[protocols:])


def bootstrap(
    statistic: Callable[..., float],
    columns: Sequence[Values],
    method: Method = "BCa",
    resamples: int = RESAMPLES,
) -> Bootstrapped:
    """The bootstrap of a function of means: `statistic` takes one float per column.

    A mean is NaN if its column has no value. Columns are joined by unit; a unit without any value is not drawn. BCa
    suits a score, which is skewed near 0 and 1; for differences the percentile method was no worse. With few units the
    intervals are too narrow. Raises ValueError if a column has unequal numbers of values and units, or an infinite
    value.
    """
    defined = [_defined(column) for column in columns]
    sums = _unit_sums(defined)
    value = float(statistic(*(metrics.mean(column.values) for column in defined)))
    left_out = sum(len(column.units) for column in columns) - sum(len(column.units) for column in defined)
    interval = Interval(value, math.nan, math.nan, sums.shape[1], left_out)
    if reason := _why_undrawn(interval):
        return Bootstrapped(interval._replace(reason=reason), np.empty(0))
    return _draw(interval, partial(_of_draws, statistic, sums), method, resamples)


def _draw(interval: Interval, of_draws: Callable[..., np.ndarray], method: Method, resamples: int) -> Bootstrapped:
    """The interval with its ends.

    `of_draws` computes the statistic from resampled unit indices, in the form that `scipy.stats.bootstrap` calls.
    """
    units = (np.arange(interval.units),)
    settings = {"vectorized": True, "confidence_level": CONFIDENCE, "batch": max(1, _DRAWN_AT_ONCE // interval.units)}
    with warnings.catch_warnings():  # about ends that are NaN, which `reason` explains
        warnings.simplefilter("ignore")
        drawn = stats.bootstrap(
            units, of_draws, n_resamples=resamples, method="percentile", rng=np.random.default_rng(SEED), **settings
        )
        distribution = drawn.bootstrap_distribution
        if np.isnan(distribution).any():
            return Bootstrapped(interval._replace(reason="too few units: some resamples have no value"), np.empty(0))
        if np.ptp(distribution) < _NO_SPREAD:
            return Bootstrapped(interval._replace(reason="every resample gives the same value"), distribution)
        if method == "BCa":
            drawn = stats.bootstrap(units, of_draws, n_resamples=0, bootstrap_result=drawn, method="BCa", **settings)
    low, high = map(float, drawn.confidence_interval)
    reason = "too few units for a BCa interval" if math.isnan(low + high) else ""
    return Bootstrapped(interval._replace(low=low, high=high, reason=reason), distribution)


def _of_draws(statistic: Callable[..., float], sums: np.ndarray, drawn: np.ndarray, axis: int = -1) -> np.ndarray:
    """The statistic of each resample; `drawn` has the indices of its units along the last axis."""
    totals = [column[drawn].sum(axis=axis) for column in sums]
    means = [_mean(total, count).ravel().tolist() for total, count in zip(totals[::2], totals[1::2])]
    return np.reshape([statistic(*each) for each in zip(*means)], np.shape(totals[0]))


def _defined(column: Values) -> _Defined:
    """The values that are not NaN, in ascending order, and their units."""
    values = np.asarray(column.values, dtype=float)
    if values.shape != (len(column.units),) or np.isinf(values).any():
        raise ValueError(
            f"expected finite or missing values, one for each of {len(column.units)} units, but got shape "
            f"{values.shape} with {np.isinf(values).sum()} infinite; give each value the id of its pair or image"
        )
    order = [index for index in np.argsort(values).tolist() if not math.isnan(values[index])]
    return _Defined(values[order], [column.units[index] for index in order])


def _unit_sums(columns: Sequence[_Defined]) -> np.ndarray:
    """For each column, each unit's sum and number of values, float64 `(2 * columns, units)`.

    The units are sorted by these numbers.
    """
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(chain(*(column.units for column in columns))))}
    rows = []
    for column in columns:
        of = np.array([numbers[unit] for unit in column.units], dtype=int)
        rows += [np.bincount(of, column.values, len(numbers)), np.bincount(of, minlength=len(numbers))]
    sums = np.array(rows, dtype=float).reshape(len(rows), len(numbers))
    return np.ascontiguousarray(sums[:, np.lexsort(sums)]) if rows else sums


def _why_undrawn(interval: Interval) -> str:
    if interval.units == 0:
        return "there is no value"
    if math.isnan(interval.value):
        return "one of its parts has no value"
    return "one unit does not show how units differ" if interval.units == 1 else ""


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.divide(total, count, out=np.full(np.shape(total), math.nan), where=count > 0)
