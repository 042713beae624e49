"""Two runs on the same documents: by how much the second is better, how sure that is, and then a p-value.

`Paired` holds what `intervals.Values` holds, of both runs. What only one of them measured is left out of both, so
that a run with a limit, or with more protocols, is compared on what they share. All p-values are two-sided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from pixfound_tasks.analysis.intervals import RESAMPLES, Interval, Values, bootstrap, score_of_means


class Paired(NamedTuple):
    """Two runs' values of the same `n` things in the same order, NaN or None for "not measured", and their units."""

    first: Sequence[float | None] | np.ndarray
    second: Sequence[float | None] | np.ndarray
    units: Sequence[Hashable]


class Comparison(NamedTuple):
    """`effect`: the second run minus the first, whose `left_out` counts what not both measured.

    `p_value` is NaN where the effect's interval is, for the same reason; but 1 where the runs are the same throughout.
    """

    effect: Interval
    p_value: float


class McNemar(NamedTuple):
    """A comparison of what is right or wrong, and how many only the first run, or only the second, has right."""

    effect: Interval
    p_value: float
    only_first: int
    only_second: int


def compare_means(values: Paired, resamples: int = RESAMPLES) -> Comparison:
    """Difference of means (mIoU, accuracy of images in pairs) by the paired bootstrap over units."""
    return _compare(lambda mean: mean, [values], resamples)


def compare_scores(answering: Sequence[Paired], grounding: Sequence[Paired], resamples: int = RESAMPLES) -> Comparison:
    """Difference of S by the paired bootstrap over units; one `Paired` a protocol, as in `score_interval`."""
    return _compare(score_of_means(len(answering)), [*answering, *grounding], resamples)


def compare_right(values: Paired) -> McNemar:
    """Difference of shares of pairs (or of images that are units) right, with McNemar's exact test.

    The test: of those that one run alone has right, each run has half, Binomial(only_first + only_second, 1/2). The
    interval is the bootstrap's; where those are few it can leave out 0 though the exact test finds no difference.
    Raises ValueError where a value is neither 0 nor 1, or a unit has more than one.
    """
    first, second = _shared(values)
    strange = sorted({*first.values, *second.values} - {0.0, 1.0})
    if strange:
        raise ValueError(f"expected 0 (wrong) or 1 (right), but got {strange[0]:g}; use compare_means for such values")
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
    """Holm's adjustment for many comparisons (Scand. J. Statist. 6, 1979), in the order given; NaN stays out of it.

    The k-th smallest of m is multiplied by m - k + 1; none ends up below a smaller one, or above 1.
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
            f"{runs[1].shape}; list the same documents in the same order, with NaN for what a run has not"
        )
    both = np.flatnonzero(~np.isnan(runs).any(axis=0)).tolist()
    units = [values.units[index] for index in both]
    return Values(runs[0][both], units), Values(runs[1][both], units)


def _p_value(effect: Interval, distribution: np.ndarray) -> float:
    """Twice the share of resamples on the far side of 0: under 0.05 where the percentile interval leaves out 0.

    The run itself counts as a resample, so that no p-value is 0.
    """
    if not len(distribution) or (math.isnan(effect.low) and effect.value != 0):
        return math.nan
    beyond = min((distribution <= 0).sum(), (distribution >= 0).sum())
    return min(1.0, 2 * (float(beyond) + 1) / (len(distribution) + 1))
