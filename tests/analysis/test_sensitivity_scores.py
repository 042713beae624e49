import math

import numpy as np
import pytest

from pixfound_tasks.analysis.sensitivity import VariantSample, analyse
from pixfound_tasks.tasks import sensitivity as metrics


def samples(values, types=("original", "crop", "mask_out"), pair_of=lambda index: None):
    """Of an array (documents, variations): the first variation is the original, the others by turns of these types."""
    places = {}
    found = []
    for variation in range(values.shape[1]):
        type = types[0] if variation == 0 else types[1 + (variation - 1) % 2]
        number = places[type] = places.get(type, -1) + 1
        found += [
            VariantSample(str(i), pair_of(i), type, number, value) for i, value in enumerate(values[:, variation])
        ]
    return found


def test_agrees_with_what_the_tasks_report():
    """`score`, `spread`, `worst` and `drop` of lmms-eval's table, on seeded random IoUs."""
    values = np.random.default_rng(0).random((20, 9))
    logged = samples(values)
    parts = [(sample.type, sample.variation, sample.value) for sample in logged]
    every, *_ = analyse(logged)
    assert every.type == "all" and len(every.scores) == 8
    assert every.mean.value == pytest.approx(metrics.score(parts))
    assert every.spread == pytest.approx(metrics.spread(parts))
    assert every.worst == pytest.approx(metrics.worst(parts))
    assert every.drop.value == pytest.approx(metrics.drop(parts))
    assert every.drop.low < every.drop.value < every.drop.high


def test_order_does_not_matter():
    logged = samples(np.random.default_rng(1).random((6, 5)), pair_of=lambda index: index // 2)
    shuffled = [logged[place] for place in np.random.default_rng(2).permutation(len(logged))]
    first, second = ({found.type: found for found in analyse(some)} for some in (logged, shuffled))
    assert first == second
    assert first["crop"].mean.units == 3


def test_a_document_that_is_not_measured_everywhere_is_left_out_of_the_drop():
    values = np.array([[1.0, 0.5], [1.0, math.nan], [0.4, 0.2]])
    (found,) = analyse(samples(values))
    assert found.scores == (pytest.approx(0.35),) and found.original == pytest.approx(0.8)
    assert found.drop.value == pytest.approx((0.5 + 0.2) / 2) and found.drop.units == 2


def test_halves_of_pairs_count_when_both_are_there():
    logged = [
        VariantSample(id, int(id) // 2, type, 0, correct)
        for id, *both in (("0", True, True), ("1", True, False), ("2", True, True))
        for type, correct in zip(("original", "spelling"), both)
    ]
    (found,) = analyse(logged)
    assert (found.original, found.scores, found.drop.value) == (1.0, (0.0,), 1.0)


def test_nothing_varied_is_nothing():
    assert analyse([]) == []
    assert analyse([VariantSample("1", None, "original", 0, 1.0)]) == []
