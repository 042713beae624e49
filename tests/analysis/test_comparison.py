from __future__ import annotations

import math

import numpy as np
import pytest

from perf import coverage
from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.comparison import Paired, compare_correct, compare_means, compare_scores, holm
from pixfound_tasks.analysis.intervals import Values, mean_interval


def correct(count: int, of: int = 150) -> list[int]:
    return [1] * count + [0] * (of - count)


def two_runs(seed: int, gain: float) -> tuple[Paired, Paired]:
    """What two drawn runs answered, and their IoUs."""
    model = coverage.Model(0.0, 0.0)
    models = (model, model._replace(answers=gain, finds=gain))
    first, second = coverage.draw_runs(models, 60, np.random.default_rng(seed))
    return (
        Paired(first.correct, second.correct, range(60)),
        Paired(first.ious.ravel(), second.ious.ravel(), np.repeat(range(60), 2)),
    )


def test_two_runs_that_differ_on_five_pairs():
    # All five for the second run: p = 2 (1/2)^5 = 1/16.
    found = compare_correct(Paired(correct(60), correct(65), range(150)))
    assert found.effect.value == pytest.approx(5 / 150)
    assert (found.only_first, found.only_second) == (0, 5)
    assert found.p_value == pytest.approx(0.0625)
    # The pairs that differ in a resample are Binomial(150, 1/30), nearly Poisson(5): its 2.5 % and 97.5 % points.
    assert found.effect.low == pytest.approx(1 / 150) and found.effect.high == pytest.approx(10 / 150, abs=1.01 / 150)

    # Four for the second, one for the first: p = 2 (1 + 5) / 2^5.
    first, second = correct(60), correct(64)
    second[0] = 0
    found = compare_correct(Paired(first, second, range(150)))
    assert (found.only_first, found.only_second) == (1, 4)
    assert found.p_value == pytest.approx(0.375)
    assert found.effect.value == pytest.approx(3 / 150)


def test_mcnemar_where_many_differ():
    # 12 against 30: the sum of the binomial's tails, by hand.
    tail = sum(math.comb(42, k) for k in range(13)) / 2**42
    found = compare_correct(Paired([1] * 12 + [0] * 30 + [1] * 50, [0] * 12 + [1] * 30 + [1] * 50, range(92)))
    assert found.p_value == pytest.approx(2 * tail)


def test_a_run_against_itself():
    found = compare_correct(Paired(correct(60), correct(60), range(150)))
    assert found.effect.value == 0 and found.p_value == 1
    assert math.isnan(found.effect.low) and found.effect.reason == "every resample gives the same value"
    answering, grounding = two_runs(0, gain=0.5)
    same = compare_scores([answering._replace(second=answering.first)], [grounding._replace(second=grounding.first)])
    assert same.effect.value == 0 and same.p_value == 1


def test_what_cannot_be_compared_is_nan():
    nothing = compare_correct(Paired([None, 1], [1, None], [0, 1]))
    assert math.isnan(nothing.p_value) and nothing.effect.left_out == 2 and nothing.effect.reason == "there is no value"
    one = compare_means(Paired([0.1, 0.2], [0.3, 0.4], ["a", "a"]))
    assert one.effect.value == pytest.approx(0.2) and math.isnan(one.p_value) and one.effect.reason
    # Better by the same everywhere: resamples cannot say how that would differ on other documents.
    assert math.isnan(compare_means(Paired([0.25, 0.25], [0.5, 0.5], [0, 1])).p_value)


def test_means_are_compared_on_the_differences():
    _, grounding = two_runs(0, gain=0.3)
    found = compare_means(grounding)
    change = Values(grounding.second - grounding.first, grounding.units)
    assert found.effect.value == pytest.approx(mean_interval(change).value)
    assert found.effect[1:3] == pytest.approx(mean_interval(change)[1:3], abs=0.01)
    assert found.effect.left_out == np.isnan(grounding.first).sum() > 0


def test_effect_on_s_is_the_difference_of_both_runs_s():
    answering, grounding = two_runs(3, gain=0.4)
    scores = [
        metrics.harmonic_mean([float(np.mean(a)), float(np.nanmean(m))]) for a, m in zip(answering[:2], grounding[:2])
    ]
    found = compare_scores([answering], [grounding])
    assert found.effect.value == pytest.approx(scores[1] - scores[0])
    swapped = compare_scores(*([Paired(p.second, p.first, p.units)] for p in (answering, grounding)))
    assert swapped.effect.value == -found.effect.value
    assert swapped.p_value == pytest.approx(found.p_value, abs=0.01)
    assert (swapped.effect.low, swapped.effect.high) == pytest.approx((-found.effect.high, -found.effect.low), abs=0.01)


def test_the_p_value_agrees_with_the_interval():
    outside = []
    for seed in range(40):
        answering, grounding = two_runs(seed, gain=0.4)
        found = compare_scores([answering], [grounding], resamples=1000)
        outside.append(not found.effect.low <= 0 <= found.effect.high)
        # On the very edge the quantile is interpolated, and the p-value counts the run itself.
        assert outside[-1] == (found.p_value < 0.05) or abs(found.p_value - 0.05) < 0.005
    assert 0 < sum(outside) < 40


def test_only_what_both_runs_measured_is_compared():
    answering, grounding = two_runs(0, gain=0.4)
    only_first = Paired([1.0] * 60, [None] * 60, range(60))
    both = compare_scores([answering], [grounding])
    more = compare_scores([answering, only_first], [grounding])
    assert more.p_value == both.p_value and more.effect[:4] == both.effect[:4]
    assert more.effect.left_out == both.effect.left_out + 60

    # A run with a limit: the first 30 pairs.
    limited = compare_means(Paired(answering.first, [*answering.second[:30], *[None] * 30], range(60)))
    assert limited.effect[:4] == compare_means(Paired(*(part[:30] for part in answering))).effect[:4]


def test_order_of_pairs_changes_no_digit():
    answering, grounding = two_runs(0, gain=0.4)
    order = np.random.default_rng(1).permutation(60)
    moved = Paired(answering.first[order], answering.second[order], order)
    assert compare_scores([moved], [grounding]) == compare_scores([answering], [grounding])
    assert compare_correct(moved._replace(units=range(60))) == compare_correct(answering)


def test_runs_must_fit():
    with pytest.raises(ValueError, match=r"each of 2 units, but got shapes \(2,\) and \(1,\)"):
        compare_means(Paired([0.1, 0.2], [0.3], [0, 1]))
    with pytest.raises(ValueError, match=r"expected 0 \(incorrect\) or 1 \(correct\), but got 0\.5"):
        compare_correct(Paired([1, 0.5], [1, 1], [0, 1]))
    with pytest.raises(ValueError, match="expected one value for each unit"):
        compare_correct(Paired([1, 0], [1, 1], [0, 0]))


def test_holm():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 is 0.02, 0.03, 0.06, 0.04, and none may fall below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, math.nan, 0.02]) == pytest.approx((0.6, math.nan, 0.04), nan_ok=True)
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()
