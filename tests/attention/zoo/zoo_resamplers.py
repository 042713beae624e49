"""Architectures whose image tokens are queries that see the whole image: resamplers and Q-formers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import transformers as hf
from attention.zoo.zoo_parts import (
    IDS,
    SQUARE,
    WIDTH,
    Parts,
    call_flat,
    call_padded_right,
    make_tokenizer,
    text,
    vision,
)
from tokenizers import AddedToken


def idefics2() -> Parts:
    processor = hf.Idefics2Processor(
        hf.Idefics2ImageProcessor(size={"shortest_edge": 28, "longest_edge": 112}, do_image_splitting=False),
        make_tokenizer(), image_seq_len=8,
    )  # fmt: skip
    resampler = dict(
        resampler_n_latents=8, resampler_depth=2, resampler_n_heads=4, resampler_head_dim=16, num_key_value_heads=2,
        hidden_size=WIDTH,
    )  # fmt: skip
    config = hf.Idefics2Config(
        text_config=text("mistral", head_dim=16), vision_config=vision(image_size=112), perceiver_config=resampler,
        image_token_id=IDS["<image>"],
    )  # fmt: skip
    return Parts(processor, hf.Idefics2ForConditionalGeneration, config)


def aria() -> Parts:
    resolutions = [[1, 2], [2, 1], [2, 2], [1, 3], [3, 1]]
    processor = hf.AriaProcessor(
        hf.AriaImageProcessor(
            max_image_size=980, min_image_size=28, split_resolutions=resolutions, split_image=False
        ),
        make_tokenizer(image_token="<image>"), size_conversion={980: 8},
    )  # fmt: skip
    tower = vision("idefics3_vision", image_size=980, patch_size=70)
    config = hf.AriaConfig(
        text_config=text(moe_num_experts=2, moe_topk=1, moe_num_shared_experts=1), vision_config=tower,
        image_token_index=IDS["<image>"], projector_patch_to_query_dict={196: 8}, vision_feature_layer=-1,
    )  # fmt: skip
    return Parts(processor, hf.AriaForConditionalGeneration, config, call=call_flat)


FORMER = dict(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=len(IDS),
    encoder_hidden_size=32,
)  # fmt: skip
OPT = dict(ffn_dim=96, word_embed_proj_dim=WIDTH)


def blip_2_t5() -> Parts:
    parts = blip_2()
    language = dict(
        model_type="t5", vocab_size=len(IDS), d_model=WIDTH, d_kv=16, d_ff=96, num_layers=3, num_decoder_layers=3,
        num_heads=4, dropout_rate=0.0, decoder_start_token_id=0, pad_token_id=0, eos_token_id=2,
    )  # fmt: skip
    config = hf.Blip2Config(
        text_config=language, vision_config=vision(), qformer_config=FORMER, num_query_tokens=8,
        image_token_index=IDS["<image>"],
    )  # fmt: skip
    return replace(
        parts, config=config, call=call_padded_right, note="the language model is an encoder-decoder", patch=_talkative
    )


@torch.no_grad()
def _talkative(model: Any) -> None:
    """Its random weights would answer with padding alone."""
    model.language_model.shared.weight[0] = 0


def blip_2() -> Parts:
    processor = hf.Blip2Processor(
        hf.BlipImageProcessor(size=SQUARE), make_tokenizer(image_token="<image>"), num_query_tokens=8
    )
    processor.image_token = AddedToken("<image>", normalized=False, special=True)
    config = hf.Blip2Config(
        text_config=text("opt", **OPT), vision_config=vision(), qformer_config=FORMER, num_query_tokens=8,
        image_token_index=IDS["<image>"],
    )  # fmt: skip
    return Parts(
        processor, hf.Blip2ForConditionalGeneration, config, "", call=call_flat, most_images=1, image_token="<image>"
    )
