"""Looking once keeps what looking with every reducer, and with layers and heads apart, would give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from attention.families import FAMILIES, build_family
from attention.hosts import skip_if_broken
from attention.test_exactness import PROMPTS, sample_images
from safetensors import safe_open

from pixfound_tasks import Lens, Look
from pixfound_tasks.attention import wide
from pixfound_tasks.attention.head_rows import HeadRows
from pixfound_tasks.attention.recorder import record_attention
from pixfound_tasks.attention.reducers import REDUCERS
from pixfound_tasks.attention.wide import look_widely

PROMPT = "Describe the scene."


@pytest.fixture(scope="module")
def found(mini_lens):
    from pixfound_tasks.explain.subject import drawn_scene

    image = drawn_scene(3).image
    return image, look_widely(mini_lens, image, PROMPT, max_new_tokens=12)


@pytest.mark.parametrize("reducer", sorted({*REDUCERS} - {"heads"}))
def test_every_reducer_gives_what_a_lens_of_its_own_gives(mini_lens, found, reducer):
    image, look = found
    own = replace(mini_lens, reducer=reducer).look(image, PROMPT, max_new_tokens=12)
    switched = look.by(reducer)
    assert switched.text == own.text and switched.token_chars == own.token_chars
    np.testing.assert_allclose(switched.values, own.values, rtol=1e-5, atol=1e-7)
    assert switched.settings["reducer"] == reducer
    assert {*switched.others, reducer} == {*look.others, "mean_centered"}
    np.testing.assert_array_equal(switched.by("mean_centered").values, look.values)


def test_the_reducer_of_the_lens_is_the_looks_own(mini_lens, found):
    image, look = found
    assert look.settings["reducer"] == "mean_centered" and "mean_centered" not in look.others
    relative = look_widely(replace(mini_lens, reducer="relative"), image, PROMPT, keep_heads=False, max_new_tokens=12)
    np.testing.assert_allclose(relative.values, look.others["relative"], rtol=1e-5)
    assert relative.heads is None
    with pytest.raises(ValueError, match="did you mean 'mean'"):
        look.by("meen")


def test_heads_are_those_that_are_recorded_apart(mini_lens, found):
    image, look = found
    inputs = mini_lens.inputs([[image]], [PROMPT])
    with record_attention(mini_lens.model, mini_lens.image_tokens(inputs), reduce=None) as record:
        mini_lens.generate(inputs, {"max_new_tokens": 12})
    rows = record.rows()[0].numpy()[: len(look.tokens)]
    assert look.heads.layers == record.layers and look.heads.levels.dtype == np.uint8
    kept = look.heads.values()
    assert kept.shape == rows.shape
    assert (np.abs(kept - rows) <= 0.004 * rows.max(axis=-1, keepdims=True)).all()
    # The mean over layers and heads is the rows themselves, but for the levels.
    assert np.abs(kept.mean(axis=(1, 2)) - look.rows).max() < 0.004 * rows.max()


def test_an_answer_that_ends_has_heads_for_each_of_its_tokens(mini_lens, scene_image, tmp_path):
    look = look_widely(mini_lens, scene_image, "Identify the star in the scene.", max_new_tokens=60)
    assert len(look.token_chars) < 60 and look.heads.levels.shape[0] == len(look.token_chars)
    assert np.isfinite(look.heads.highest).all()
    look.save(tmp_path / "look")
    assert Look.load(tmp_path / "look").text == look.text


def test_levels_keep_small_values_and_missing_heads():
    rows = np.array([1.0, 0.001, 0.0, 0.25], np.float32).reshape(1, 1, 1, 4).repeat(2, axis=2)
    rows[0, 0, 1] = np.nan
    kept = HeadRows.of(rows, (5,))
    assert kept.values()[0, 0, 0] == pytest.approx([1.0, 0.001, 0.0, 0.25], rel=0.13)
    assert np.isnan(kept.values()[0, 0, 1]).all() and kept.layers == (5,)


def test_files_keep_everything_and_parts_stay_aligned(found, tmp_path):
    _, look = found
    look.save(tmp_path / "look")
    loaded = Look.load(tmp_path / "look")
    assert loaded.heads.layers == look.heads.layers and {*loaded.others} == {*look.others}
    np.testing.assert_array_equal(loaded.heads.levels, look.heads.levels)
    np.testing.assert_array_equal(loaded.others["tam"], look.others["tam"])
    part = loaded.part(loaded.token_chars[2])
    np.testing.assert_array_equal(part.heads.values(), look.heads.values(slice(2, 3)))
    np.testing.assert_array_equal(part.others["tam"], look.others["tam"][2:3])
    with safe_open(tmp_path / "look", "numpy") as file:
        levels = file.get_slice("head_levels")
        assert levels.get_dtype() == "U8"  # a quarter of float32


def test_too_many_heads_are_left_out_with_a_reason(mini_lens, scene_image, monkeypatch, warnings):
    monkeypatch.setattr(wide, "MOST_BYTES", 1000)
    assert look_widely(mini_lens, scene_image, PROMPT, max_new_tokens=4).heads is None
    assert "Layers and heads are not kept apart" in warnings[-1] and "--max-new-tokens" in warnings[-1]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_looked_at_once(name):
    """One generation gives what two lenses of their own give, also with tiles, thumbnails and cross-attention."""
    skip_if_broken(name)
    family, image = build_family(name), sample_images()[0]
    lens = Lens(family.model, family.processor, images_kwargs=family.images_kwargs)
    options = {"max_new_tokens": 4, "min_new_tokens": 4}
    look = look_widely(lens, image, PROMPTS[0], **options)
    assert {"mean", "sink_filtered", "relative", "value_norm", "study"} <= {*look.others}
    for reducer in ("mean_centered", "value_norm"):
        own = replace(lens, reducer=reducer).look(image, PROMPTS[0], **options)
        np.testing.assert_allclose(look.by(reducer).values, own.values, rtol=1e-4, atol=1e-6)
    kept = look.heads.values()
    assert kept.shape[0] == len(look.token_chars) and kept.shape[-1] == look.rows.shape[1]
    assert np.abs(np.nanmean(kept, axis=(1, 2)) - look.rows).max() < 0.005 * np.nanmax(kept)
