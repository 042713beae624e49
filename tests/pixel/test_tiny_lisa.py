"""A tiny LISA against transformers' own parts, without the code of this package between them."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import sentencepiece
import torch
from tiny_lisa import SYSTEM, make, masks_of, scene
from transformers import LogitsProcessor

from pixfound_tasks.pixel.checkpoint import CheckpointError
from pixfound_tasks.pixel.families.registry import Options, load_pixel_model

PROMPTS = ("Can you segment the red star in this image?", "Is it a star? (a) yes (b) no", "Sure", "a b c d e f g")
COUNT = 12


@pytest.fixture(scope="module")
def lisa(tmp_path_factory):
    return make(tmp_path_factory.mktemp("lisa"))


@pytest.fixture(scope="module")
def model(lisa):
    return load_pixel_model(lisa.checkpoint)


@pytest.fixture
def own(tmp_path):
    """A LISA whose files a test may change."""
    return make(tmp_path / "own")


def parts(lisa, prompt):
    """The ids before and after the image, by the rules of the old tokenizer."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=f"{lisa.checkpoint}/tokenizer.model")
    before = [1, *pieces.encode(f"{SYSTEM} USER:"), lisa.added["<im_start>"]]
    return before, [lisa.added["<im_end>"], *pieces.encode(f"{prompt} ASSISTANT:")]


class Written(LogitsProcessor):
    """Makes a model write given tokens."""

    def __init__(self, tokens):
        self.tokens, self.length = tokens, None

    def __call__(self, input_ids, scores):
        self.length = self.length or input_ids.shape[1]
        forced = torch.full_like(scores, -torch.inf)
        forced[:, self.tokens[input_ids.shape[1] - self.length]] = 0.0
        return forced


@pytest.mark.parametrize("prompt", PROMPTS)
def test_an_answer_and_its_masks_are_those_of_the_parts(lisa, model, prompt):
    image = scene(70, 70)
    before, after = parts(lisa, prompt)
    expected = lisa.greedy(before, after, image, COUNT)
    (answer,) = model.answer_all([image], [prompt], max_new_tokens=COUNT)
    assert list(answer.ids) == expected
    at = [index for index, token in enumerate(expected) if token == lisa.added["[SEG]"]]
    assert len(answer.masks) == len(at)
    states = lisa.states(before, [*after, *expected], image)
    first = len(states) - len(expected)
    predicting = states[[first + index - 1 for index in at]]
    if at:
        np.testing.assert_allclose(answer.states, predicting, atol=1e-5)
        np.testing.assert_allclose(answer.low_res_logits, lisa.draw(predicting, image), atol=1e-4)
        assert (answer.masks == masks_of(answer.low_res_logits, image)).all()


def test_the_answers_of_the_tests_above_have_several_masks(model):
    answers = model.answer_all([scene(70, 70)] * 4, PROMPTS, max_new_tokens=COUNT)
    assert min(len(answer.masks) for answer in answers) >= 2
    assert all(0.01 < answer.masks.mean() < 0.99 for answer in answers)


def test_a_batch_is_its_single_answers(model):
    images = [scene(70, 70), scene(90, 40, 1), scene(33, 80, 2), scene(64, 64, 3)]
    together = model.answer_all(images, PROMPTS, max_new_tokens=COUNT)
    for image, prompt, answer in zip(images, PROMPTS, together):
        (alone,) = model.answer_all([image], [prompt], max_new_tokens=COUNT)
        assert (answer.text, answer.ids) == (alone.text, alone.ids)
        np.testing.assert_allclose(answer.low_res_logits, alone.low_res_logits, atol=1e-4)
        assert answer.masks.shape[1:] == (image.height, image.width) and (answer.masks == alone.masks).all()


def test_the_last_token_has_a_mask_and_a_denied_one_has_none(lisa, model):
    seg, image = lisa.added["[SEG]"], scene(70, 70)
    for tokens, count in ([5, 6, seg], 1), ([seg, 2], 1), ([5, seg, 6, seg, 2], 2), ([5, 6, 2], 0):
        (answer,) = model.answer_all(
            [image], [PROMPTS[0]], max_new_tokens=len(tokens), logits_processor=[Written(tokens)]
        )
        assert list(answer.ids) == [token for token in tokens if token != 2]
        assert answer.masks.shape == (count, 70, 70) and answer.low_res_logits.shape[0] == count
        assert answer.chars == (None,) * count and len(answer.scores) == count


def test_attention_and_masks_come_from_one_generation(model):
    image = scene(70, 70)
    found = model.look_all([image] * 2, PROMPTS[:2], max_new_tokens=COUNT)
    plain = model.answer_all([image] * 2, PROMPTS[:2], max_new_tokens=COUNT)
    looks = model.lens.look_all([image] * 2, PROMPTS[:2], max_new_tokens=COUNT)
    for (answer, look), alone, seen in zip(found, plain, looks):
        assert answer.ids == alone.ids and (answer.masks == alone.masks).all()
        assert look.text == answer.text == seen.text and look.token_chars == answer.token_chars
        np.testing.assert_array_equal(look.rows, seen.rows)
        assert look.rows.shape == (len(answer.ids), 16) and look.geometry.size == (70, 70)


def test_a_given_answer_is_read_in_one_pass(lisa, model):
    image, said = scene(70, 70), "Sure, it is [SEG] and [SEG]"
    (found,) = model.read_all([image], [PROMPTS[0]], [said])
    ids = model.processor.tokenizer(said, add_special_tokens=False).input_ids
    assert list(found.answer.ids) == ids and ids.count(lisa.added["[SEG]"]) == 2
    forced = model.answer_all([image], [PROMPTS[0]], max_new_tokens=len(ids), logits_processor=[Written(ids)])[0]
    np.testing.assert_allclose(found.answer.states, forced.states, atol=1e-5)
    assert (found.answer.masks == forced.masks).all() and len(forced.masks) == 2


def test_a_mask_token_of_the_prompt_counts_first(lisa, model):
    image, seg = scene(70, 70), lisa.added["[SEG]"]
    (answer,) = model.answer_all([image], ["Is [SEG] a star?"], max_new_tokens=2, logits_processor=[Written([seg, 2])])
    assert list(answer.ids) == [seg] and len(answer.masks) == 2
    (alone,) = model.answer_all([image], ["Is [SEG] a star?"], max_new_tokens=1, logits_processor=[Written([2])])
    assert len(alone.masks) == 1 and (alone.masks[0] == answer.masks[0]).all()


def test_two_images_in_words_and_beams_are_errors(model):
    with pytest.raises(ValueError, match="expected one image"):
        model.answer_all([scene(70, 70)], ["What is <image>?"])
    with pytest.raises(ValueError, match="num_beams=1"):
        model.answer_all([scene(70, 70)], [PROMPTS[0]], max_new_tokens=4, num_beams=2)


def test_nothing_of_a_document_is_kept(model):
    def tensors():
        gc.collect()
        return sum(isinstance(each, torch.Tensor) for each in gc.get_objects())

    model.look_all([scene(70, 70)], [PROMPTS[0]], max_new_tokens=4)
    before = tensors()
    for seed in range(3):
        model.look_all([scene(70, 70, seed)], [PROMPTS[0]], max_new_tokens=4)
    assert tensors() == before


@pytest.mark.parametrize(("kind", "shards"), [("bin", 3), ("safetensors", 1), ("safetensors", 4)])
def test_every_layout_of_files_holds_the_same_model(own, kind, shards):
    image = scene(70, 70)
    (expected,) = load_pixel_model(own.checkpoint).answer_all([image], [PROMPTS[0]], max_new_tokens=COUNT)
    again = load_pixel_model(own.write(shards=shards, kind=kind))
    (answer,) = again.answer_all([image], [PROMPTS[0]], max_new_tokens=COUNT)
    assert answer.ids == expected.ids and (answer.masks == expected.masks).all()


def test_tensors_that_are_missing_unknown_and_of_other_shapes_are_listed(own):
    tensors = own.tensors()
    del tensors["model.layers.1.mlp.up_proj.weight"], tensors["model.visual_model.prompt_encoder.no_mask_embed.weight"]
    tensors["model.visual_model.image_encoder.blocks.0.attn.lora"] = torch.zeros(2)
    tensors["model.text_hidden_fcs.0.0.bias"] = torch.zeros(31)
    with pytest.raises(CheckpointError) as error:
        load_pixel_model(own.write(tensors))
    lines = str(error.value).splitlines()
    assert "no place for 1 keys: model.visual_model.image_encoder.blocks.0.attn.lora" in lines[1]
    assert "nothing for 2 keys: model.model.language_model.layers.1.mlp.up_proj.weight, sam.prompt_encoder" in lines[2]
    assert "other shapes for 1 keys: model.text_hidden_fcs.0.0.bias: expected (32,), but got (31,)" in lines[3]


@pytest.mark.parametrize(
    "key",
    [
        "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight", "model.mm_projector.weight",
        "model.text_hidden_fcs.0.0.weight", "model.text_hidden_fcs.0.2.weight",
        "model.visual_model.image_encoder.pos_embed", "model.visual_model.image_encoder.blocks.0.attn.rel_pos_h",
        "model.visual_model.image_encoder.neck.0.weight", "model.visual_model.mask_decoder.iou_token.weight",
        "model.visual_model.mask_decoder.transformer.layers.1.norm1.weight",
        "model.visual_model.mask_decoder.iou_prediction_head.layers.0.weight",
    ],
)  # fmt: skip
def test_no_tensor_can_be_missing_or_of_another_shape(own, key):
    tensors = own.tensors()
    with pytest.raises(CheckpointError):
        load_pixel_model(own.write({name: tensor for name, tensor in tensors.items() if name != key}))
    for shape in ((*tensors[key].shape[:-1], tensors[key].shape[-1] + 1), (7,) * tensors[key].ndim, (3,)):
        with pytest.raises(CheckpointError):
            load_pixel_model(own.write(tensors | {key: torch.zeros(shape)}))


def test_what_the_scripts_load_elsewhere_is_not_needed_here(own):
    tensors = own.tensors() | {"model.vision_tower.vision_tower.vision_model.pre_layrnorm.bias": torch.zeros(24)}
    load_pixel_model(own.write(tensors))


def test_a_missing_shard_and_missing_weights_are_said(own):
    folder = own.write(shards=2)
    (own.folder / "checkpoint" / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(FileNotFoundError, match="00002-of-00002"):
        load_pixel_model(folder)
    own.write({})
    (own.folder / "checkpoint" / "pytorch_model.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors or pytorch_model\.bin"):
        load_pixel_model(folder)


def test_dtypes_devices_and_kernels(lisa):
    half = load_pixel_model(lisa.checkpoint, options=Options(torch.bfloat16, "auto", "eager"))
    dtypes = {part.dtype for part in (half.model, half.model.model.vision_tower, half.decoder.sam)}
    assert dtypes == {torch.bfloat16} == {next(half.projection.parameters()).dtype}
    (answer,) = half.answer_all([scene(70, 70)], ["Sure"], max_new_tokens=3, logits_processor=[Written([5, 330, 2])])
    assert answer.masks.shape == (1, 70, 70) and answer.low_res_logits.dtype == np.float32
    assert half.model.model.language_model.config._attn_implementation == "eager"


def test_the_checkpoints_own_dtype_is_the_language_models(own):
    config = own.folder / "checkpoint" / "config.json"
    config.write_text(config.read_text().replace('"float32"', '"bfloat16"'))
    model = load_pixel_model(own.checkpoint)
    assert model.model.dtype == torch.bfloat16 and model.decoder.sam.dtype == torch.float32


def test_families_and_options_are_checked(own):
    with pytest.raises(ValueError, match="an option of lisa .*'template'"):
        load_pixel_model(own.checkpoint, options=Options(more={"templates": "llava_v1"}))
    with pytest.raises(ValueError, match="llava_v1"):
        load_pixel_model(own.checkpoint, options=Options(more={"template": "llava_v2"}))
    with pytest.raises(ValueError, match="family to be one of .*did you mean 'lisa'"):
        load_pixel_model(own.checkpoint, family="lissa")
    config = own.folder / "checkpoint" / "config.json"
    config.write_text(config.read_text().replace("LISAForCausalLM", "LlavaForCausalLM"))
    with pytest.raises(ValueError, match=r"LlavaForCausalLM.*give family=NAME"):
        load_pixel_model(own.checkpoint)
    assert load_pixel_model(own.checkpoint, family="lisa").family == "lisa"


def test_a_tokenizer_without_the_mask_token_is_an_error(own):
    (own.folder / "checkpoint" / "added_tokens.json").write_text('{"<im_start>": 331, "<im_end>": 332}')
    with pytest.raises(ValueError, match=r"to hold \[SEG\]"):
        load_pixel_model(own.checkpoint)


def test_the_vision_tower_may_lie_elsewhere(own, tmp_path):
    (own.folder / "openai").rename(tmp_path / "elsewhere")
    tower = str(tmp_path / "elsewhere" / "clip-vit-tiny")
    assert load_pixel_model(own.checkpoint, options=Options(more={"vision_tower": tower})).family == "lisa"
