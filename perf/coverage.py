"""Checks that 95 % intervals cover the true value in about 95 % of runs: `python perf/coverage.py`.

Runs of 150 pairs are drawn from simulated models, whose true scores come from a very large run. The two answers and the
two masks of a pair are correlated. An image's IoU is 0 or is drawn from a beta distribution, and a few images have no
referring expression. For each interval and method, the program prints the fraction of runs in which the interval
covers the true value, lies above it, and lies below it. It exits with 1 if an interval that the package reports covers
the true value in fewer than 92 % or more than 98 % of runs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.intervals import Method, Values, bootstrap, score_of_means

PAIRS, WITHOUT_EXPRESSION = 150, 14 / 300
LARGE = 400_000  # pairs
RANGE = (0.92, 0.98)
METHODS: tuple[Method, ...] = ("BCa", "percentile")


class Model(NamedTuple):
    """A simulated model's ability to answer and to ground, on the logistic scale."""

    answers: float
    finds: float


class Run(NamedTuple):
    """A simulated run.

    `correct` has shape (pairs,): 1 if both answers are correct, otherwise 0. `ious` has shape (pairs, 2): NaN if there
    is no expression.
    """

    correct: np.ndarray
    ious: np.ndarray


class Held(NamedTuple):
    """Fractions of runs whose interval covers the true value, lies above it, and lies below it."""

    holds: float
    above: float
    below: float


class Estimand(NamedTuple):
    """A statistic of one or two runs, as a function of the means of columns, and the method of its interval."""

    columns: Callable[..., list[Values]]
    statistic: Callable[..., float]
    method: Method


MODELS = {"able (A 48 %)": Model(0.5, 0.0), "weak (A 13 %)": Model(-0.9, 0.0), "poor (A 4 %)": Model(-1.75, 0.0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=10_000)
    options = parser.parse_args()
    print(f"{'':16}{'':11}{'':11}{'holds':>8}{'above':>8}{'below':>8}")
    missed = []
    for name, model in MODELS.items():
        better = model._replace(answers=model.answers + 0.3, finds=model.finds + 0.2)
        for what, estimand in ESTIMANDS.items():
            for method in METHODS:
                asked = estimand._replace(method=method)
                held = coverage(asked, (model, better), options.runs, options.resamples)
                ours = method == estimand.method
                print(
                    f"{name:16}{what:11}{method:10}{'*' if ours else ' '}" + "".join(f"{x:8.1%}" for x in held),
                    flush=True,
                )
                if ours and not RANGE[0] <= held.holds <= RANGE[1]:
                    missed.append(f"{what} of {name}")
    print("* what the package reports")
    if missed:
        raise SystemExit(f"expected {RANGE[0]:.0%} to {RANGE[1]:.0%}, but these are outside: {', '.join(missed)}")


def coverage(estimand: Estimand, models: tuple[Model, ...], runs: int, resamples: int, seed: int = 0) -> Held:
    """Returns the coverage of an interval.

    A NaN interval, as of a model that is never correct, counts as not covering the true value.
    """
    generator = np.random.default_rng(seed)
    target = estimand.statistic(*map(_mean, estimand.columns(*draw_runs(models, LARGE, generator))))
    found = []
    for _ in range(runs):
        columns = estimand.columns(*draw_runs(models, PAIRS, generator))
        found.append(bootstrap(estimand.statistic, columns, estimand.method, resamples).interval)
    above, below = (sum(outside) / runs for outside in zip(*((i.low > target, i.high < target) for i in found)))
    return Held(sum(i.low <= target <= i.high for i in found) / runs, above, below)


def draw_runs(models: tuple[Model, ...], pairs: int, generator: np.random.Generator) -> list[Run]:
    """Draws a run per model on the same pairs, whose difficulty is shared by all models."""
    ease = generator.normal(size=(pairs, 1))
    absent = generator.random((pairs, 2)) < WITHOUT_EXPRESSION
    runs = []
    for model in models:
        seen = 0.6 * ease + 0.8 * generator.normal(size=(pairs, 1))
        correct = model.answers + ease + 0.6 * generator.logistic(size=(pairs, 2)) > 0
        found = model.finds + seen + 0.6 * generator.logistic(size=(pairs, 2)) > 0
        ious = np.where(found, generator.beta(4, 2, size=(pairs, 2)), 0.0)
        runs.append(Run(correct.all(axis=1).astype(float), np.where(absent, math.nan, ious)))
    return runs


def answers(run: Run) -> Values:
    return Values(run.correct, range(len(run.correct)))


def masks(run: Run) -> Values:
    return Values(run.ious.ravel(), np.repeat(range(len(run.correct)), 2))


def _mean(values: Values) -> float:
    return float(np.nanmean(values.values))


def _gain(*means: float) -> float:
    return metrics.score(means[2:3], means[3:]) - metrics.score(means[:1], means[1:2])


ESTIMANDS = {
    "mIoU": Estimand(lambda run, _: [masks(run)], lambda mean: mean, "BCa"),
    "S": Estimand(lambda run, _: [answers(run), masks(run)], score_of_means(1), "BCa"),
    "gain in S": Estimand(
        lambda *runs: [column for run in runs for column in (answers(run), masks(run))], _gain, "percentile"
    ),
}


if __name__ == "__main__":
    main()
