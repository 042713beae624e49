"""Families in miniature whose grid follows the image: processor, model class, configuration and placeholder of each."""

from __future__ import annotations

from typing import Any

import transformers as hf
from attention.toys import IDS, PATCH, WIDTH, make_tokenizer, text_config, vision_config

QWEN_TOKENS = {
    "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}  # fmt: skip


QWEN_IDS = {
    "image_token_id": IDS["<|image_pad|>"], "video_token_id": IDS["<|video_pad|>"],
    "vision_start_token_id": IDS["<|vision_start|>"], "vision_end_token_id": IDS["<|vision_end|>"],
}  # fmt: skip


QWEN_PLACEHOLDER = "<|vision_start|><|image_pad|><|vision_end|>"


QWEN_VISION = {"depth": 2, "num_heads": 4}


def rope(**changes: Any) -> dict[str, Any]:
    return {"type": "mrope", "rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]} | changes


def qwen2_vl():
    processor = hf.Qwen2VLProcessor(
        hf.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=28 * 28 * 16),
        make_tokenizer(**QWEN_TOKENS), hf.Qwen2VLVideoProcessor(),
    )  # fmt: skip
    config = hf.Qwen2VLConfig(
        text_config=text_config(rope_parameters=rope()),
        vision_config=QWEN_VISION | {"embed_dim": 32, "hidden_size": WIDTH}, **QWEN_IDS,
    )  # fmt: skip
    return processor, hf.Qwen2VLForConditionalGeneration, config, QWEN_PLACEHOLDER


def qwen2_5_vl():
    processor = hf.Qwen2_5_VLProcessor(
        hf.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=28 * 28 * 16),
        make_tokenizer(**QWEN_TOKENS), hf.Qwen2VLVideoProcessor(),
    )  # fmt: skip
    vision = {"hidden_size": 32, "intermediate_size": 64, "out_hidden_size": WIDTH, "fullatt_block_indexes": [1]}
    config = hf.Qwen2_5_VLConfig(
        text_config=text_config(rope_parameters=rope()),
        vision_config=QWEN_VISION | vision | {"window_size": 56}, **QWEN_IDS,
    )  # fmt: skip
    return processor, hf.Qwen2_5_VLForConditionalGeneration, config, QWEN_PLACEHOLDER


def like_qwen3_vl(name: str, vision: dict[str, Any], **text: Any):
    """Of the classes with this name in transformers."""
    processor = hf.Qwen3VLProcessor(
        hf.Qwen2VLImageProcessor(patch_size=16, min_pixels=32 * 32, max_pixels=32 * 32 * 16),
        make_tokenizer(**QWEN_TOKENS), hf.Qwen3VLVideoProcessor(),
    )  # fmt: skip
    vision = {"hidden_size": 32, "intermediate_size": 64, "out_hidden_size": WIDTH} | vision
    config = getattr(hf, f"{name}Config")(
        text_config=text_config(**{"head_dim": 16, "rope_parameters": rope(mrope_interleaved=True)} | text),
        vision_config=QWEN_VISION | vision | {"num_position_embeddings": 64}, **QWEN_IDS,
    )  # fmt: skip
    return processor, getattr(hf, f"{name}ForConditionalGeneration"), config, QWEN_PLACEHOLDER


DEEPSTACK = {"deepstack_visual_indexes": [0]}


EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}


# Every other layer has no softmax attention; a quarter of a head is rotated, as in earnest.
HYBRID = {
    "num_hidden_layers": 4, "layer_types": ["linear_attention", "full_attention"] * 2, "head_dim": 64,
    "rope_parameters": rope(mrope_interleaved=True, partial_rotary_factor=0.25), "linear_key_head_dim": 16,
    "linear_value_head_dim": 16, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
}  # fmt: skip


def qwen3_vl():
    return like_qwen3_vl("Qwen3VL", DEEPSTACK)


def qwen3_vl_moe():
    return like_qwen3_vl("Qwen3VLMoe", DEEPSTACK, **EXPERTS)


def qwen3_5():
    return like_qwen3_vl("Qwen3_5", {}, **HYBRID)


def qwen3_5_moe():
    return like_qwen3_vl("Qwen3_5Moe", {}, **HYBRID, **EXPERTS, shared_expert_intermediate_size=32)


def pixtral_processor(merge: int):
    return hf.PixtralProcessor(
        hf.PixtralImageProcessor(size={"longest_edge": 112}, patch_size={"height": PATCH, "width": PATCH}),
        make_tokenizer(), patch_size=PATCH, spatial_merge_size=merge,
    )  # fmt: skip


def mistral3():
    config = hf.Mistral3Config(
        text_config=text_config("mistral", head_dim=16),
        vision_config=vision_config("pixtral", image_size=112), image_token_index=IDS["[IMG]"], spatial_merge_size=2,
        vision_feature_layer=-1,
    )  # fmt: skip
    return pixtral_processor(merge=2), hf.Mistral3ForConditionalGeneration, config, "[IMG]"


def pixtral():
    config = hf.LlavaConfig(
        text_config=text_config("mistral", head_dim=16), vision_config=vision_config("pixtral", image_size=112),
        image_token_index=IDS["[IMG]"], vision_feature_layer=-1, vision_feature_select_strategy="full",
    )  # fmt: skip
    return pixtral_processor(merge=1), hf.LlavaForConditionalGeneration, config, "[IMG]"


def like_glm4v(name: str, processor: str, **text: Any):
    """Of the classes with these names in transformers."""
    make_processor, images, videos = (
        getattr(hf, processor + kind) for kind in ("Processor", "ImageProcessor", "VideoProcessor")
    )
    config = getattr(hf, f"{name}Config")(
        text_config=text_config(**{"head_dim": 16, "rope_parameters": rope()} | text),
        vision_config=QWEN_VISION | {"hidden_size": 32, "intermediate_size": 64, "out_hidden_size": WIDTH},
        image_token_id=IDS["<|image|>"], video_token_id=IDS["<|video|>"],
        image_start_token_id=IDS["<|begin_of_image|>"], image_end_token_id=IDS["<|end_of_image|>"],
        video_start_token_id=IDS["<|begin_of_video|>"], video_end_token_id=IDS["<|end_of_video|>"],
    )  # fmt: skip
    made = make_processor(
        images(size={"shortest_edge": 2 * 28 * 28, "longest_edge": 2 * 28 * 28 * 16}),
        make_tokenizer(image_token="<|image|>", video_token="<|video|>"), videos(),
    )  # fmt: skip
    placeholder = "<|begin_of_image|><|image|><|end_of_image|>"
    return made, getattr(hf, f"{name}ForConditionalGeneration"), config, placeholder


def glm4v():
    return like_glm4v("Glm4v", "Glm4v")


def glm46v():
    return like_glm4v("Glm46V", "Glm46V")


def glm4v_moe():
    # Half a head is rotated, as in earnest.
    experts = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    return like_glm4v("Glm4vMoe", "Glm4v", **experts, head_dim=32, rope_parameters=rope(partial_rotary_factor=0.5))
