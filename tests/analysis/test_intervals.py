from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from perf import coverage
from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.intervals import (
    Values,
    bootstrap,
    difference_interval,
    fraction_interval,
    mean_interval,
    median_interval,
    rate_interval,
    score_interval,
    score_of_means,
)


def a_run(pairs: int = 150) -> coverage.Run:
    return coverage.draw_runs((coverage.Model(0.0, 0.0),), pairs, np.random.default_rng(0))[0]


def test_a_share_has_wilsons_interval():
    # Wilson's ends for k of n: (k + z^2/2 +- z sqrt(k (n - k) / n + z^2/4)) / (n + z^2).
    z = 1.959963984540054
    for count, of in ((0, 150), (30, 150), (150, 150)):
        middle, half = count + z**2 / 2, z * math.sqrt(count * (of - count) / of + z**2 / 4)
        found = fraction_interval(count, of)
        assert found[:2] == pytest.approx((count / of, (middle - half) / (of + z**2)))
        assert found.high == pytest.approx((middle + half) / (of + z**2))
        assert found.units == of
    assert fraction_interval(0, 0).reason == "there is nothing to count"
    with pytest.raises(ValueError, match="expected a count from 0 to 3, but got 4"):
        fraction_interval(4, 3)


def test_values_are_those_of_the_metrics():
    run = a_run()
    correct, ious = run.correct.tolist(), [iou for iou in run.ious.ravel().tolist() if not math.isnan(iou)]
    answers, masks = coverage.answers(run), coverage.masks(run)
    assert mean_interval(masks).value == metrics.mean(ious)
    assert score_interval([answers], [masks]).value == metrics.score([metrics.mean(correct)], [metrics.mean(ious)])


def test_a_proportions_interval_is_the_binomials():
    # Resampled counts of 60 right of 150 are Binomial(150, 0.4); their ends may differ by one count.
    ends = stats.binom.ppf([0.025, 0.975], 150, 0.4) / 150
    found = bootstrap(lambda mean: mean, [Values([1] * 60 + [0] * 90, range(150))], "percentile").interval
    assert (found.low, found.high) == pytest.approx(ends, abs=1.01 / 150)


def test_s_agrees_with_a_loop_over_pairs():
    run = a_run(pairs=60)
    generator, drawn = random.Random(1), []
    for _ in range(4000):
        pairs = generator.choices(range(60), k=60)
        ious = [iou for pair in pairs for iou in run.ious[pair] if not math.isnan(iou)]
        drawn.append(metrics.harmonic_mean([sum(run.correct[pair] for pair in pairs) / 60, sum(ious) / len(ious)]))
    found = bootstrap(score_of_means(1), [coverage.answers(run), coverage.masks(run)], "percentile").interval
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.01)


def test_bca_agrees_with_scipy_on_a_mean():
    values = np.random.default_rng(0).exponential(size=80)
    theirs = stats.bootstrap((values,), np.mean, method="BCa", rng=np.random.default_rng(7)).confidence_interval
    ours, percentile = (bootstrap(lambda mean: mean, [Values(values, range(80))], m).interval for m in coverage.METHODS)
    assert (ours.low, ours.high) == pytest.approx(theirs, abs=0.02)
    assert ours.high > percentile.high + 0.01  # the values are skewed to the right


def test_a_run_right_on_three_pairs_is_not_held_for_one_that_is_never_right():
    # No pair of 3 in 150 is drawn in (147/150)^150 = 5 % of resamples: the percentile interval of S begins at 0.
    columns = [Values([1] * 3 + [0] * 147, range(150)), Values([0.25, 0.75] * 75, range(150))]
    assert bootstrap(score_of_means(1), columns, "percentile").interval.low == 0
    assert score_interval(columns[:1], columns[1:]).low > 0


def test_pairs_are_drawn_whole():
    """Both images of a pair alike: as many units as pairs, not as images, so the interval is wider by root two."""
    values = np.repeat(np.random.default_rng(0).random(150), 2)
    once = mean_interval(Values(values[::2], range(150)))
    by_pair = mean_interval(Values(values, np.repeat(range(150), 2)))
    by_image = mean_interval(Values(values, range(300)))
    assert by_pair == once
    assert (by_pair.high - by_pair.low) / (by_image.high - by_image.low) == pytest.approx(math.sqrt(2), rel=0.05)


def test_answering_and_grounding_are_drawn_together():
    # Where a pair is either answered or grounded, M is 1 - A in every resample: S = 2 A (1 - A) is never above 1/2.
    correct = np.arange(100) % 2
    together = score_interval([Values(correct, range(100))], [Values(1 - correct, range(100))])
    apart = score_interval([Values(correct, range(100))], [Values(1 - correct, range(100, 200))])
    assert together.value == apart.value == 0.5
    assert together.high <= 0.5 < apart.high


def test_order_of_samples_and_names_of_pairs_change_no_digit():
    run = a_run()
    answers, masks = coverage.answers(run), coverage.masks(run)
    names = [f"pair {number}" for number in np.random.default_rng(1).permutation(150)]
    shuffled = [
        Values(values.values[order], [names[values.units[index]] for index in order])
        for values in (answers, masks)
        for order in [np.random.default_rng(2).permutation(len(values.units))]
    ]
    assert score_interval([shuffled[0]], [shuffled[1]]) == score_interval([answers], [masks])
    assert mean_interval(shuffled[1]) == mean_interval(masks)
    # Units of many values, whose sums would depend on the order in which they are added.
    many = Values(np.random.default_rng(3).lognormal(sigma=4, size=300), np.arange(300) % 20)
    order = np.random.default_rng(4).permutation(300)
    assert mean_interval(Values(many.values[order], many.units[order])) == mean_interval(many)


def test_missing_values_are_left_out_and_counted():
    found = mean_interval(Values([0.0, None, 1.0, math.nan, 0.5], [0, 0, 1, 2, 3]))
    assert found == mean_interval(Values([0.0, 1.0, 0.5], [0, 1, 3]))._replace(left_out=2)
    assert found.units == 3  # nothing was measured of unit 2


def test_a_protocol_that_was_not_run_changes_nothing():
    run = a_run()
    answers, masks = [coverage.answers(run)], [coverage.masks(run)]
    assert score_interval([*answers, Values([], [])], [Values([], []), *masks]) == score_interval(answers, masks)


def test_the_better_protocol_is_chosen_in_every_resample():
    # A and A-dagger are right on the other half each: the higher is at least 1/2 in every resample.
    correct = np.arange(100) % 2
    masks = Values([1.0] * 100, range(100))
    found = bootstrap(score_of_means(2), [Values(correct, range(100)), Values(1 - correct, range(100)), masks])
    assert found.distribution.min() >= metrics.score([0.5], [1.0])


def test_a_difference_of_what_is_equal_but_for_a_constant_has_no_noise():
    """Oracle and chance are drawn together: what makes images differ is gone from their difference."""
    chance = np.random.default_rng(0).random(200) / 2
    noise = np.random.default_rng(1).normal(size=200) / 100
    found = difference_interval(Values(chance, range(200)), Values(chance + 0.1 + noise, range(200)))
    # The standard error is that of the noise: 0.01 / sqrt(200).
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.01 / math.sqrt(200), rel=0.2)
    assert found.low < 0.1 < found.high


@pytest.mark.parametrize(
    ("values", "units", "value", "reason"),
    [
        ([], [], math.nan, "there is no value"),
        ([None, math.nan], [0, 1], math.nan, "there is no value"),
        ([0.2, 0.4], [5, 5], 0.3, "one unit does not show how units differ"),
        ([0.1] * 30, range(30), 0.1, "every resample gives the same value"),
    ],
)
def test_what_has_no_interval_says_why(values, units, value, reason):
    found = mean_interval(Values(values, units))
    assert found.value == pytest.approx(value, nan_ok=True)
    assert math.isnan(found.low) and math.isnan(found.high)
    assert found.reason == reason


def test_a_score_without_an_interval_says_why():
    correct = Values([0.0, 1.0, 1.0], range(3))
    assert score_interval([correct], []).reason == "one of its parts has no value"
    assert score_interval([], []).reason == "there is no value"
    # Masks of one pair in three: some resamples have none of them.
    few = score_interval([correct], [Values([0.5], [0])])
    assert math.isnan(few.low) and few.reason == "too few units: some resamples have no value"
    # Never right: S is 0 in every resample, which is no proof that it is never right.
    never = score_interval([Values([0.0] * 3, range(3))], [correct])
    assert never.value == 0 and never.reason == "every resample gives the same value"


def test_values_and_units_must_fit():
    with pytest.raises(ValueError, match=r"one for each of 2 units, but got shape \(1,\)"):
        mean_interval(Values([0.5], [0, 1]))
    with pytest.raises(ValueError, match="with 1 infinite"):
        mean_interval(Values([0.5, math.inf], [0, 1]))


@pytest.mark.parametrize("what", ["mIoU", "S"])
def test_intervals_hold_the_truth(what):
    """300 runs of 150 pairs; the truth is that of a very large run. `perf/coverage.py` has more models."""
    model = coverage.MODELS["weak (A 13 %)"]
    held = coverage.coverage(coverage.ESTIMANDS[what], (model, model), runs=300, resamples=500)
    assert 0.92 <= held.holds <= 0.98


def test_rates_of_single_things_are_wilsons_and_of_pairs_are_drawn():
    alone = rate_interval(Values([1.0, 0.0, 1.0, math.nan], [1, 2, 3, 4]))
    assert alone == fraction_interval(2, 3)._replace(left_out=1)
    paired = rate_interval(Values([1.0, 0.0, 1.0, 1.0, 0.0, 0.0], [1, 1, 2, 2, 3, 3]))
    assert (paired.value, paired.units) == (0.5, 3)
    assert paired == mean_interval(Values([1.0, 0.0, 1.0, 1.0, 0.0, 0.0], [1, 1, 2, 2, 3, 3]))


def test_rates_that_are_all_alike_have_wilsons_width():
    assert rate_interval(Values([1.0] * 4, [1, 1, 2, 2])) == fraction_interval(2, 2)
    assert rate_interval(Values([0.0] * 4, [1, 1, 2, 2])) == fraction_interval(0, 2)
    assert rate_interval(Values([], [])).reason


def test_median_and_the_medians_of_its_draws():
    """Of 1..5 in units of their own; every resample's median is one of them, and half of the draws are near 3."""
    values = Values([3.0, 1.0, 5.0, 2.0, 4.0], "abcde")
    found = median_interval(values)
    assert found.value == 3.0 and {found.low, found.high} <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert found.low < 3.0 < found.high
    assert median_interval(Values(list(values.values)[::-1], "vwxyz")) == found  # ids and order do not matter


def test_median_draws_units_whole():
    """Two units, of one value and of three: by values the median is 0, and draws of the first alone have 10."""
    found = median_interval(Values([10.0, 0.0, 0.0, 0.0], [1, 2, 2, 2]))
    assert (found.value, found.low, found.high, found.units) == (0.0, 0.0, 10.0, 2)


@pytest.mark.parametrize("values", [[], [math.nan], [1.0]])
def test_median_of_too_little_says_why(values):
    found = median_interval(Values(values, range(len(values))))
    assert math.isnan(found.low) and found.reason
