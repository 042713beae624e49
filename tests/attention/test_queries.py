"""Image tokens without a place of their own: maps through the attention with which they read patches."""

from __future__ import annotations

import re
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from attention.measuring import array, measured_toy
from attention.zoo.zoo_build import BUILT, build, make_lively
from attention.zoo.zoo_regions import check_regions
from PIL import Image

from pixfound_tasks import Lens
from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.measure import measure, prove_geometries
from pixfound_tasks.attention.measured.queries import KeysPart
from pixfound_tasks.attention.measured.query_reading import reading_of
from pixfound_tasks.attention.measured.query_shares import query_shares

SIZE = (100, 70)
NAMES = ("idefics2", "blip-2", "instructblip", "instructblipvideo", "aria", "kosmos-2", "blip-2 with t5")


def lens_of(name, **settings):
    toy = build(name)
    return Lens(toy.model, toy.processor, images_kwargs=toy.options, **settings)


@contextmanager
def eager(model):
    """Run all parts of a model with eager attention."""
    configs = {id(config): config for module in model.modules() if (config := getattr(module, "config", None))}
    before = [(config, config._attn_implementation) for config in configs.values()]
    for config, _ in before:
        config._attn_implementation = "eager"
    try:
        yield
    finally:
        for config, kernel in before:
            config._attn_implementation = kernel


def eager_weights(model, inputs, pattern):
    """The attention of each module whose name matches, averaged over heads, by name."""
    found, hooks = {}, []

    def take(name):
        def hook(module, args, kwargs, output):
            if isinstance(module, torch.nn.MultiheadAttention):
                weights = module.forward(*args, **{**kwargs, "need_weights": True, "average_attn_weights": False})[1]
            else:
                weights = next(part for part in reversed(output) if torch.is_tensor(part) and part.ndim == 4)
            found[name] = weights.detach().mean(dim=1).numpy()

        return hook

    for name, module in model.named_modules():
        if re.search(pattern, name):
            hooks.append(module.register_forward_hook(take(name), with_kwargs=True))
    with eager(model), torch.inference_mode():
        model.generate(**inputs, do_sample=False, max_new_tokens=1)
    for hook in hooks:
        hook.remove()
    return found


def normalized(shares):
    return shares / shares.sum(axis=1, keepdims=True)


def resampler_shares(weights, places):
    """Perceiver: keys are patches, then latents."""
    shares = 0
    for own in weights.values():
        patches = own[0, :, places]
        shares = (
            shares + patches.T + own[0, :, -own.shape[1] :] @ (shares + np.zeros((own.shape[1], len(places))))
        ) / 2
    return shares


def former_shares(weights, places):
    """Q-Former: self-attention over queries, and words after them; then cross-attention to patches in some layers."""
    count = next(own for name, own in weights.items() if "crossattention" in name).shape[1]
    shares = np.zeros((count, len(places)))
    for name, own in weights.items():
        taken = own[0, :, places].T if "crossattention" in name else own[0, :count, :count] @ shares
        shares = (shares + taken) / 2
    return shares


def projected_shares(weights, places):
    (own,) = weights.values()
    return own[0, :, places].T


EXPECTED = {
    "idefics2": (r"perceiver_resampler\.layers\.\d+\.self_attn$", resampler_shares, 0),
    "blip-2": (r"qformer\.encoder\.layer\.\d+\.(cross)?attention\.attention$", former_shares, 1),
    "instructblip": (r"qformer\.encoder\.layer\.\d+\.(cross)?attention\.attention$", former_shares, 1),
    "aria": (r"multi_modal_projector\.cross_attn\.multihead_attn$", projected_shares, 0),
    "kosmos-2": (r"image_to_text_projection\.x_attn$", projected_shares, 1),
}


def deeper(name):
    """The miniature with more layers between patches and image tokens."""
    toy, parts = build(name), BUILT[name]()
    if hasattr(parts.config, "qformer_config"):
        parts.config.qformer_config.num_hidden_layers = 5
    if hasattr(parts.config, "perceiver_config"):
        parts.config.perceiver_config.resampler_depth = 4
    torch.manual_seed(1)
    model = parts.model_class(parts.config).float().eval()
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = 0, 2
    make_lively(model)
    for module_name, parameter in model.named_parameters():
        if re.search(r"(perceiver|qformer|x_attn|cross_attn).*(q_proj|k_proj|query|key|q_proj)\.weight$", module_name):
            parameter.data.mul_(2)  # attention that chooses
    return toy, model


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("prompt", ["ab", "what is this"])
def test_shares_equal_attention_rollout_over_eager_modules_that_are_known_by_name(name, prompt):
    toy, model = deeper(name)
    inputs = toy.inputs([[Image.fromarray(array(SIZE))]], [prompt])
    found = measure(model, lambda images: toy.inputs([list(images)], ["ab"]), [SIZE])
    shares = query_shares(model, inputs, found.reading)
    pattern, expected, first = EXPECTED[name]
    weights = eager_weights(model, inputs, pattern)
    is_padded = {"aria": lambda: padded_away(inputs)}
    places = is_padded[name]() if name in is_padded else first + np.arange(shares.shape[1])
    want = normalized(expected(weights, places))
    assert shares.shape == want.shape
    np.testing.assert_allclose(shares, want, atol=1e-5)
    assert shares.max() > 1.05 / shares.shape[1]  # some patches are read more than others


def padded_away(inputs):
    """Aria's patches that show some of the image: it is padded to a square of 14 x 14 patches of 70 pixels."""
    shown = inputs["pixel_mask"][0].reshape(14, 70, 14, 70).float().mean(dim=(1, 3))
    return np.flatnonzero(shown.numpy().ravel() > 0)


@pytest.mark.parametrize("name", NAMES)
def test_patches_are_where_changed_regions_say(name):
    for size in [(100, 70), (61, 150), (130, 40)]:
        found = measured_toy(name, [size])
        assert found.reading is not None and not np.isnan(found.geometries[0].boxes).any()
        verdict = check_regions(build(name), [found.geometries[0].boxes], [size], 12, reads_patches=True)
        assert verdict.tried == 12 and not verdict.wrong, verdict


def test_boxes_that_are_off_by_one_patch_are_disproved():
    toy = build("blip-2")
    found = measured_toy("blip-2", [SIZE])
    part = KeysPart(toy.model, found.reading.sources)
    boxes = np.vstack([np.full((1, 4), np.nan), np.roll(found.geometries[0].boxes, 1, axis=0)])
    verdict = prove_geometries(part, lambda images: toy.inputs([images], ["ab"]), [TokenGeometry(boxes, SIZE)], ())
    assert verdict.faults


@pytest.mark.parametrize("name", NAMES)
def test_a_lens_maps_rows_over_image_tokens_to_rows_over_patches(name):
    lens = lens_of(name, reducer="mean")
    image = array(SIZE)
    look = lens.look(image, "ab", max_new_tokens=3, min_new_tokens=3)
    assert look.settings["geometry"] == "through the resampler"
    assert look.rows.shape == (len(look.tokens), len(look.geometry.boxes)) and len(look.tokens)
    assert np.isfinite(look.rows).all() and look.maps().shape[1:] == SIZE
    assert np.isfinite(look.maps()).mean() > 0.9
    if not look.text:  # Kosmos's vocabulary is larger than the tokenizer's
        return
    whole = (0, len(look.text))
    x, y = look.phrase_peak(whole)
    painted = look.phrase_map(whole)
    assert painted[int(y * SIZE[0]), int(x * SIZE[1])] == np.nanmax(painted)
    assert look.phrase_coarse_map(whole) is not None
    inside = np.zeros(SIZE, bool)
    inside[:50] = True
    assert 0 < look.phrase_sums(whole, inside).inside < look.phrase_sums(whole, inside).total


@pytest.mark.parametrize("name", ["idefics2", "aria"])
def test_batches_and_several_images_equal_single_prompts(name):
    lens, first, second = lens_of(name), array(SIZE), array((61, 150), 1)
    looks = lens.look_all([[first], [second]], ["ab", "what"], max_new_tokens=3, min_new_tokens=3)
    for image, prompt, look in zip([first, second], ["ab", "what"], looks):
        alone = lens.look(image, prompt, max_new_tokens=3, min_new_tokens=3)
        np.testing.assert_allclose(look.rows, alone.rows, atol=1e-5)
    both = lens.look([first, second], "ab", max_new_tokens=3, min_new_tokens=3)
    assert [geometry.size for geometry in both.geometries] == [SIZE, (61, 150)]
    for index in range(2):
        assert np.isfinite(both.maps(index)).mean() > 0.9


def test_the_share_of_an_image_is_what_its_own_tokens_got():
    lens, images = lens_of("idefics2", reducer="mean"), [array(SIZE), array((61, 150), 1)]
    look = lens.look(images, "ab", max_new_tokens=2, min_new_tokens=2)
    found = lens.find_geometry([SIZE, (61, 150)])
    shares = query_shares(
        lens.model, lens.inputs([[Image.fromarray(image) for image in images]], ["ab"]), found.reading
    )
    first = len(found.geometries[0].boxes)
    half = len(shares) // 2
    assert not shares[:half, first:].any() and not shares[half:, :first].any()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert look.rows.shape[1] == shares.shape[1]


def test_heads_are_calibrated_over_patches():
    lens = lens_of("blip-2", reducer="heads")
    chosen = lens.calibrate([Image.fromarray(array(SIZE)), Image.fromarray(array((61, 150), 1))], ["ab", "what"], 2)
    assert len(chosen.heads) == 2
    assert np.isfinite(chosen.look(array(SIZE), "ab", max_new_tokens=2, min_new_tokens=2).rows).all()


@pytest.mark.parametrize("reducer", ["relative", "sink_filtered", "value_norm", "tam", "study"])
def test_every_reducer_works_over_image_tokens_before_they_are_mapped(reducer):
    look = lens_of("idefics2", reducer=reducer).look(array(SIZE), "ab", max_new_tokens=3, min_new_tokens=3)
    assert look.values.shape == look.rows.shape and np.isfinite(look.values).all()


def test_given_answers_are_mapped_as_generated_ones():
    lens = lens_of("blip-2")
    look = lens.look(array(SIZE), "ab", max_new_tokens=3, min_new_tokens=3)
    given = lens.look(array(SIZE), "ab", look.text)
    np.testing.assert_allclose(given.rows, look.rows, atol=1e-5)


def test_a_kept_reading_is_read_back(tmp_path):
    reading = measured_toy("instructblipvideo", [SIZE]).reading
    np.savez(tmp_path / "kept.npz", ids=np.array(reading.ids), **reading.arrays())
    with np.load(tmp_path / "kept.npz") as file:
        again = reading_of(file)
    assert again.ids == reading.ids and again.tokens == reading.tokens and again.columns == reading.columns
    assert again.sources == reading.sources
    for one, other in zip(again.calls, reading.calls, strict=True):
        assert one.number == other.number
        for name in ("tokens", "columns", "states"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_words_of_a_q_former_may_be_more_or_fewer_than_in_the_measured_prompt():
    lens = lens_of("instructblip")
    for prompt in ("a", "what is this, and what is that, and what is it that this is"):
        look = lens.look(array(SIZE), prompt, max_new_tokens=2, min_new_tokens=2)
        assert np.isfinite(look.rows).all()


def test_a_model_for_videos_sees_one_image_as_a_video():
    lens = lens_of("instructblipvideo")
    assert len(lens.find_geometry([SIZE]).geometries[0].boxes) == 16  # of 4 frames of 16 patches
    with pytest.raises(ValueError, match="expected one image per prompt for a model that reads videos.*but got 2"):
        lens.look([array(SIZE), array(SIZE)], "ab")


def test_queries_that_read_other_patches_in_another_layer_are_refused():
    toy, model = deeper("idefics2")
    layer = model.model.connector.perceiver_resampler.layers[1]
    plain = layer.forward
    layer.forward = lambda latents, context, attention_mask=None, **rest: plain(
        latents, context[:, 1:], attention_mask if attention_mask is None else attention_mask[..., 1:], **rest
    )
    with pytest.raises(NotMeasurable, match="expected queries that read the same 35 patches in every layer"):
        measure(model, lambda images: toy.inputs([list(images)], ["ab"]), [SIZE])
