"""Attention that is not finite, and maps that are flat: said of each sample, and in no mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import Lens, mini
from pixfound_tasks.attention import REDUCERS, record
from pixfound_tasks.attention.geometry import TokenGeometry, grid_boxes, peak
from pixfound_tasks.attention.look import Look
from pixfound_tasks.attention.recorded_batch import EMPTY
from pixfound_tasks.attention.reducers import Recorded, non_finite_rows_to_nan
from pixfound_tasks.attention.rows import attention_rows
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.segmenters.base import make_segmenter
from pixfound_tasks.response import from_text, to_text

PROMPT = "Identify the red circle in the scene."
TOKENS, CELLS = 6, 16


def recorded(rng, rows=TOKENS):
    def random():
        return rng.random((rows, CELLS)).astype(np.float32)

    return Recorded(random(), random()[0], random(), random())


def without(found, *lost):
    kept = np.delete(np.arange(TOKENS), lost)
    return Recorded(found.rows[kept], found.generic, found.activations[kept], found.interference[kept])


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("reducer", REDUCERS)
def test_the_other_tokens_are_reduced_as_if_the_faulty_ones_were_not_there(reducer, fault):
    found = recorded(np.random.default_rng(0))
    reduce = REDUCERS[reducer].function
    expected = reduce(without(found, 1, 4))
    for values in (found.rows, found.activations):
        values[1, 3] = values[4, 0] = fault
    reduced = reduce(non_finite_rows_to_nan(found))
    np.testing.assert_array_equal(np.delete(reduced, (1, 4), axis=0), expected)
    assert np.isnan(reduced[[1, 4]]).all() and np.isfinite(expected).all()


def test_without_the_general_description_relative_attention_knows_nothing():
    found = recorded(np.random.default_rng(0))
    found.generic[0] = np.inf
    assert np.isnan(REDUCERS["relative"].function(non_finite_rows_to_nan(found))).all()


def look_of(values, rows=None, **settings):
    """An answer `a cup a dog`, a token a letter or blank, over an image of 8 x 8 pixels and 4 x 4 tokens."""
    text = "a cup a dog"
    chars = tuple((start, start + 1) for start in range(len(text)))
    geometry = TokenGeometry(grid_boxes(4, 4, (0, 0, 8, 8)), (8, 8))
    return Look(text, chars, values if rows is None else rows, values, (geometry,), settings)


def test_a_phrase_is_of_its_finite_tokens_and_the_others_are_named():
    values = np.random.default_rng(0).random((11, CELLS)).astype(np.float32)
    alone = look_of(values[:]).phrase_map((2, 3))
    values[3], values[4, 5] = np.inf, np.nan
    look = look_of(values)
    assert look.non_finite_tokens == (3, 4)
    np.testing.assert_array_equal(look.phrase_map("cup"), alone)
    assert np.isnan(look.phrase_map((3, 5))).all() and look.peak((3, 5)) is None


def test_the_last_token_of_an_answer_is_not_missed_where_it_is_never_a_query():
    values = np.ones((11, CELLS), np.float32)
    values[10] = np.nan
    assert look_of(values, query="consume").non_finite_tokens == ()
    assert look_of(values, query="predict").non_finite_tokens == (10,)


@pytest.mark.parametrize("side", [4, 7, 24])
@pytest.mark.parametrize("size", [(56, 56), (100, 133), (336, 500)])
@pytest.mark.parametrize("value", [1 / 576, 0.0714, -3.0, 0.0])
def test_one_value_everywhere_has_no_peak_whatever_painting_rounds(side, size, value):
    geometry = TokenGeometry(grid_boxes(side, side, (0, 0, size[1], size[0])), size)
    values = np.full(side * side, value, np.float32)
    assert peak(geometry.paint(values)) is None
    values[side + 1] += max(abs(value), 1) * 1e-3  # a thousandth more is a peak, and there it is
    x, y = peak(geometry.paint(values))
    assert (int(x * side), int(y * side)) == (1, 1)


def test_rows_that_are_alike_leave_nothing_but_rounding():
    row = np.random.default_rng(0).random(CELLS).astype(np.float32)
    for count in range(1, 12):
        rows = np.zeros((11, CELLS), np.float32) + row
        centered = rows - np.stack([row] * count).mean(axis=0)
        assert look_of(centered, rows).peak("cup") is None
    rows[2, 7] += 1e-3
    assert look_of(rows - rows.mean(axis=0), rows).peak("cup") is not None


@pytest.fixture(scope="module", params=["float32", "float16", "bfloat16"])
def lens(request):
    folder = mini.weights_folder()
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=request.param).eval()
    return Lens(model, AutoProcessor.from_pretrained(folder))


def grounded(looks, image):
    grounder = AttentionGrounder(make_segmenter("region", "cpu"))
    return [from_text(to_text(grounder.ground(look, image, "the red circle")), image.size[::-1]) for look in looks]


@pytest.mark.parametrize("fault", [torch.nan, torch.inf])
def test_a_faulty_sample_of_a_batch_says_so_and_the_other_is_as_alone(lens, monkeypatch, scene_image, fault):
    sound = grounded(lens.look_all([scene_image] * 2, [PROMPT] * 2, max_new_tokens=24), scene_image)
    assert sound[0] == sound[1] and sound[1].phrases[0].candidates and not sound[1].problems
    plain = Lens.inputs

    def faulty(self, images, prompts):
        inputs = plain(self, images, prompts)
        inputs["pixel_values"][0, 0, 40, 40] = fault
        return inputs

    monkeypatch.setattr(Lens, "inputs", faulty)
    lost, other = grounded(lens.look_all([scene_image] * 2, [PROMPT] * 2, max_new_tokens=24), scene_image)
    # With scores that are not numbers it says the first word there is, which ends the answer.
    assert (lost.text, lost.masks, lost.problems) == ("", (), (EMPTY,))
    assert other == sound[1]


@pytest.mark.parametrize("fault", [torch.nan, torch.inf])
def test_one_head_that_overflows_at_one_token_loses_that_token(lens, monkeypatch, scene_image, fault):
    (sound,) = lens.look_all([scene_image], [PROMPT], max_new_tokens=24)

    def faulty(call, at, end):
        rows = attention_rows(call, at, end)
        if at is not None:  # of the steps after the first one, which are computed at once
            rows[0, -1, 2] = fault
        return rows

    monkeypatch.setattr(record, "attention_rows", faulty)
    looks = lens.look_all([scene_image] * 2, [PROMPT] * 2, max_new_tokens=24)
    assert [look.non_finite_tokens for look in looks] == [(3,), ()] and looks[0].text == looks[1].text == sound.text
    lost, other = grounded(looks, scene_image)
    assert lost.problems == (
        f"the attention of 1 of {lost.tokens} tokens is not finite (NaN or infinite), and left out",
    )
    assert lost.provenance["lost_tokens"] == [3] and "lost_tokens" not in other.provenance and not other.problems
    rows = np.delete(looks[0].rows, 3, axis=0)
    np.testing.assert_array_equal(np.delete(looks[0].values, 3, axis=0), rows - rows.mean(axis=0))


def test_a_flat_phrase_is_named_and_points_nowhere(scene_image):
    rows = np.random.default_rng(0).random((11, CELLS)).astype(np.float32)
    rows[6:] = 1 / CELLS
    values = rows.copy()
    values[2:5, 5] = 2.0
    values[:2] = np.nan  # "a " of the first phrase
    geometry = TokenGeometry(grid_boxes(4, 4, (0, 0, 112, 112)), (112, 112))
    look = Look("a cup a dog", look_of(values).token_chars, rows, values, (geometry,))
    (response,) = grounded([look], scene_image)
    cup, dog = response.phrases
    assert (cup.text, dog.text) == ("a cup", "a dog") and cup.candidates and cup.point is not None
    assert dog.point is None and dog.candidates == () and dog.map is None
    assert response.problems == (
        "the attention of 2 of 11 tokens is not finite (NaN or infinite), and left out",
        "phrases[1]: flat map: no place gets more attention than another",
    )
    assert response.provenance == {"lost_tokens": [0, 1]} and len(response.control) == 1
