"""Two runs on the same documents: how much better the second is, with an interval and a p-value.

`Paired` holds the same as `intervals.Values`, for both runs. A value that only one run measured is left out of both, so
runs with a limit or with more protocols are compared on the documents they have in common. All p-values are two-sided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from pixfound_tasks.analysis.intervals import RESAMPLES, Interval, Values, bootstrap, score_of_means
from pixfound_tasks.notebook import number, table


class Paired(NamedTuple):
    """Two runs' values of the same `n` documents or pairs in the same order, `(n,)` floats, and their `n` unit ids.

    NaN or None means "not measured".
    """

    first: Sequence[float | None] | np.ndarray
    second: Sequence[float | None] | np.ndarray
    units: Sequence[Hashable]


class Comparison(NamedTuple):
    """`effect` is the second run minus the first; its `left_out` counts the values that not both runs measured.

    `p_value` is NaN if the effect's interval is, for the same reason. It is 1 if the two runs are identical throughout.
    """

    effect: Interval
    p_value: float

    def _repr_html_(self) -> str:
        """Shows the difference, its interval and the p-value, in a notebook."""
        return _table(self.effect, self.p_value)


class McNemar(NamedTuple):
    """A comparison of correct answers, with the numbers of units that only one of the runs has correct."""

    effect: Interval
    p_value: float
    only_first: int
    only_second: int

    def _repr_html_(self) -> str:
        """Shows the difference, its interval and the p-value, in a notebook."""
        only = {"correct only in the first": str(self.only_first), "only in the second": str(self.only_second)}
        return _table(self.effect, self.p_value, **only)


def _table(effect: Interval, p_value: float, **more: str) -> str:
    values = [
        number(effect.value),
        f"{number(effect.low)} to {number(effect.high)}",
        str(effect.units),
        number(p_value),
    ]
    headings = ("second minus first", "95 % interval", "units", "p", *more)
    return table("Difference of two runs", headings, [[*values, *more.values()]])


def compare_means(values: Paired, resamples: int = RESAMPLES) -> Comparison:
    """Difference of means (mIoU, accuracy of images in pairs) with the paired bootstrap over units."""
    return _compare(lambda mean: mean, [values], resamples)


def compare_scores(answering: Sequence[Paired], grounding: Sequence[Paired], resamples: int = RESAMPLES) -> Comparison:
    """Difference of S with the paired bootstrap over units; one `Paired` per protocol, as in `score_interval`."""
    return _compare(score_of_means(len(answering)), [*answering, *grounding], resamples)


def compare_correct(values: Paired) -> McNemar:
    """Difference of the fractions of correct pairs (or of correct images that are units), with McNemar's exact test.

    Under the null hypothesis, the units that only one run has correct fall to each run with probability 1/2:
    Binomial(only_first + only_second, 1/2). The interval comes from the bootstrap; if such units are few, it can
    exclude 0 although the exact test finds no difference. Raises ValueError if a value is neither 0 nor 1, or a unit
    has more than one value.
    """
    first, second = _shared(values)
    strange = sorted({*first.values, *second.values} - {0.0, 1.0})
    if strange:
        raise ValueError(
            f"expected 0 (incorrect) or 1 (correct), but got {strange[0]:g}; use compare_means for such values"
        )
    if len(set(first.units)) < len(first.units):
        raise ValueError("expected one value for each unit, but got more; give a pair one value, or use compare_means")
    change = np.asarray(second.values, dtype=float) - np.asarray(first.values, dtype=float)
    only_first, only_second = int((change < 0).sum()), int((change > 0).sum())
    p_value = math.nan
    if len(change):
        discordant = only_first + only_second
        p_value = float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return McNemar(compare_means(values).effect, p_value, only_first, only_second)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjustment for multiple comparisons (Scand. J. Statist. 6, 1979), in the given order; NaN is left out.

    The k-th smallest of m p-values is multiplied by m - k + 1. No adjusted value is below that of a smaller p-value, or
    above 1.
    """
    adjusted = np.array(p_values, dtype=float)
    order = np.argsort(adjusted)[: np.count_nonzero(~np.isnan(adjusted))]  # NaN sorts last
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * factors), 1.0)
    return tuple(adjusted.tolist())


def _compare(statistic: Callable[..., float], columns: Sequence[Paired], resamples: int) -> Comparison:
    shared = [_shared(column) for column in columns]
    both = [values for run in zip(*shared) for values in run]
    found = bootstrap(
        lambda *means: statistic(*means[len(columns) :]) - statistic(*means[: len(columns)]),
        both,
        "percentile",
        resamples,
    )
    left_out = sum(len(column.units) - len(first.units) for column, (first, _) in zip(columns, shared))
    effect = found.interval._replace(left_out=left_out)
    return Comparison(effect, _p_value(effect, found.distribution))


def _shared(values: Paired) -> tuple[Values, Values]:
    """Both runs' values of what both measured."""
    runs = [np.asarray(run, dtype=float) for run in (values.first, values.second)]
    if any(run.shape != (len(values.units),) for run in runs):
        raise ValueError(
            f"expected both runs' values for each of {len(values.units)} units, but got shapes {runs[0].shape} and "
            f"{runs[1].shape}; list the same documents in the same order, with NaN for what a run did not measure"
        )
    both = np.flatnonzero(~np.isnan(runs).any(axis=0)).tolist()
    units = [values.units[index] for index in both]
    return Values(runs[0][both], units), Values(runs[1][both], units)


def _p_value(effect: Interval, distribution: np.ndarray) -> float:
    """Twice the fraction of resamples on the far side of 0: below 0.05 if the percentile interval excludes 0.

    The observed effect counts as one more resample, so that no p-value is 0.
    """
    if not len(distribution) or (math.isnan(effect.low) and effect.value != 0):
        return math.nan
    beyond = min((distribution <= 0).sum(), (distribution >= 0).sum())
    return min(1.0, 2 * (float(beyond) + 1) / (len(distribution) + 1))
