"""Measured geometry against registered rules, against changed regions, and against processors that hide places."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from attention.families import BUILDERS, FAMILIES, build_family
from attention.hosts import skip_if_broken
from attention.measuring import (
    ALIASES,
    Spoiled,
    assert_alike,
    measured,
    measured_toy,
    noisy,
    normalized,
    quantized,
    registered,
    stretched,
)
from attention.test_families import brightened, contain, noise_image, some_regions
from attention.zoo.zoo_build import build
from attention.zoo.zoo_regions import check_regions
from PIL import Image
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from pixfound_tasks.attention.families.anyres import llava_next_geometry
from pixfound_tasks.attention.families.registry import Settings, token_geometries
from pixfound_tasks.attention.geometry import TokenGeometry, grid_boxes
from pixfound_tasks.attention.measured.comparison import deviation
from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.measure import measure
from pixfound_tasks.attention.measured.vision_identity import PatchesAlone
from pixfound_tasks.attention.token_grids import layers_by_shape

# One pixel; one beyond the limit of a tile, and two; thin; as thin as processors allow.
SIZES = [(1, 1), (57, 55), (113, 57), (7, 1000), (5000, 40)]
# The processor leaves nothing of the thin images, see test_thin_images_of_pixtral. Mistral 3 fails with a single token.
REFUSED = {"mistral3": [(1, 1), (7, 1000), (5000, 40)], "pixtral": [(7, 1000), (5000, 40)]}
# Resized to few rows of which waves tell little; padding within an interpolated patch; two pixels in between.
HARD = {
    "idefics3": [(1080, 1920)], "llava_onevision": [(61, 83), (333, 500), (83, 61)],
    "smolvlm": [(7, 1000), (1000, 7), (5000, 40), (40, 5000)],
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_measured_boxes_are_the_registered_ones(name):
    skip_if_broken(name)
    for size in SIZES:
        if size not in REFUSED.get(name, []):
            assert_alike(measured(name, [size]).geometries, registered(name, [size]))


@pytest.mark.parametrize("name, size", [(name, size) for name, sizes in HARD.items() for size in sizes])
def test_hard_images_are_measured_exactly(name, size):
    assert_alike(measured(name, [size]).geometries, registered(name, [size]), pixels=0.15)


def test_rows_of_tokens_share_a_side_of_two_pixels():
    # SmolVLM resizes 7 rows of pixels to 2. Each row of pixels changes the row of tokens most that has it in its box.
    toy, size = build("smolvlm"), (7, 1000)
    (geometry,) = measured_toy("smolvlm", [size]).geometries
    model, image = blinkered(toy.model), noise_image(size)
    before = embeddings(toy, model, image)
    for row in (0, 1, 2, 4, 5, 6):  # 3 is halved
        change = (embeddings(toy, model, brightened(image, (0, row, 1000, row + 1))) - before).norm(dim=1).numpy()
        has = (geometry.boxes[:, 1] <= row) & (geometry.boxes[:, 3] >= row + 1)
        assert has.any() and change[has].mean() > change[~has].mean()


@pytest.mark.parametrize("name, merge", [("pixtral", 1), ("mistral3", 2)])
def test_thin_images_of_pixtral(name, merge):
    # As the miniature, with a limit under which something is left of thin images.
    processor, model_class, config, placeholder = BUILDERS[name]()
    processor.image_processor.size = {"longest_edge": 1008}
    config.vision_config.image_size = 1008
    torch.manual_seed(0)
    model = model_class(config).eval()
    for size in [(7, 1000), (5000, 40)]:

        def process(images):
            return processor(images=[list(images)], text=[f"{placeholder}ab"], return_tensors="pt")

        rule = token_geometries(config, processor, [size])
        assert len(rule[0].boxes) == 1008 // (14 * merge)
        assert_alike(measure(model, process, [size]).geometries, rule)


@pytest.mark.parametrize("name", FAMILIES)
def test_several_images_of_a_prompt_have_their_own_boxes(name):
    skip_if_broken(name)
    sizes = [(61, 83), (100, 44), (61, 83)]
    found = measured(name, sizes).geometries
    assert [geometry.size for geometry in found] == sizes
    assert_alike(found, registered(name, sizes))


@pytest.mark.parametrize("name", ALIASES)
def test_rules_fit_families_that_share_them(name):
    toy = build(name)
    assert toy.model.config.model_type == name
    for size in [(61, 83), (233, 90), (7, 1000)]:
        rule = token_geometries(toy.model.config, toy.processor, [size], None, toy.options)
        assert_alike(measured_toy(name, [size]).geometries, rule)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "internvl", "mllama"])
def test_half_precision_gives_the_same_boxes(name, dtype):
    model = copy.deepcopy(build_family(name).model).to(dtype)
    assert_alike(measured(name, [(133, 201)], model).geometries, registered(name, [(133, 201)]))


@torch.no_grad()
def test_dead_channels_change_nothing():
    model = copy.deepcopy(build_family("llava").model)
    embedding = next(module for module in model.modules() if isinstance(module, torch.nn.Conv2d))
    embedding.weight[: len(embedding.weight) * 3 // 4] = 0
    assert_alike(measured("llava", [(133, 201)], model).geometries, registered("llava", [(133, 201)]))


def blinkered(model):
    """A copy whose vision tower does not mix patches: its attention is zeroed, not made the identity."""
    model = copy.deepcopy(model)
    for path, module in model.named_modules():
        if ("vision" in path or "visual" in path) and type(module).__name__.endswith("Attention"):
            for parameter in module.parameters():
                parameter.data.zero_()
    return model


def embeddings(toy, model, image):
    inputs, seen = toy.inputs([[Image.fromarray(image)]], ["ab"]), {}
    hook = model.get_decoder().register_forward_pre_hook(lambda _, args, kwargs: seen.update(kwargs), with_kwargs=True)
    with torch.inference_mode():
        model(**inputs)
    hook.remove()
    return seen["inputs_embeds"][toy.image_tokens(inputs)]


UNKNOWN = ("aya_vision", "cohere2_vision", "deepseek_vl", "gemma4", "glm_ocr", "janus", "kimi_k25", "lfm2_vl", "ovis2")


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_changed_region_changes_the_tokens_whose_measured_boxes_hold_it(name):
    toy, size = build(name), (133, 201)
    (geometry,) = measured_toy(name, [size]).geometries
    model, image = blinkered(toy.model), noise_image(size)
    before = embeddings(toy, model, image)
    assert len(before) == len(geometry.boxes)
    placed = np.flatnonzero(~np.isnan(geometry.boxes[:, 0]))
    boxes = geometry.boxes[placed]
    for region in some_regions(geometry):
        change = (embeddings(toy, model, brightened(image, region)) - before).norm(dim=1).numpy()
        unplaced = np.delete(change, placed)
        assert unplaced.max(initial=0) <= 1e-4 * change.max()
        for layer in layers_by_shape(boxes):
            if contain(boxes[layer], region).any():
                assert contain(boxes[layer], region)[change[placed][layer].argmax()]


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (noisy, "adds noise"),
        (normalized, "normalizes each image"),
        (stretched, "normalizes each image"),
        (quantized, "quantizes"),
    ],
)
def test_a_processor_that_hides_places_is_an_error(spoil, reason):
    with pytest.raises(NotMeasurable, match=reason):
        measure(build_family("llava").model, Spoiled("llava", spoil), [(133, 201)])


@pytest.mark.parametrize("height, width", [(100, 70), (61, 150), (133, 201), (7, 300)])
def test_a_processor_that_normalizes_each_image_is_shown_pictures_of_one_mean_and_deviation(height, width):
    (geometry,) = measured_toy("pix2struct", [(height, width)]).geometries
    scale = (36 * (16 / height) * (16 / width)) ** 0.5  # as many patches of 16 pixels as fit among 36
    rows, columns = (max(min(int(scale * side / 16), 36), 1) for side in (height, width))
    found = geometry.boxes[~np.isnan(geometry.boxes[:, 0])]
    np.testing.assert_allclose(found, grid_boxes(rows, columns, (0, 0, width, height)), atol=0.5)


def test_a_model_that_shuffles_its_patches_is_measured_shuffled():
    family = build_family("llava")
    model = copy.deepcopy(family.model)
    projector = next(module for name, module in model.named_modules() if name.endswith("multi_modal_projector"))
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    projector.register_forward_pre_hook(lambda _, args: (args[0][:, order],))
    (geometry,) = measured("llava", [(56, 56)], model).geometries
    np.testing.assert_allclose(geometry.boxes, registered("llava", [(56, 56)])[0].boxes[order], atol=0.1)


def test_the_measurement_leaves_the_model_as_it_was():
    model = copy.deepcopy(build_family("llava").model).train()
    model.get_decoder().eval()
    modes = [module.training for module in model.modules()]
    called = []
    model.register_forward_pre_hook(lambda *_: called.append("model"))
    measured("llava", [(56, 56)], model)
    assert [module.training for module in model.modules()] == modes and not called
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_kernels_that_cannot_be_seen_are_replaced_for_the_measurement():
    def unseen(module, query, key, value, attention_mask, **options):
        raise AssertionError("the measurement runs without this kernel")

    AttentionInterface.register("unseen", unseen)
    AttentionMaskInterface.register("unseen", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    try:
        model = copy.deepcopy(build_family("llava").model)
        model.set_attn_implementation("unseen")
        assert_alike(measured("llava", [(133, 201)], model).geometries, registered("llava", [(133, 201)]))
        kernels = {module.config._attn_implementation for module in model.modules() if hasattr(module, "config")}
        assert kernels == {"unseen"}
    finally:
        AttentionInterface._global_mapping.pop("unseen")
        AttentionMaskInterface._global_mapping.pop("unseen")


@pytest.mark.parametrize("size", [(233, 90), (310, 270)])
def test_interpolated_features_are_placed(size):
    found = measured("llava_onevision", [size])
    assert found.how == "interpolated"
    assert_alike(found.geometries, registered("llava_onevision", [size]))


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda tokens: tokens.cumsum(0) + tokens.sum(0), "each of the .* image tokens depends on the whole image"),
        (lambda tokens: tokens.detach().sign(), "no gradient with respect to pixel values"),
    ],
)
def test_tokens_without_places_are_an_error_that_says_why(change, reason):
    model = build_family("llava").model
    hook = model.model.multi_modal_projector.register_forward_hook(
        lambda module, args, output: change(output.flatten(0, -2)).view_as(output)
    )
    try:
        with pytest.raises(NotMeasurable, match=reason):
            measured("llava", [(61, 83)], model)
    finally:
        hook.remove()


@pytest.mark.parametrize("size", [(61, 83), (133, 201), (300, 40)])
def test_queries_made_of_patches_have_their_places(size):
    # Granite 4 Vision: of 2 x 2 patches each, among 4 that read a window; added to the decoder's tokens in its layers.
    toy = build("granite4_vision")
    found = measured_toy("granite4_vision", [size])
    assert found.ids == (toy.model.config.image_token_id,) and found.how == "gradient" and found.reading is None
    vision = SimpleNamespace(image_size=56, patch_size=28)
    pinpoints = toy.model.config.image_grid_pinpoints
    config = SimpleNamespace(
        vision_config=vision, image_grid_pinpoints=pinpoints, vision_feature_select_strategy="full"
    )
    boxes = llava_next_geometry(config, Settings(toy.processor), size)
    assert_alike(found.geometries, [TokenGeometry(boxes, size)])
    verdict = check_regions(toy, [found.geometries[0].boxes], [size])
    assert verdict.tried and not verdict.wrong, verdict


def test_queries_that_depend_on_the_image_can_read_nothing_else():
    value, key = torch.randn(1, 2, 5, 4), torch.randn(1, 2, 5, 4, requires_grad=True)
    made, learned = torch.randn(1, 2, 3, 4, requires_grad=True), torch.randn(1, 2, 3, 4)
    read = functional.scaled_dot_product_attention(learned, key, value)
    with PatchesAlone(own_only=True) as alone:
        assert not functional.scaled_dot_product_attention(made, key, value).any()
        torch.testing.assert_close(functional.scaled_dot_product_attention(learned, key, value), read)
    assert alone.has_placed_queries and alone.reads_across
    with torch.no_grad(), PatchesAlone(alone.decisions, own_only=True):
        assert not functional.scaled_dot_product_attention(made, key, value).any()
        torch.testing.assert_close(functional.scaled_dot_product_attention(learned, key, value), read)
    with PatchesAlone() as first:
        functional.scaled_dot_product_attention(learned, key, value)
        functional.scaled_dot_product_attention(made, key, value)
    assert not first.has_placed_queries  # what learned queries became has no place


def test_attention_is_the_identity_for_the_same_patches_only():
    value, other = torch.randn(1, 2, 5, 4), torch.randn(1, 2, 5, 4, requires_grad=True)
    queries = torch.randn(1, 2, 5, 4)  # learned: no part of the image
    with PatchesAlone() as alone:
        torch.testing.assert_close(functional.scaled_dot_product_attention(other, other, value), value)
        pooled = functional.scaled_dot_product_attention(other[:, :, :2], other, value)
        learned = functional.scaled_dot_product_attention(queries, other, value)
        shares = torch.softmax(torch.randn(1, 2, 5, 5), dim=-1)
    torch.testing.assert_close(pooled, functional.scaled_dot_product_attention(other[:, :, :2], other, value))
    torch.testing.assert_close(learned, functional.scaled_dot_product_attention(queries, other, value))
    torch.testing.assert_close(shares, torch.eye(5).expand(1, 2, 5, 5))
    with torch.no_grad(), PatchesAlone(alone.decisions):  # without gradients, as it was found with them
        functional.scaled_dot_product_attention(other, other, value)
        again = functional.scaled_dot_product_attention(queries, other, value)
    torch.testing.assert_close(again, learned)


def test_deviations_by_hand():
    own, rule = registered("llava", [(56, 56)])[0], registered("llava", [(56, 56)])[0]
    boxes = own.boxes.copy()
    boxes[0] += 2  # a side of 14
    boxes[1], boxes[2] = np.nan, [100, 100, 114, 114]  # sees nothing; its place is outside the image
    off = deviation([type(own)(boxes, (56, 56))], [rule])
    assert (off.pixels, off.missing, off.extra) == (2, 2, 0) and off.boxes == pytest.approx(2 / 14)
    with pytest.raises(ValueError, match="expected 16 tokens of image 1 by the rule, but measured 15"):
        deviation([type(own)(boxes[1:], (56, 56))], [rule])
