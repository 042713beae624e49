"""The sizes that shapes tell, phrases of answers, and conversations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pixfound_tasks.masks import decode
from pixfound_tasks.pixel.base import PixelAnswer, PixelModel
from pixfound_tasks.pixel.clip_pixels import ClipPixels
from pixfound_tasks.pixel.conversation import TEMPLATES, conversation
from pixfound_tasks.pixel.placement import Placement
from pixfound_tasks.pixel.responses import own_response, with_own_masks
from pixfound_tasks.pixel.sam_decoder import resized, sam_pixels
from pixfound_tasks.pixel.sam_weights import sam_config
from pixfound_tasks.response import Response, Selection


def test_sam_vit_h_is_recognized_by_its_shapes():
    """The shapes are those of Meta's sam_vit_h_4b8939.pth, the numbers those of its build_sam_vit_h."""
    shapes = {
        "image_encoder.pos_embed": (1, 64, 64, 1280),
        "image_encoder.patch_embed.proj.weight": (1280, 3, 16, 16),
        "image_encoder.blocks.0.mlp.lin1.weight": (5120, 1280),
        "image_encoder.blocks.0.attn.qkv.bias": (3840,),
        "image_encoder.neck.0.weight": (256, 1280, 1, 1),
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix": (2, 128),
        "prompt_encoder.mask_downscaling.3.weight": (16, 4, 2, 2),
        "mask_decoder.iou_token.weight": (1, 256),
        "mask_decoder.mask_tokens.weight": (4, 256),
        "mask_decoder.transformer.layers.0.mlp.lin1.weight": (2048, 256),
        "mask_decoder.transformer.layers.0.cross_attn_token_to_image.q_proj.weight": (128, 256),
        "mask_decoder.iou_prediction_head.layers.0.weight": (256, 256),
        "mask_decoder.iou_prediction_head.layers.1.weight": (256, 256),
        "mask_decoder.iou_prediction_head.layers.2.weight": (4, 256),
    }
    whole = (7, 15, 23, 31)
    for layer in range(32):
        shapes[f"image_encoder.blocks.{layer}.attn.rel_pos_h"] = (127 if layer in whole else 27, 80)
    shapes |= {f"prompt_encoder.point_embeddings.{number}.weight": (1, 256) for number in range(4)}
    shapes |= {f"mask_decoder.transformer.layers.{number}.norm1.weight": (256,) for number in range(2)}
    config = sam_config({f"model.sam.{name}": shape for name, shape in shapes.items()}, "model.sam.")
    vision, decoder = config.vision_config, config.mask_decoder_config
    assert (vision.num_hidden_layers, vision.num_attention_heads, vision.window_size) == (32, 16, 14)
    assert tuple(vision.global_attn_indexes) == whole and vision.image_size == 1024 and vision.mlp_dim == 5120
    assert (decoder.mlp_dim, decoder.num_hidden_layers, decoder.num_attention_heads) == (2048, 2, 8)
    assert (decoder.attention_downsample_rate, decoder.iou_head_depth, decoder.iou_head_hidden_dim) == (2, 3, 256)
    assert decoder.layer_norm_eps == 1e-5 and decoder.num_multimask_outputs == 3
    prompts = config.prompt_encoder_config
    assert (prompts.mask_input_channels, prompts.num_point_embeddings, prompts.hidden_size) == (16, 4, 256)


# <p> = 11, </p> = 12, [SEG] = 10; every other token is one letter of the text.
@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 11, 2, 3, 12, 10], [(1, 3)]),
        ([11, 1, 12, 10, 11, 2, 3, 12, 10], [(0, 1), (1, 3)]),
        ([11, 1, 12, 4, 10], [(0, 1)]),
        ([11, 1, 12, 10, 10], [(0, 1), None]),
        ([10, 11, 1, 12], [None]),
        ([1, 12, 10], [None]),
        ([11, 12, 10], [None]),
    ],
)
def test_a_mask_belongs_to_the_phrase_before_it(ids, expected):
    model = PixelModel("any", None, None, torch.nn.Identity(), None, 10, phrase_tokens=(11, 12))  # type: ignore[arg-type]
    ends = np.cumsum([token < 10 for token in ids]).tolist()
    spans = list(zip([0, *ends[:-1]], ends))
    assert [model.chars_of(ids, at, spans) for at, token in enumerate(ids) if token == 10] == expected
    model.phrase_tokens = None
    assert model.chars_of(ids, len(ids), spans) is None


def answer(count: int, chars) -> PixelAnswer:
    drawn = np.zeros((count, 4, 6), bool)
    for index in range(count):
        drawn[index, index] = True
    none = np.zeros((count, 1), np.float32)
    scores = np.linspace(0.5, 0.9, count, dtype=np.float32)
    spans = tuple((index, index + 1) for index in range(12))
    return PixelAnswer("the red star", (5,) * 12, drawn, chars, none[..., None], scores, None, none, none, spans)


def test_the_response_has_all_masks_or_the_first_and_the_phrases():
    found = own_response(answer(3, ((4, 12), None, (4, 12))), "all", {"model": "m"})
    assert found.text == "the red star" and found.tokens == 12 and found.provenance == {"model": "m"}
    assert [decode(mask).sum(axis=1).tolist() for mask in found.masks] == [
        [6, 0, 0, 0], [0, 6, 0, 0], [0, 0, 6, 0]
    ]  # fmt: skip
    (phrase,) = found.phrases
    assert (phrase.text, phrase.root, phrase.chars, phrase.tokens) == ("red star", "star", (4, 12), (4, 12))
    assert [candidate.mask for candidate in phrase.candidates] == [found.masks[0], found.masks[2]]
    assert [candidate.score for candidate in phrase.candidates] == [0.5, 0.9]
    assert own_response(answer(3, (None,) * 3), "first", {}).masks == found.masks[:1]
    empty = own_response(answer(0, ()), "all", {})
    assert empty.masks == () and empty.is_grounded and not decode(empty.prediction((4, 6))).any()


def test_own_masks_replace_those_of_attention_and_nothing_else():
    attended = Response("the red star", masks=(), selected=Selection("similarity"), provenance={"unanswered": True})
    found = with_own_masks(attended, answer(2, (None, None)), "all")
    assert len(found.masks) == 2 and found.selected == attended.selected and found.text == attended.text
    assert found.provenance == {"grounding": "both", "masks": "all"} and found.scores == (0.5, 0.9)


def message(role, text, image=False):
    return {"role": role, "content": [*([{"type": "image"}] if image else []), {"type": "text", "text": text}]}


def test_conversations_of_several_turns():
    turns = [message("user", "One?", True), message("assistant", "Yes."), message("user", "Two?")]
    v1 = conversation(TEMPLATES["llava_v1"], [message("system", "S."), *turns], "[<image>]\n{}")
    assert v1 == "S. USER: [<image>]\nOne? ASSISTANT: Yes.</s>USER: Two? ASSISTANT:"
    llama = conversation(TEMPLATES["llava_llama_2"], [message("system", "S."), *turns[:1]], "<image>\n{}")
    assert llama == "[INST] <<SYS>>\nS.\n<</SYS>>\n\n<image>\nOne? [/INST]"
    braces = conversation(TEMPLATES["llava_v1"], [message("user", "a {} {b}", True)], "<image>{}")
    assert braces.endswith("USER: <image>a {} {b} ASSISTANT:")
    for wrong in ([message("user", "no image")], [*turns, message("user", "again", True)]):
        with pytest.raises(ValueError, match="expected one image"):
            conversation(TEMPLATES["llava_v1"], wrong, "<image>{}")


def test_clip_sees_the_middle_and_sam_the_whole_padded():
    wide = Image.new("RGB", (40, 20))
    wide.paste((255, 255, 255), (10, 0, 30, 20))
    seen = ClipPixels({"size": 10, "crop_size": {"height": 10, "width": 10}, "resample": 0})([wide])
    assert seen.shape == (1, 3, 10, 10) and seen.min() > 1.9  # white alone
    assert resized((20, 40), 100) == (50, 100) and resized((3, 2), 4) == (4, 3)
    padded = sam_pixels(Image.new("RGB", (40, 20)), 64)
    np.testing.assert_allclose(padded[0, :32], -123.675 / 58.395, atol=1e-5)
    assert not padded[:, 32:].any()


def test_parts_are_placed_by_their_longest_prefix():
    module = torch.nn.ModuleDict({"model": torch.nn.Linear(1, 1)})
    placement = Placement(module, "cpu", torch.bfloat16, torch.float32)
    assert placement("model.layers.0") == (torch.device("cpu"), torch.bfloat16)
    placement.devices = {"model.layers.1": 0, "model.layers.10": 1, "lm_head": "cpu"}
    assert placement("model.model.layers.10.weight")[0] == torch.device("cuda", 1)
    assert placement("model.model.layers.1.weight")[0] == torch.device("cuda", 0)
    assert placement("sam.mask_decoder") == (torch.device("cpu"), torch.float32)  # where the states come out
