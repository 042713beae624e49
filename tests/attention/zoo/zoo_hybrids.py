"""Architectures whose decoder mixes softmax attention with convolutions, state spaces or relative biases."""

from __future__ import annotations

from typing import Any

import transformers as hf
from attention.zoo.zoo_parts import HYBRID, IDS, WIDTH, Parts, call_flat, make_tokenizer, text, vision
from attention.zoo.zoo_tiles import minicpmv4_6


def minicpmv4_7() -> Parts:
    return minicpmv4_6("MiniCPMV4_7")


def minicpm_ocr() -> Parts:
    named = dict(
        image_token="<|image_pad|>", video_token="<|video_pad|>", image_start_token="<|image_start|>",
        image_end_token="<|image_end|>", slice_start_token="<slice>", slice_end_token="</slice>",
        image_id_start_token="<image_id>", image_id_end_token="</image_id>",
    )  # fmt: skip
    processor = hf.MiniCPMOcrProcessor(
        hf.MiniCPMOcrImageProcessor(), hf.MiniCPMOcrVideoProcessor(), make_tokenizer(**named)
    )
    config = hf.MiniCPMOcrConfig(
        text_config=text("qwen3_5_text", **HYBRID), vision_config=vision(), insert_layer_id=0,
        image_token_id=IDS["<|image_pad|>"],
    )  # fmt: skip
    return Parts(processor, hf.MiniCPMOcrForConditionalGeneration, config, "<|image_pad|>")


INKLING = dict(
    head_dim=16, swa_num_attention_heads=4, swa_num_key_value_heads=2, swa_head_dim=16, sliding_window_size=16,
    d_rel=8, rel_extent=64, conv_kernel_size=4, moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2,
    unpadded_vocab_size=len(IDS), num_hidden_layers=4, layer_types=["hybrid_sliding", "hybrid"] * 2,
)  # fmt: skip


def inkling2() -> Parts:
    return _inkling2(hf.Inkling2Config, hf.Inkling2ForConditionalGeneration)


def inkling2_loop() -> Parts:
    return _inkling2(hf.Inkling2LoopConfig, hf.Inkling2LoopForConditionalGeneration)


def _inkling2(config_class: Any, model_class: Any) -> Parts:
    processor = hf.Inkling2Processor(hf.Inkling2ImageProcessor(), make_tokenizer(image_token="<|unused_200054|>"))
    tower = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, projection_hidden_dim=64,
        text_hidden_size=WIDTH, posemb_grid_size=8,
    )  # fmt: skip
    config = config_class(
        text_config=text(**INKLING, n_layers_per_attn_res_block=2), vision_config=tower,
        image_token_id=IDS["<|unused_200054|>"],
    )  # fmt: skip
    return Parts(processor, model_class, config, "<|unused_200054|>")


def inkling_mm_model() -> Parts:
    processor = hf.InklingProcessor(hf.InklingFeatureExtractor(), hf.InklingImageProcessor(), make_tokenizer())
    config = hf.InklingConfig(
        text_config=text(**INKLING, n_shared_experts=1),
        vision_config=dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4), audio_config={},
        image_token_id=IDS["<|unused_200054|>"], audio_token_id=IDS["<|unused_200053|>"],
        image_bos_token_id=IDS["<|content_image|>"], audio_bos_token_id=IDS["<|content_audio_input|>"],
    )  # fmt: skip
    return Parts(processor, hf.InklingForConditionalGeneration, config, "<|content_image|><|unused_200054|>")


def nemotron_h_omni() -> Parts:
    processor = hf.NemotronH_Omni_Reasoning_V3Processor(
        hf.NemotronH_Omni_Reasoning_V3ImageProcessor(min_num_patches=4, max_num_patches=64),
        hf.NemotronH_Omni_Reasoning_V3VideoProcessor(),
        make_tokenizer(image_token="<image>", video_token="<video>", audio_token="<so_embedding>"),
        hf.ParakeetFeatureExtractor(),
    )  # fmt: skip
    decoder = text(
        "nemotron_h", num_hidden_layers=4, layers_block_type=["mamba", "attention", "mamba", "attention"],
        head_dim=16, mamba_num_heads=4, mamba_head_dim=16, ssm_state_size=16, n_groups=2,
    )  # fmt: skip
    audio = dict(
        model_type="parakeet_encoder", projection_hidden_size=32, projection_bias=False, hidden_size=32,
        intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
    )  # fmt: skip
    config = hf.NemotronH_Omni_Reasoning_V3_Config(
        text_config=decoder, vision_config=dict(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, video_temporal_patch_size=2, patch_size=16,
            max_img_size=256,
        ),
        audio_config=audio, vision_hidden_size=32, projector_hidden_size=64, image_token_id=IDS["<image>"],
        video_token_id=IDS["<video>"], audio_token_id=IDS["<so_embedding>"],
    )  # fmt: skip
    return Parts(processor, hf.NemotronH_Omni_Reasoning_V3, config, "<img><image></img>", call=call_flat)
