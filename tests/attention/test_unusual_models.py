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
from pixfound_tasks.attention.inputs import image_placeholder
from pixfound_tasks.attention.measured.errors import NoPlace


def lens_of(name):
    toy = build(name)
    return Lens(toy.model, toy.processor, images_kwargs=toy.options)


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


RESAMPLERS = ("idefics2", "aria", "blip-2", "instructblip", "kosmos-2", "deepseek_ocr2")


@pytest.mark.parametrize("name", RESAMPLERS)
def test_tokens_that_read_the_whole_image_have_no_place_and_no_map(name):
    toy = build(name)
    inputs = toy.inputs([[Image.fromarray(array((61, 83)))]], ["ab"])
    separators = {"deepseek_ocr2": 1}  # at the end of a view, the same for every image
    count = int(toy.image_tokens(inputs).sum()) - separators.get(name, 0)
    message = f"no place: each of the {count} image tokens depends on the whole image"
    with pytest.raises(NoPlace, match=message):
        measured_toy(name, [(61, 83)])
    with pytest.raises(ValueError, match=f"a map to draw, but this failed: {message}"):
        lens_of(name).look(array((61, 83)), "ab")


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


def test_what_is_not_read_at_cross_attention_is_an_error():
    with pytest.raises(ValueError, match="is an encoder-decoder: let it generate"):
        lens_of("t5gemma2").look(array((100, 70)), "a", "left")
    with pytest.raises(ValueError, match="after their prompts, but its generate changes them"):
        lens_of("blip").look(array((100, 70)), "abc", max_new_tokens=2)
