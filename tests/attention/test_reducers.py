"""Reducers: golden values worked out by hand, invariants, and numpy's least squares as an independent path."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from pixfound_tasks.attention.reducers import REDUCERS, Recorded

NAN = np.nan


def reduce(name, rows, **others):
    others = {key: np.asarray(value, np.float32) for key, value in others.items()}
    return REDUCERS[name].function(Recorded(np.asarray(rows, np.float32), **others))


def random_recorded(tokens=7, image_tokens=16, seed=0):
    """Everything recorded of one answer, the last two rows not; one image token draws attention throughout."""
    rng = np.random.RandomState(seed)
    rows, activations = rng.exponential(size=(tokens, image_tokens)), rng.normal(size=(tokens, image_tokens))
    rows[:, 5] += 100
    rows[-2:] = NAN
    generic, interference = rng.exponential(size=image_tokens), rng.exponential(size=activations.shape)
    return Recorded(*(part.astype(np.float32) for part in (rows, generic, activations, interference)))


def test_the_registry():
    needs = {name: set(reducer.needs) for name, reducer in REDUCERS.items()}
    assert next(iter(REDUCERS)) == "mean_centered"
    assert needs == {
        "mean_centered": set(),
        "mean": set(),
        "study": {"end"},
        "relative": {"generic"},
        "heads": {"heads"},
        "sink_filtered": set(),
        "value_norm": {"value_norm"},
        "tam": {"activations"},
    }


@pytest.mark.parametrize("name", REDUCERS)
def test_every_reducer_gives_float32_and_leaves_its_input(name):
    recorded = random_recorded()
    before = copy.deepcopy(recorded)
    values = REDUCERS[name].function(recorded)
    assert values.dtype == np.float32
    assert values.shape == recorded.rows.shape
    for part in ("rows", "generic", "activations", "interference"):
        np.testing.assert_array_equal(getattr(recorded, part), getattr(before, part))


@pytest.mark.parametrize("name", [name for name in REDUCERS if name != "tam"])
def test_rows_not_recorded_stay_and_do_not_count(name):
    recorded = random_recorded()
    values = REDUCERS[name].function(recorded)
    assert np.isnan(values[-2:]).all()
    known = Recorded(recorded.rows[:-2], recorded.generic)
    np.testing.assert_allclose(values[:-2], REDUCERS[name].function(known), rtol=1e-6)
    assert np.isfinite(values[:-2]).all()


@pytest.mark.parametrize("name", [name for name in REDUCERS if name != "tam"])
@pytest.mark.parametrize("tokens", [0, 2])
@pytest.mark.filterwarnings("error")
def test_nothing_recorded_gives_nothing(name, tokens):
    rows = np.full((tokens, 3), NAN, np.float32)
    np.testing.assert_array_equal(reduce(name, rows, generic=[1, 2, 3]), rows)


@pytest.mark.parametrize("name", ["mean", "heads"])
def test_rows_as_they_are(name):
    np.testing.assert_array_equal(reduce(name, [[0.1, 0.4], [NAN, NAN]]), np.float32([[0.1, 0.4], [NAN, NAN]]))


@pytest.mark.parametrize("name", ["mean_centered", "value_norm"])
def test_centered_rows_lack_what_all_tokens_look_at(name):
    values = reduce(name, [[0.1, 0.4], [0.3, 0.4], [NAN, NAN]])
    # The mean of the two recorded rows is 0.2, 0.4.
    np.testing.assert_allclose(values, [[-0.1, 0], [0.1, 0], [NAN, NAN]], atol=1e-7)


def test_relative_attention_is_a_multiple_of_the_generic():
    values = reduce("relative", [[0.2, 0.3, 0.0], [NAN] * 3], generic=[0.1, 0.6, 0.3])
    np.testing.assert_allclose(values, [[2.0, 0.5, 0.0], [NAN] * 3], rtol=1e-6)


def test_relative_attention_where_the_generic_is_zero():
    # The mean is 0.1, the floor 0.0001: 0 and 0.00001 count as 0.0001.
    values = reduce("relative", [[0.2, 0.2, 0.2]], generic=[0.0, 0.00001, 0.29999])
    np.testing.assert_allclose(values, [[2000, 2000, 0.2 / 0.29999]], rtol=1e-5)
    np.testing.assert_array_equal(reduce("relative", [[0.0, 0.2]], generic=[0, 1]), np.float32([[0, 0.2]]))


@pytest.mark.parametrize("generic", [None, np.ones(1), np.ones(4), np.zeros(3)])
def test_relative_attention_needs_a_generic_row(generic):
    with pytest.raises(ValueError, match="reducer 'relative' expects the generic prompt's row"):
        reduce("relative", np.ones((2, 3)), **({} if generic is None else {"generic": generic}))


def test_a_sink_is_never_the_peak():
    # Image token 0 has 30 in every row, where the medians are 1, 2 and 1; image token 3 has 20 in the second row only.
    rows = [[30, 1, 3, 1, 0], [30, 1, 2, 20, 2], [30, 1, 2, 1, 0]]
    values = reduce("sink_filtered", rows)
    # The others less their means 1, 7/3, 22/3, 2/3; the sink gets the least of them in its row.
    kept = np.array([[0, 2 / 3, -19 / 3, -2 / 3], [0, -1 / 3, 38 / 3, 4 / 3], [0, -1 / 3, -19 / 3, -2 / 3]])
    np.testing.assert_allclose(values[:, 1:], kept, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(values[:, 0], [-19 / 3, -1 / 3, -19 / 3], rtol=1e-6)


def test_a_sink_is_no_phrases_peak():
    recorded = random_recorded(tokens=12)
    recorded.rows[:, 5] += np.linspace(0, 50, 12)
    plain, filtered = (REDUCERS[name].function(recorded)[:-2] for name in ("mean_centered", "sink_filtered"))
    spans = [slice(start, end) for start in range(10) for end in range(start + 1, 10)]
    assert any(plain[span].mean(axis=0).argmax() == 5 for span in spans)
    assert all(filtered[span].mean(axis=0).argmax() != 5 for span in spans)
    np.testing.assert_array_equal(np.delete(filtered, 5, axis=1), np.delete(plain, 5, axis=1))


def test_what_one_query_does_not_look_at_is_no_sink():
    rows = np.array([[30, 1, 3, 1, 0], [9, 1, 2, 20, 2]], np.float32)  # 9 is less than 10 times the median 2
    np.testing.assert_array_equal(reduce("sink_filtered", rows), reduce("mean_centered", rows))


def test_tam_keeps_what_the_context_does_not_explain():
    # Interference (1, 2, 2): scale (3 + 4 + 0) / 9 = 7/9 on the positive part (3, 2, 0); none on the second token.
    activations, interference = [[3, 2, -5], [1, -1, 2]], [[1, 2, 2], [0, 0, 0]]
    values = reduce("tam", np.zeros((2, 3)), activations=activations, interference=interference)
    np.testing.assert_allclose(values, [[3 - 7 / 9, 2 - 14 / 9, 0], [1, 0, 2]], rtol=1e-6)


def test_tam_scales_by_least_squares():
    recorded = random_recorded(seed=3)
    values = REDUCERS["tam"].function(recorded)
    for got, activation, interference in zip(values, recorded.activations, recorded.interference):
        positive = activation.clip(min=0)
        best = np.linalg.lstsq(interference[:, None], positive, rcond=None)[0]
        np.testing.assert_allclose(got, (positive - best * interference).clip(min=0), atol=1e-5)


@pytest.mark.parametrize("others", [{}, {"activations": np.ones((2, 3))}, {"interference": np.ones((2, 3))}])
def test_tam_needs_activations_and_interference(others):
    with pytest.raises(ValueError, match="reducer 'tam' expects activations and interference"):
        reduce("tam", np.ones((2, 3)), **others)
