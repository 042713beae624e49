"""Models that name no image token, whose image tokens have no place, or whose decoder reads elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from attention.families import build_family
from attention.measuring import array, measured_toy
from attention.zoo.zoo_build import build
from attention.zoo.zoo_parts import IDS
from attention.zoo.zoo_regions import check_regions
from PIL import Image

from pixfound_tasks import Lens
from pixfound_tasks.attention.answer_start import begun
from pixfound_tasks.attention.inputs import image_placeholder


def lens_of(name, **settings):
    toy = build(name)
    return Lens(toy.model, toy.processor, images_kwargs=toy.options, **settings)


def test_image_tokens_that_the_configuration_does_not_name_are_measured():
    lens = lens_of("phi4_multimodal")
    assert getattr(lens.model.config, "image_token_id", None) is None
    assert lens.image_ids == (IDS["<|IMAGE|>"],)


@pytest.mark.parametrize(
    "name, placeholder",
    [("blip-2", ""), ("fuyu", ""), ("florence2", ""), ("git", ""), ("got_ocr2", "<imgpad>"), ("aya_vision", "<image>")],
)
def test_only_processors_that_do_not_write_image_tokens_themselves_get_a_placeholder(name, placeholder):
    assert image_placeholder(build(name).processor) == placeholder


def test_processors_that_warn_without_a_placeholder_get_it():
    family = build_family("paligemma")
    assert image_placeholder(family.processor) == family.placeholder


def test_a_processor_that_writes_image_tokens_itself_works():
    look = lens_of("fuyu").look(array((100, 70)), "ab", max_new_tokens=2, min_new_tokens=2)
    assert look.rows.shape == (2, len(look.geometry.boxes)) and np.isfinite(look.maps()).mean() > 0.9


@pytest.mark.parametrize("name", ["blip", "idefics", "vision-encoder-decoder", "t5gemma2"])
def test_what_a_decoder_reads_by_cross_attention_has_places(name):
    for size in [(100, 70), (61, 150), (7, 200)]:
        (geometry,) = measured_toy(name, [size]).geometries
        verdict = check_regions(build(name), [geometry.boxes], [size], 16)
        assert verdict.tried == 16 and not verdict.wrong, verdict


@pytest.mark.parametrize("name", ["idefics", "vision-encoder-decoder", "t5gemma2"])
def test_lenses_of_decoders_that_cross_attend_give_maps_in_batches_as_alone(name):
    lens, images = lens_of(name), [array((100, 70)), array((61, 150), 1)]
    looks = lens.look_all(images, ["a", "what"], max_new_tokens=3, min_new_tokens=3)
    for image, prompt, look in zip(images, ["a", "what"], looks):
        alone = lens.look(image, prompt, max_new_tokens=3, min_new_tokens=3)
        assert look.text == alone.text and look.rows.shape == (3, len(look.geometry.boxes))
        assert np.isfinite(look.maps()).any()
        np.testing.assert_allclose(look.rows, alone.rows, atol=1e-5)


GIVEN = ("blip", "vision-encoder-decoder", "idefics", "mllama", "t5gemma2", "blip-2 with t5", "kosmos-2", "git")


@pytest.mark.parametrize("name", GIVEN)
def test_given_answers_are_recorded_as_the_same_answers_that_are_generated(name):
    lens, image, answer = lens_of(name, reducer="mean"), array((100, 70)), "left dog"
    ids = lens.processor.tokenizer(answer, add_special_tokens=False).input_ids
    start = begun(lens.model, lens.inputs([[Image.fromarray(image)]], ["abc"])).shape[1]

    def only(sample, so_far):
        return [ids[len(so_far) - start]]

    forced = {"prefix_allowed_tokens_fn": only, "max_new_tokens": len(ids), "min_new_tokens": len(ids)}
    generated = lens.look(image, "abc", **forced)
    given, other = lens.look_all([image, array((61, 90), 1)], ["abc", "ab"], [answer, "up"])
    assert other.text == "up" and len(other.rows) == 2
    if name != "kosmos-2":  # whose vocabulary is not that of its tokenizer
        assert generated.text == given.text == answer
    np.testing.assert_allclose(given.rows, generated.rows, atol=1e-6)


def test_answers_of_blip_begin_after_the_token_that_its_generate_leaves_out():
    lens = lens_of("blip")
    inputs = lens.inputs([[Image.fromarray(array((100, 70)))]], ["abc"])
    assert lens.left_out(inputs) == 1
    assert len(lens.look(array((100, 70)), "abc", max_new_tokens=3, min_new_tokens=3).rows) == 3
