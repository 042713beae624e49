"""Architectures with compressed keys (latent attention) and with layers that choose keys by an index."""

from __future__ import annotations

from typing import Any

import transformers as hf
from attention.zoo.zoo_grids import DEEPSEEK, GLM_IDS, GLM_PLACEHOLDER, PIXELS, QWEN_TOWER
from attention.zoo.zoo_parts import HYBRID, IDS, PATCH, WIDTH, Parts, make_tokenizer, mrope, text, vision
from attention.zoo.zoo_qwen_like import PIXELS16, PLACEHOLDER, TOKEN_IDS, TOKENS

INDEX = {"index_topk": 64, "index_head_dim": 16, "index_n_heads": 2}


def mistral4() -> Parts:
    config = hf.Mistral3Config(
        text_config=text("mistral4", **DEEPSEEK), vision_config=vision("pixtral", image_size=112),
        image_token_index=IDS["[IMG]"], spatial_merge_size=2, vision_feature_layer=-1,
    )  # fmt: skip
    return Parts(
        _pixtral_processor(), hf.Mistral3ForConditionalGeneration, config, "[IMG]",
        note="the mapping's class reads text only; this is the decoder inside Mistral3ForConditionalGeneration",
    )  # fmt: skip


def _pixtral_processor() -> Any:
    return hf.PixtralProcessor(
        hf.PixtralImageProcessor(size={"longest_edge": 112}, patch_size={"height": PATCH, "width": PATCH}),
        make_tokenizer(), patch_size=PATCH, spatial_merge_size=2,
    )  # fmt: skip


def mistral_large4() -> Parts:
    config = hf.MistralLarge4Config(
        text_config=text(**DEEPSEEK, head_dim=8, **INDEX), vision_config=vision("pixtral", image_size=112),
        image_token_index=IDS["[IMG]"], spatial_merge_size=2,
    )  # fmt: skip
    return Parts(_pixtral_processor(), hf.MistralLarge4ForConditionalGeneration, config, "[IMG]")


def dots3_note() -> Parts:
    processor = hf.Dots3NoteProcessor(
        hf.Qwen2VLImageProcessor(**PIXELS, temporal_patch_size=1), make_tokenizer(), hf.Qwen2VLVideoProcessor(),
        hf.Dots3NoteFeatureExtractor(),
    )  # fmt: skip
    decoder = text(
        **DEEPSEEK, **INDEX, sliding_window=16, num_hidden_layers=4, head_dim=16, shared_experts_intermediate_size=32
    )
    audio = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4, downsample_hidden_size=16,
        adapter_input_size=32, adapter_out_dim=WIDTH,
    )  # fmt: skip
    tower = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, moe_intermediate_size=32,
        num_local_experts=4, num_experts_per_tok=2, adapter_in_dim=32, adapter_out_dim=WIDTH,
        mlp_layer_types=["dense", "sparse"],
    )  # fmt: skip
    config = hf.Dots3NoteConfig(
        text_config=decoder, vision_config=tower, audio_config=audio, image_token_id=IDS["<|imgpad|>"],
        video_token_id=IDS["<|video_pad|>"], audio_token_id=IDS["<|audio_comp_pad|>"],
    )  # fmt: skip
    return Parts(processor, hf.Dots3NoteForConditionalGeneration, config, "<|imgpad|>")


def glm5_next() -> Parts:
    processor = hf.Glm5NextProcessor(
        hf.Glm5NextImageProcessor(max_image_tokens=16, min_image_tokens=1),
        make_tokenizer(image_token="<|image|>", video_token="<|video|>"), hf.Glm5NextVideoProcessor(),
    )  # fmt: skip
    decoder = text(
        **DEEPSEEK | {"qk_rope_head_dim": 0, "v_head_dim": 16, "qk_nope_head_dim": 16}, **INDEX, num_hidden_layers=4,
        head_dim=0, linear_head_dim=16, linear_num_heads=4, hc_mult=2, index_kpool=1,
        layer_types=["linear_attention", "indexed_attention"] * 2,
    )  # fmt: skip
    config = hf.Glm5NextConfig(
        text_config=decoder, vision_config=QWEN_TOWER | {"image_size": 56, "projection_intermediate_size": 64},
        video_start_token_id=IDS["<|begin_of_video|>"], video_end_token_id=IDS["<|end_of_video|>"], **GLM_IDS,
    )  # fmt: skip
    return Parts(processor, hf.Glm5NextForConditionalGeneration, config, GLM_PLACEHOLDER)


def hy_v4_vl() -> Parts:
    processor = hf.HYV4VLProcessor(
        hf.HYV4VLImageProcessor(size={"shortest_edge": 32 * 32, "longest_edge": 32 * 32 * 16}),
        make_tokenizer(image_token="<|image_pad|>", video_token="<|video_pad|>"), hf.HYV4VLVideoProcessor(),
    )  # fmt: skip
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    config = hf.HYV4VLConfig(
        text_config=text(**DEEPSEEK, **INDEX, hc_mult=2, rope_parameters=rope),
        vision_config=vision(patch_size=16, out_hidden_size=WIDTH, max_image_size=256),
        image_token_id=IDS["<|image_pad|>"], video_token_id=IDS["<|video_pad|>"],
    )  # fmt: skip
    return Parts(processor, hf.HYV4VLForConditionalGeneration, config, "<img><|image_pad|></img>")


def qwen4_exp() -> Parts:
    processor = hf.Qwen3VLProcessor(
        hf.Qwen2VLImageProcessor(**PIXELS16), make_tokenizer(**TOKENS), hf.Qwen3VLVideoProcessor()
    )
    decoder = text(
        **HYBRID | {"layer_types": ["linear_attention", "indexed_attention"] * 2}, num_experts=4,
        num_experts_per_tok=2, moe_intermediate_size=32, shared_expert_intermediate_size=32, hc_count=2, hc_lowrank=8,
        indexer_n_heads=2, indexer_kv_heads=1, indexer_head_dim=16, indexer_budget=64, indexer_compress_ratio=1,
        rope_parameters=mrope(mrope_interleaved=True, partial_rotary_factor=0.25),
    )  # fmt: skip
    config = hf.Qwen4ExpConfig(
        text_config=decoder, vision_config=QWEN_TOWER | {"num_position_embeddings": 64}, **TOKEN_IDS
    )
    return Parts(processor, hf.Qwen4ExpForConditionalGeneration, config, PLACEHOLDER)
