"""Tiny Sa2VA and RGA3 against transformers' own models, without the code of this package between them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tiny_sam2
import torch
from PIL import Image
from running import evaluate
from tiny_lisa import scene
from torch.nn import functional
from transformers import LogitsProcessor

from pixfound_tasks.hosts.image_processors import qwen2_vl_size
from pixfound_tasks.pixel.checkpoint import CheckpointError
from pixfound_tasks.pixel.families.registry import Options, load_pixel_model
from pixfound_tasks.pixel.tiles import TilePixels
from pixfound_tasks.response import from_text

QWENS = ("qwen2_5_vl", "qwen3_vl")
SAM2 = "grounding_encoder.sam2_model"
SAID = "a <p>cat</p>[SEG] b[SEG]</s>"


class Written(LogitsProcessor):
    """Makes a model write given tokens."""

    def __init__(self, tokens):
        self.tokens, self.length = tokens, None

    def __call__(self, input_ids, scores):
        self.length = self.length or input_ids.shape[1]
        forced = torch.full_like(scores, -torch.inf)
        forced[:, self.tokens[input_ids.shape[1] - self.length]] = 0.0
        return forced


def write(model, images, prompts, said=SAID):
    ids = model.processor.tokenizer(said, add_special_tokens=False).input_ids
    options = {"max_new_tokens": len(ids), "logits_processor": [Written(ids)]}
    return model.answer_all(images, prompts, **options), ids


@pytest.fixture(scope="module", params=QWENS)
def tiny(request, tmp_path_factory):
    made = tiny_sam2.qwen(tmp_path_factory.mktemp(request.param), request.param)
    made.write()
    return made


@pytest.fixture(scope="module")
def model(tiny):
    return load_pixel_model(tiny.checkpoint)


@pytest.fixture
def own(tmp_path):
    """An RGA3 whose files a test may change."""
    made = tiny_sam2.rga3(tmp_path / "own")
    made.write()
    return made


@torch.inference_mode()
def draw(sam, prompt, image):
    """The logits and scores of the three candidates for one prompt: Meta's way from pixels to masks."""
    mean, std = (torch.tensor(v, dtype=torch.bfloat16).float() for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    pixels = torch.tensor(np.asarray(image.resize((1024, 1024), 3), np.float32) / 255)
    features = sam.get_image_embeddings(((pixels - mean) / std).permute(2, 0, 1)[None])
    sparse, dense = sam.prompt_encoder(torch.zeros(1, 1, 1, 2), -torch.ones(1, 1, 1, dtype=torch.int), None, None)
    assert sparse.shape == (1, 1, 2, tiny_sam2.PROMPT_WIDTH)  # the empty point, and another for the missing box
    masks, scores, *_ = sam.mask_decoder(
        features[-1], sam.get_image_wide_positional_embeddings(), torch.cat([sparse, prompt[None, None, None]], 2),
        dense, True, features[:-1],
    )  # fmt: skip
    return masks[0, 0], scores[0, 0]


def test_every_weight_is_at_its_place(tiny, model):
    for ours, theirs in ((model.model, tiny.model), (model.decoder.sam, tiny.sam), (model.projection, tiny.projection)):
        loaded, expected = ours.state_dict(), theirs.state_dict()
        assert loaded.keys() == expected.keys()
        assert all(torch.equal(loaded[name], value) for name, value in expected.items())
        assert not any(value.is_meta for value in loaded.values())


def test_the_state_at_the_mask_token_prompts_sam_2(tiny, model):
    """Of Qwen3-VL before the final norm: the last hidden state of transformers 4.57; of Qwen2.5-VL after it."""
    image, prompt = scene(224, 168), "Where is it?"
    ((answer,), said) = write(model, [image], [prompt])
    assert list(answer.ids) == said[:-1] and len(answer.masks) == 2
    assert answer.text[slice(*answer.chars[0])] == "cat" and answer.chars[1] is None
    inputs = model.lens.inputs([(image,)], [prompt])
    length = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([said])], 1)
    for name in ("attention_mask", "mm_token_type_ids"):
        filled = torch.full((1, len(said)), int(name == "attention_mask"))
        inputs[name] = torch.cat([inputs[name], filled], 1)
    with torch.inference_mode():
        output = tiny.model(**inputs, output_hidden_states=True)
    norm = tiny.model.model.language_model.norm
    before = []
    hook = norm.register_forward_pre_hook(lambda _module, args: before.append(args[0]))
    with torch.inference_mode():
        tiny.model(**inputs)
        hook.remove()
        np.testing.assert_allclose(norm(before[0]), output.hidden_states[-1], atol=1e-5)
    seg = tiny.processor.tokenizer.convert_tokens_to_ids("[SEG]")
    at = [length + place for place, token in enumerate(said) if token == seg]
    is_qwen3 = tiny.config["model_type"] == "qwen3_vl"
    states = (before[0] if is_qwen3 else output.hidden_states[-1])[0, at]
    other = (output.hidden_states[-1] if is_qwen3 else before[0])[0, at]
    np.testing.assert_allclose(answer.states, states, atol=1e-4)
    assert np.abs(answer.states - other.numpy()).max() > 0.1
    for index, prompts in enumerate(tiny.projection(states).detach()):
        masks, scores = draw(tiny.sam, prompts, image)
        best = int(scores.argmax())
        assert answer.chosen[index] == best
        np.testing.assert_allclose(answer.low_res_logits[index], masks[best], atol=1e-3)
        large = functional.interpolate(masks[best][None, None], (1024, 1024), mode="bilinear")
        mask = functional.interpolate(large, (168, 224), mode="bilinear")[0, 0] > 0
        assert (answer.masks[index] != mask.numpy()).sum() <= 5 and 0 < mask.float().mean() < 1


def test_small_images_are_resized_twice_and_looked_at(model):
    """First to multiples of 28 pixels, then enlarged to at least 512 * 28 * 28 of them."""
    settings = model.processor.image_processor
    side = settings.patch_size * settings.merge_size
    limits = settings.size["shortest_edge"], settings.size["longest_edge"]
    assert limits == (512 * 28 * 28, 2048 * 28 * 28)

    def tokens(height, width):
        return tuple(length // side for length in qwen2_vl_size((height, width), side, *limits))

    width = next(width for width in range(200, 300) if tokens(112, round(width / 28) * 28) != tokens(111, width))
    image, (rows, columns) = scene(width, 111), tokens(112, round(width / 28) * 28)
    assert model.processor.resized(image).size == (round(width / 28) * 28, 112)
    inputs = model.lens.inputs([(image,)], ["?"])
    assert inputs["image_grid_thw"].tolist() == [[1, 2 * rows, 2 * columns]]
    (found,) = model.read_all([image], ["?"], ["a[SEG]b"])
    assert found.look.rows.shape == (3, rows * columns) and len(found.answer.masks) == 1


def test_a_placeholder_in_the_words_is_left_out(model):
    def text(words):
        content = [{"type": "image"}, {"type": "text", "text": words}]
        return model.processor.apply_chat_template([{"role": "user", "content": content}])

    assert text("<image>Where?") == text("Where?") and "<image>" not in text("<image>Where?")


def test_batches_of_different_images_are_the_same(model):
    images, prompts = [scene(90, 250, 1), scene(400, 100, 2)], ["?", "Is it there?"]
    together, _ = write(model, images, prompts, "a[SEG]</s>")
    for image, prompt, answer in zip(images, prompts, together):
        ((alone,), _) = write(model, [image], [prompt], "a[SEG]</s>")
        assert answer.ids == alone.ids and answer.chosen == alone.chosen
        np.testing.assert_allclose(answer.low_res_logits, alone.low_res_logits, atol=1e-3)
        assert (answer.masks != alone.masks).sum() <= 5


def test_what_a_reducer_runs_besides_changes_no_mask(model):
    """The relative reducer generates the first token of a general description after the answer."""
    image, prompt = scene(224, 168), "Where is it?"
    ((alone,), said) = write(model, [image], [prompt], "a[SEG]</s>")
    options = {"max_new_tokens": len(said), "logits_processor": [Written(said)]}
    relative = replace(model, lens_options={"reducer": "relative"})
    (found,) = relative.look_all([image], [prompt], **options)
    (read,) = relative.read_all([image], [prompt], ["a[SEG]"])
    for answer in (found.answer, read.answer):
        np.testing.assert_allclose(answer.low_res_logits, alone.low_res_logits, atol=1e-3)
    assert found.look.settings["reducer"] == "relative" and np.isfinite(found.look.rows).all()


@pytest.mark.parametrize("is_tied", [False, True])
def test_rga3_is_loaded_from_the_names_of_transformers_4_49(tmp_path, is_tied):
    made = tiny_sam2.rga3(tmp_path, is_tied)
    tensors = made.tensors()
    if is_tied:
        del tensors["lm_head.weight"]
    made.write(tensors)
    ours = load_pixel_model(made.checkpoint).model
    assert all(torch.equal(ours.state_dict()[name], value) for name, value in made.model.state_dict().items())
    assert (ours.lm_head.weight.data_ptr() == ours.get_input_embeddings().weight.data_ptr()) == is_tied


def test_rga3_always_draws_and_gives_its_own_text(own):
    model = load_pixel_model(own.checkpoint, options=Options(more={"given": "[SEG] and [SEG]"}))
    image = scene(224, 168)
    ((answer,), _) = write(model, [image], ["?"], "no</s>")
    assert answer.text == "no" and len(answer.ids) == 2 and len(answer.masks) == 2
    (read,) = model.read_all([image], ["?"], ["[SEG] and [SEG]"])
    np.testing.assert_allclose(answer.low_res_logits, read.answer.low_res_logits, atol=1e-4)
    (alone,) = model.draw_all([image], ["?"])
    assert alone.text == read.answer.text and (alone.masks == read.answer.masks).all()


def test_an_image_stands_for_a_video_of_one_frame_unless_it_is_passed_as_an_image(own):
    image = scene(1100, 1000)
    video, alone = (
        load_pixel_model(own.checkpoint, options=Options(more={"passed_as": k})) for k in ("video", "image")
    )
    tokenizer = own.processor.tokenizer
    names = [tokenizer.convert_tokens_to_ids(name) for name in ("<|video_pad|>", "<|image_pad|>")]
    for model, name, limit in ((video, names[0], 384), (alone, names[1], 1280)):
        ids = model.lens.inputs([(image,)], ["?"])["input_ids"][0].tolist()
        assert limit // 2 < ids.count(name) <= limit and ids.count(sum(names) - name) == 0
        (found,) = model.look_all([image], ["?"], max_new_tokens=2)
        assert found.look.rows.shape[1] == ids.count(name) and len(found.answer.masks) == 1
    small = scene(224, 168)
    drawn = [model.draw_all([small], ["?"])[0] for model in (video, alone)]
    np.testing.assert_allclose(drawn[0].low_res_logits, drawn[1].low_res_logits, atol=1e-5)


@pytest.mark.parametrize(("shards", "kind"), [(3, "safetensors"), (1, "bin"), (3, "bin")])
def test_files_of_every_kind_are_read(own, shards, kind):
    own.write(shards=shards, kind=kind)
    model = load_pixel_model(own.checkpoint)
    assert all(torch.equal(model.model.state_dict()[name], value) for name, value in own.model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("model.layers.1.mlp.up_proj.weight"), r"nothing for 1 keys: model\.model\.language_model"),
        (lambda t: t.pop(f"{SAM2}.no_mem_embed"), r"nothing for 1 keys: sam\.no_memory_embedding"),
        (lambda t: t.pop("text_hidden_fcs.0.2.bias"), r"nothing for 1 keys: projection\.2\.bias"),
        (lambda t: t.pop("text_hidden_fcs.0.0.weight"), r"the tensor text_hidden_fcs\.0\.0\.weight"),
        (lambda t: t.update({"model.layers.0.more": torch.ones(1)}), r"no place for 1 keys: model\.layers\.0\.more"),
        (
            lambda t: t.update({f"{SAM2}.sam_mask_decoder.more": torch.ones(1)}),
            r"no place for 1 keys: grounding_encoder\.sam2_model\.sam_mask_decoder\.more",
        ),
        (lambda t: t.update({"lm_head.weight": torch.ones(3, 64)}), r"other shapes for 1 keys: lm_head\.weight.*\(3, "),
        (
            lambda t: t.update({f"{SAM2}.sam_prompt_encoder.point_embeddings.2.weight": torch.ones(7)}),
            r"other shapes for 1 keys: .*point_embeddings\.2\.weight: expected \(1, 32\), but got \(7,\)",
        ),
    ],
)  # fmt: skip
def test_wrong_tensors_are_listed(own, change, message):
    tensors = own.tensors()
    change(tensors)
    own.write(tensors)
    with pytest.raises(CheckpointError, match=message):
        load_pixel_model(own.checkpoint)


def test_a_sam_2_whose_sizes_are_unknown_is_an_error(own):
    (own.folder / "sam2_sizes.json").unlink()
    with pytest.raises(CheckpointError, match=r"has width 8 and stages \[1, 1, 2, 1\]: give its sizes in a file"):
        load_pixel_model(own.checkpoint)


def test_a_tokenizer_without_the_mask_token_is_an_error(tmp_path):
    made = tiny_sam2.qwen(tmp_path, "qwen3_vl")
    made.processor = tiny_sam2.dynamic_families.qwen3_vl()[0]
    made.write()
    with pytest.raises(ValueError, match=r"to hold \[SEG\]"):
        load_pixel_model(made.checkpoint)


def test_dtypes_and_kernels(own):
    half = load_pixel_model(own.checkpoint, options=Options(torch.bfloat16, "auto", "eager"))
    assert {half.model.dtype, half.decoder.sam.dtype, next(half.projection.parameters()).dtype} == {torch.bfloat16}
    (answer,) = half.draw_all([scene(70, 70)], ["?"])
    assert answer.masks.shape == (1, 70, 70) and answer.low_res_logits.dtype == np.float32
    assert half.model.model.language_model.config._attn_implementation == "eager"


def test_tiles_are_chosen_as_in_the_authors_code():
    """The nearest aspect ratio of at most 12 tiles; of two as near, the larger one for images above half its area."""
    grids = sorted({(i, j) for i in range(1, 13) for j in range(1, 13) if i * j <= 12}, key=lambda g: g[0] * g[1])
    random = np.random.RandomState(0)
    sizes = [(448, 448), (1000, 1000), (896, 448), (2000, 1000), (300, 900), (1500, 1000), (3, 2000)]
    for width, height in sizes + [tuple(map(int, random.randint(20, 3000, 2))) for _ in range(200)]:
        best, least = (1, 1), float("inf")
        for columns, rows in grids:
            off = abs(width / height - columns / rows)
            is_large = width * height > 0.5 * 448 * 448 * columns * rows
            if off < least or (off == least and is_large):
                best, least = (columns, rows), off
        pixels = TilePixels()
        image = Image.new("RGB", (width, height))
        assert pixels.grid(image) == best[::-1], (width, height)
        assert pixels.count(image) == best[0] * best[1] + (best != (1, 1))


@pytest.mark.parametrize(
    ("language_model", "is_6b"), [("qwen2", False), ("qwen2", True), ("llama", False), ("phi3", False)]
)
def test_internvl_is_loaded_from_the_names_of_opengvlab(tmp_path, language_model, is_6b):
    made = tiny_sam2.internvl(tmp_path, language_model, is_6b)
    if language_model == "llama":  # read off the weights
        for name in ("norm_type", "qk_normalization", "qkv_bias"):
            del made.config["vision_config"][name]
    model = load_pixel_model(made.write())
    loaded, expected = model.model.state_dict(), made.model.state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())
    image = scene(600, 300)
    pixels = torch.from_numpy(model.processor.image_processor([image]))
    assert pixels.shape == (3, 3, 448, 448)  # two tiles and the thumbnail
    if is_6b:  # transformers ignores the epsilon of the norms of queries and keys
        for layer in made.model.model.vision_tower.encoder.layer:
            layer.attention.q_norm.variance_epsilon = layer.attention.k_norm.variance_epsilon = 1e-3
    with torch.inference_mode():
        ours, theirs = (each.get_image_features(pixels).pooler_output for each in (model.model, made.model))
    torch.testing.assert_close(ours, theirs)
    (found,) = model.read_all([image], ["Where?"], ["a <p>b c</p>[SEG]d"])
    assert len(found.answer.masks) == 1 and found.look.rows.shape[1] == 3 * 256
    assert found.answer.text[slice(*found.answer.chars[0])] == "b c"


def test_the_config_says_the_family(own, tmp_path):
    assert load_pixel_model(own.checkpoint).family == "rga3"
    path = own.folder / "checkpoint" / "config.json"
    config = json.loads(path.read_text()) | {"architectures": ["Sa2VAChatModelQwen"], "model_type": "llama"}
    config["vision_config"] = {}
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match="expected a model type of .*'qwen3_vl'"):
        load_pixel_model(own.checkpoint)


@pytest.mark.parametrize("family", ["sa2va", "rga3"])
def test_documents_are_answered_with_masks_and_attention(tmp_path, family):
    made = tiny_sam2.rga3(tmp_path) if family == "rga3" else tiny_sam2.qwen(tmp_path, "qwen3_vl")
    made.write()
    given = f"pretrained={made.checkpoint},grounding=both,segmenter=region,phrases=rules,max_new_tokens=4"
    run = evaluate("pixfound_pixel", given, ["pixmini_ground", "pixmini_vqa"], limit=2, batch_size=2)
    for sample in run["samples"]["pixmini_ground"]:
        response = from_text(sample["filtered_resps"][0], tuple(sample["pixfound"]["mask"]["size"]))
        assert response.provenance["family"] == family and response.provenance["grounding"] == "both"
        assert len(response.masks) == 1 if family == "rga3" else response.masks is not None
        wording = "Can you identify" if family == "rga3" else "Please segment"
        assert response.provenance["prompt"].startswith(wording)
    assert all(not sample["filtered_resps"][0].startswith("{") for sample in run["samples"]["pixmini_vqa"])
