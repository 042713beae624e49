"""Architectures whose image tokens are written otherwise than by a placeholder that the processor expands."""

from __future__ import annotations

from typing import Any

import torch
import transformers as hf
from attention.zoo.zoo_parts import (
    IDS,
    PATCH,
    SIDE,
    SQUARE,
    WIDTH,
    Images,
    Parts,
    call_flat,
    make_tokenizer,
    text,
    vision,
)
from attention.zoo.zoo_resamplers import FORMER, OPT
from tokenizers import AddedToken

KOSMOS_TEXT = dict(
    vocab_size=2048, max_position_embeddings=512, embed_dim=WIDTH, layers=3, ffn_dim=96, attention_heads=4, dropout=0.0,
    attention_dropout=0.0, pad_token_id=0, bos_token_id=1, eos_token_id=2,
)  # fmt: skip


def _marked(model: Any, inputs: Any) -> torch.Tensor:
    """Kosmos's processors mark the places of image embeddings in the prompt."""
    return inputs["image_embeds_position_mask"] == 1


def kosmos_2() -> Parts:
    processor = hf.Kosmos2Processor(
        hf.CLIPImageProcessor(size=SQUARE, crop_size=SQUARE), make_tokenizer(), num_patch_index_tokens=16
    )
    processor.tokenizer.padding_side = "left"  # a side in the call is not read
    config = hf.Kosmos2Config(text_config=KOSMOS_TEXT, vision_config=vision(), latent_query_num=8)
    return Parts(
        processor, hf.Kosmos2ForConditionalGeneration, config, "", {"num_image_tokens": 8}, call_flat, 1,
        image_mask=_marked, note="image tokens are queries of a resampler",
    )  # fmt: skip


def kosmos_2_5() -> Parts:
    processor = hf.Kosmos2_5Processor(
        hf.Kosmos2_5ImageProcessor(max_patches=64),
        make_tokenizer(boi_token="<image>", eoi_token="</image>", image_token="<|image_pad|>"), num_image_tokens=8,
    )  # fmt: skip
    tower = dict(
        hidden_size=32, patch_embed_hidden_size=16 * 16 * 3, intermediate_size=64, head_dim=8, num_hidden_layers=2,
        num_attention_heads=4, max_num_patches=64,
    )  # fmt: skip
    config = hf.Kosmos2_5Config(text_config=KOSMOS_TEXT, vision_config=tower, latent_query_num=8)
    return Parts(
        processor, hf.Kosmos2_5ForConditionalGeneration, config, "", {"max_patches": 64}, call_flat, 1,
        image_mask=_marked, note="image tokens are queries of a resampler",
    )  # fmt: skip


def git() -> Parts:
    processor = hf.GitProcessor(hf.CLIPImageProcessor(size=SQUARE, crop_size=SQUARE), make_tokenizer())
    config = hf.GitConfig(
        vision_config=vision(), vocab_size=len(IDS), hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=96, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    return Parts(
        processor, hf.GitForCausalLM, config, "", {}, call_flat, 1, image_mask=_git_prefix,
        note="image tokens stand before the prompt and are not among its ids",
    )  # fmt: skip


def _git_prefix(model: Any, inputs: Any) -> torch.Tensor:
    patches = (SIDE // PATCH) ** 2 + 1
    mask = torch.zeros(len(inputs["input_ids"]), patches + inputs["input_ids"].shape[1], dtype=torch.bool)
    mask[:, :patches] = True
    return mask


class _Underscored(hf.PreTrainedTokenizerFast):
    """Puts an underscore before every text, as Fuyu's tokenizer does: its processor takes it away again."""

    def __call__(self, text: Any, **options: Any) -> Any:
        return super().__call__("▁" + text, **options)


def fuyu() -> Parts:
    processor = hf.FuyuProcessor(
        hf.FuyuImageProcessor(size={"height": 90, "width": 120}, patch_size={"height": 30, "width": 30}),
        make_tokenizer(_Underscored, image_token="|SPEAKER|"),
    )
    config = hf.FuyuConfig(**text(), text_config=text("persimmon"), patch_size=30, image_token_id=IDS["|SPEAKER|"])
    return Parts(
        processor, hf.FuyuForCausalLM, config, "", {}, _call_fuyu, 1, image_token="|SPEAKER|",
        note="no vision tower: patches are projected into the decoder",
    )  # fmt: skip


def _call_fuyu(processor: Any, images: Images, texts: list[str], **options: Any) -> Any:
    flat = [image for own in images for image in own]
    return processor(images=flat, text=list(texts), return_tensors="pt", **options)


def instructblip() -> Parts:
    tokenizer = make_tokenizer(image_token="<image>")
    processor = hf.InstructBlipProcessor(
        hf.BlipImageProcessor(size=SQUARE), tokenizer, make_tokenizer(), num_query_tokens=8
    )
    processor.image_token = AddedToken("<image>", normalized=False, special=True)
    config = hf.InstructBlipConfig(
        text_config=text("opt", **OPT), vision_config=vision(), qformer_config=FORMER, num_query_tokens=8,
        image_token_index=IDS["<image>"],
    )  # fmt: skip
    return Parts(
        processor, hf.InstructBlipForConditionalGeneration, config, "", {}, call_flat, 1, image_token="<image>",
        note="image tokens are queries of a Q-former",
    )  # fmt: skip


def instructblipvideo() -> Parts:
    processor = hf.InstructBlipVideoProcessor(
        hf.InstructBlipVideoVideoProcessor(size=SQUARE), make_tokenizer(video_token="<video>"), make_tokenizer(),
        num_query_tokens=8,
    )  # fmt: skip
    processor.video_token = AddedToken("<video>", normalized=False, special=True)
    config = hf.InstructBlipVideoConfig(
        text_config=text("opt", **OPT), vision_config=vision(), qformer_config=FORMER, num_query_tokens=8,
        video_token_index=IDS["<video>"],
    )  # fmt: skip
    return Parts(
        processor, hf.InstructBlipVideoForConditionalGeneration, config, "", {}, _call_as_video, 1,
        image_token="<video>", note="reads a video; an image is a video of four equal frames",
    )  # fmt: skip


def _call_as_video(processor: Any, images: Images, texts: list[str], **options: Any) -> Any:
    videos = [[own[0]] * 4 for own in images]
    return processor(images=videos, text=list(texts), return_tensors="pt", padding=True, padding_side="left", **options)
