"""How far a score may be off by the choice of documents: 95 % intervals, by drawing pairs or images anew.

What is drawn is a unit: a pair with both its images (PixMMVP, PixMini), or an image (PixCV-Bench). A unit is drawn
whole, with all that was measured of it, so that answering and grounding stay together. To build `Values` of samples:

| score | one value | its unit |
|---|---|---|
| accuracy | 0 or 1 an image | the image's pair; without pairs the image's id |
| pair accuracy | 0 or 1 a whole pair: whether both images were answered rightly | the pair |
| mIoU | an image's IoU, NaN where it has no referring expression | as for accuracy |
| any rate | 0 or 1 a thing counted, or NaN | as for accuracy |

Values that are NaN (or None) are left out and counted. The draws are seeded, and units are put in order of what was
measured of them: the same values give the same digits, in whatever order they come and whatever the units' ids.
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

from pixfound_tasks.scoring import metrics

CONFIDENCE = 0.95
RESAMPLES = 10_000
SEED = 0
_DRAWN_AT_ONCE = 1_000_000  # units; bounds memory
_NO_SPREAD = 1e-12

Method = Literal["BCa", "percentile"]


class Interval(NamedTuple):
    """A value and its 95 % interval from `low` to `high`, over `units` pairs or images.

    `left_out` counts the values that are NaN. `reason` says why a number is NaN; it is empty where none is.
    """

    value: float
    low: float
    high: float
    units: int
    left_out: int = 0
    reason: str = ""


class Values(NamedTuple):
    """What was measured, `(n,)` floats with NaN or None for "not measured", and the `n` ids of the units it is of."""

    values: Sequence[float | None] | np.ndarray
    units: Sequence[Hashable]


class _Defined(NamedTuple):
    values: np.ndarray
    units: Sequence[Hashable]


class Bootstrapped(NamedTuple):
    """An interval and what it was read from: the statistic of every resample, `(resamples,)`; `(0,)` for none."""

    interval: Interval
    distribution: np.ndarray


def share_interval(count: int, of: int) -> Interval:
    """A share of things counted one by one (pairs with an outcome, pairs right), with Wilson's interval.

    It needs no draws, and unlike the bootstrap it has a width where all of them count, or none.
    Raises ValueError unless `0 <= count <= of`.
    """
    if not 0 <= count <= of:
        raise ValueError(f"expected a count from 0 to {of}, but got {count}; count the things that the total counts")
    if of == 0:
        return Interval(math.nan, math.nan, math.nan, 0, reason="there is nothing to take a share of")
    low, high = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(count / of, float(low), float(high), of)


def rate_interval(values: Values, resamples: int = RESAMPLES) -> Interval:
    """A share of things that are 0 or 1, several to a unit perhaps: the BCa bootstrap over units.

    Wilson's interval over units where each has one value, or where all values are alike and draws do not differ.
    """
    defined = _defined(values)
    units = len(set(defined.units))
    alike = len(set(defined.values.tolist())) <= 1
    if not alike and units < len(defined.units):
        return mean_interval(values, resamples)
    right = units * int(defined.values[0]) if alike and units else int(np.sum(defined.values))
    return share_interval(right, units)._replace(left_out=len(values.units) - len(defined.units))


def mean_interval(values: Values, resamples: int = RESAMPLES) -> Interval:
    """Mean of the values (accuracy, mIoU, a rate), with its BCa bootstrap interval."""
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
    """The median of each resample's values; `rows` has a unit's values, NaN behind them where others have more."""
    found = rows[drawn]
    return np.nanmedian(found.reshape(*drawn.shape[:-1], -1), axis=-1)


def difference_interval(first: Values, second: Values, resamples: int = RESAMPLES) -> Interval:
    """Mean of `second` minus mean of `first` (oracle minus chance), both of the same draws; percentile bootstrap."""
    return bootstrap(lambda a, b: b - a, [first, second], "percentile", resamples).interval


def score_interval(answering: Sequence[Values], grounding: Sequence[Values], resamples: int = RESAMPLES) -> Interval:
    """S of the best A and the best M, see `scoring.metrics.score`, with its BCa bootstrap interval.

    Each sequence has one `Values` a protocol; where A is pair accuracy, its values are of pairs. The best is taken anew
    in every resample. Where only a few pairs are right, percentile intervals hold the truth too rarely
    (`perf/coverage.py`); where none is, there is no interval.
    """
    return bootstrap(score_of_means(len(answering)), [*answering, *grounding], resamples=resamples).interval


def score_of_means(protocols: int) -> Callable[..., float]:
    """S as a function of means, of which the first `protocols` are A's and the others M's."""
    return lambda *means: metrics.score(means[:protocols], means[protocols:])


def bootstrap(
    statistic: Callable[..., float],
    columns: Sequence[Values],
    method: Method = "BCa",
    resamples: int = RESAMPLES,
) -> Bootstrapped:
    """The bootstrap of a function of means: `statistic` takes as many floats as there are columns.

    A mean is NaN where a column has no value. Columns are joined by unit; a unit without any value is not drawn.
    BCa suits a score, which is skewed near 0 and 1; for differences percentile was no worse. Few units give intervals
    that are too narrow. Raises ValueError where a column's values and units are not equally many, or one is infinite.
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
    """The interval with its ends, by resamples of `of_draws`, a statistic of units' numbers as scipy takes it."""
    units = (np.arange(interval.units),)
    settings = {"vectorized": True, "confidence_level": CONFIDENCE, "batch": max(1, _DRAWN_AT_ONCE // interval.units)}
    with warnings.catch_warnings():  # of ends that are NaN, which the reason says
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
    """The statistic of each resample; `drawn` has the numbers of its units along the last axis."""
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
    """Of each column the sum and the number of a unit's values, `(2 * columns, units)`, in order of the sums."""
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
        return "a part of it has no value"
    return "one unit says nothing of how units differ" if interval.units == 1 else ""


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.divide(total, count, out=np.full(np.shape(total), math.nan), where=count > 0)
