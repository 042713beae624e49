"""One architecture for each way in which decoders attend: rows equal eager attention, and ids do not change."""

from __future__ import annotations

import pytest
import torch
import transformers
from attention.zoo.zoo_build import NAMES, VARIANTS, build
from attention.zoo.zoo_names import NO_IMAGES, architectures
from attention.zoo.zoo_regions import RegionsVerdict, check_regions
from attention.zoo.zoo_rows import BATCH, ONE, compare_rows, generate, noise_images
from loguru import logger
from packaging.version import Version

from pixfound_tasks.attention import record_attention
from pixfound_tasks.attention.geometry_source import GeometrySource
from pixfound_tasks.attention.record import say_once

MECHANISMS = {  # the layers that must be recorded
    "cohere2_vision": (0, 1, 2),  # sliding layers between full ones
    "lfm2_vl": (1, 3),  # convolutions between layers of attention
    "glm5_next": (1, 3),  # linear attention, and attention that chooses keys by an index
    "inkling_mm_model": (0, 1, 2, 3),  # a bias by relative position
    "inkling2": (0, 1, 2, 3),  # a sink for every query, and other attention modules in each layer
    "hy_v4_vl": (0, 1, 2),  # a sink for every head
    "llama4": (0, 1, 2, 3),  # chunks
    "phi4_multimodal": (0, 1, 2),  # the decoder holds the towers, whose attention modules know no layer
    "git": (0, 1, 2),  # computes its softmax itself; image tokens are not among the ids
    "kosmos-2": (0, 1, 2),  # image tokens have many ids
    "blip": (0, 1, 2),  # computes the softmax of its cross-attention itself
    "idefics": (0, 1, 2),  # cross-attention layers between the layers
    "florence2": (0, 1, 2),  # an encoder-decoder
    "t5gemma2": (0, 1, 2),  # an encoder-decoder with one attention over both
    "udop": (0, 1, 2),  # an encoder-decoder whose encoder gets more than the prompt
    "blip-2 with t5": (0, 1, 2),  # a language model that is an encoder-decoder
    "vision-encoder-decoder": (0, 1, 2),  # an encoder-decoder without a prompt
}


def available(name):
    """The miniature, if the installed transformers has the architecture."""
    if name not in architectures():
        pytest.skip(f"this version of transformers has no {name}")
    if name == "kosmos-2" and Version(transformers.__version__) < Version("5.23"):
        pytest.skip("transformers 5.20 computes other image tokens of Kosmos-2 with sdpa than with eager attention")
    return build(name)


@pytest.mark.parametrize("name", MECHANISMS)
def test_rows_equal_eager_attention(name):
    toy = available(name)
    verdict = compare_rows(toy, *(ONE if name == "phi4_multimodal" else BATCH))
    assert verdict.layers == MECHANISMS[name]
    assert verdict.difference < 1e-5
    assert verdict.same_ids
    assert verdict.rows.nansum() > 0


def test_a_cache_of_chunks_forgets_the_first_image_tokens():
    verdict = compare_rows(available("llama4"), (((100, 70), (60, 90), (80, 80)),), ("ab",))
    assert verdict.difference < 1e-5 and verdict.same_ids
    # The last query is token 80 to 83 and chunks have 64 tokens. Layers 0 to 2 see their own chunk, layer 3 sees all.
    image_tokens = verdict.rows[0, 0].sum(dim=1)
    assert (image_tokens[:3, :40] == 0).all() and (image_tokens[3, :40] > 0).all()


def test_layers_without_softmax_attention_are_named():
    toy = available("lfm2_vl")
    inputs = toy.inputs(noise_images(ONE[0]), ONE[1])
    said = []
    say_once.cache_clear()
    sink = logger.add(said.append, format="{message}")
    with record_attention(toy.model, toy.image_tokens(inputs)):
        pass
    logger.remove(sink)
    assert said == ["not recorded, because they have no softmax attention: layers [0, 2] (conv)\n"]


def test_layers_may_differ_in_their_number_of_heads():
    # Full layers have four heads; sliding ones have 64.
    rows = compare_rows(available("dots3_note"), *ONE).rows
    assert rows.shape[3] == 64
    assert (
        rows[:, :, :2, 4:].isnan().all() and not rows[:, :, :2, :4].isnan().any() and not rows[:, :, 2:].isnan().any()
    )


@pytest.mark.parametrize("name", ["florence2", "t5gemma2"])
def test_a_given_answer_of_an_encoder_decoder_gives_the_rows_of_the_generated_one(name):
    toy = available(name)
    inputs = toy.inputs(noise_images(BATCH[0]), BATCH[1])
    image_tokens = toy.image_tokens(inputs)
    with record_attention(toy.model, image_tokens, reduce=None) as generated:
        ids = generate(toy.model, inputs)
    with record_attention(toy.model, image_tokens, reduce=None) as given, torch.inference_mode():
        toy.model(**inputs, labels=ids[:, 1:].contiguous())
    torch.testing.assert_close(given.rows(), generated.rows(), atol=1e-5, rtol=0, equal_nan=True)
    consumed = given.rows("consume")
    torch.testing.assert_close(consumed[:, :-1], generated.rows()[:, 1:], atol=1e-5, rtol=0, equal_nan=True)
    assert consumed[:, -1].isnan().all()


def test_image_tokens_must_cover_the_encoder():
    toy = available("florence2")
    inputs = toy.inputs(noise_images(ONE[0]), ONE[1])
    too_long = torch.cat([toy.image_tokens(inputs), torch.ones(1, 3, dtype=torch.bool)], dim=1)
    with pytest.raises(ValueError, match="to cover the encoder's tokens"), record_attention(toy.model, too_long):
        generate(toy.model, inputs)


def test_every_architecture_of_the_mapping_has_a_miniature_or_a_reason():
    if transformers.__version__ != "5.24.0":
        pytest.skip("another transformers, whose new architectures the nightly job lists")
    assert {*architectures()} - {*NO_IMAGES} == {*NAMES, *VARIANTS}


def test_the_check_of_places_notices_wrong_ones():
    toy = available("cohere2_vision")
    source = GeometrySource(
        toy.model, toy.processor, "measured", lambda images: toy.inputs([images], ["ab"]), toy.options
    )
    size = (100, 70)
    boxes = source.find([size]).geometries[0].boxes
    assert check_regions(toy, [boxes], [size]) == RegionsVerdict(8, 0, "")
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = 70 - boxes[:, [2, 0]]
    assert check_regions(toy, [mirrored], [size]).wrong >= 6
    assert check_regions(toy, [boxes[:-1]], [size]) == RegionsVerdict(0, 1, "19 boxes for 20 tokens")
