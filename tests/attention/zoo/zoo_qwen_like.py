"""Architectures that are called like Qwen2-VL: a dynamic grid of merged patches and a tensor of grid sizes."""

from __future__ import annotations

from typing import Any

import transformers as hf
from attention.zoo.zoo_grids import GLM_IDS, GLM_PLACEHOLDER, PIXELS, QWEN_TOWER
from attention.zoo.zoo_parts import IDS, WIDTH, Parts, call_flat, make_tokenizer, mrope, text, vision

TOKENS = {
    "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}  # fmt: skip
TOKEN_IDS = {
    "image_token_id": IDS["<|image_pad|>"], "video_token_id": IDS["<|video_pad|>"],
    "vision_start_token_id": IDS["<|vision_start|>"], "vision_end_token_id": IDS["<|vision_end|>"],
}  # fmt: skip
PLACEHOLDER = "<|vision_start|><|image_pad|><|vision_end|>"
DEEPSTACK = {"deepstack_visual_indexes": [0]}
PIXELS16 = {"patch_size": 16, "min_pixels": 32 * 32, "max_pixels": 32 * 32 * 16}


def cohere_compass() -> Parts:
    processor = hf.CohereCompassProcessor(
        hf.CohereCompassImageProcessor(**PIXELS16), make_tokenizer(), hf.CohereCompassVideoProcessor()
    )
    config = hf.CohereCompassConfig(
        text_config=text(layer_types=["sliding_attention", "full_attention", "sliding_attention"], sliding_window=16,
            rope_parameters={kind: mrope(mrope_section=[3, 3, 2]) for kind in ("sliding_attention", "full_attention")},
        ),
        vision_config=QWEN_TOWER | DEEPSTACK | {"num_position_embeddings": 64},
        image_token_id=IDS["<|IMAGE_PAD|>"], video_token_id=IDS["<|VIDEO_PAD|>"],
        vision_start_token_id=IDS["<|VISION_START|>"], vision_end_token_id=IDS["<|VISION_END|>"],
    )  # fmt: skip
    placeholder = "<|VISION_START|><|IMAGE_PAD|><|VISION_END|>"
    return Parts(processor, hf.CohereCompassForConditionalGeneration, config, placeholder)


def cosmos3_edge() -> Parts:
    processor = hf.Cosmos3EdgeProcessor(
        hf.Cosmos3EdgeImageProcessor(size={"shortest_edge": 32 * 32, "longest_edge": 32 * 32 * 16}),
        make_tokenizer(**TOKENS), hf.Cosmos3EdgeVideoProcessor(),
    )  # fmt: skip
    config = hf.Cosmos3EdgeConfig(
        text_config=text(head_dim=16, rope_parameters=mrope(type="default")),
        vision_config=vision(patch_size=16, num_patches=16), projector_hidden_size=64, **TOKEN_IDS,
    )  # fmt: skip
    return Parts(
        processor, hf.Cosmos3EdgeForConditionalGeneration, config, PLACEHOLDER, {"return_mm_token_type_ids": True}
    )


def cosmos3_omni() -> Parts:
    return _qwen3(
        hf.Cosmos3OmniConfig, hf.Cosmos3OmniForConditionalGeneration, "qwen3_vl_text", {"model_type": "qwen3_vl_vision"}
    )


def _qwen3(config_class: Any, model_class: Any, text_type: str, tower: dict[str, Any], **changes: Any) -> Parts:
    processor = hf.Qwen3VLProcessor(
        hf.Qwen2VLImageProcessor(**PIXELS16), make_tokenizer(**TOKENS), hf.Qwen3VLVideoProcessor()
    )
    decoder = {"head_dim": 16, "rope_parameters": mrope(mrope_interleaved=True)} | changes
    config = config_class(
        text_config=text(text_type, **decoder),
        vision_config=QWEN_TOWER | DEEPSTACK | {"num_position_embeddings": 64} | tower, **TOKEN_IDS,
    )  # fmt: skip
    return Parts(processor, model_class, config, PLACEHOLDER)


def hyperclovax_vision_v2() -> Parts:
    processor = hf.HyperCLOVAXVisionV2Processor(
        hf.Qwen2VLImageProcessor(**PIXELS), make_tokenizer(**TOKENS), hf.Qwen2VLVideoProcessor()
    )
    tower = QWEN_TOWER | {"model_type": "qwen2_5_vl_vision", "fullatt_block_indexes": [1], "window_size": 56}
    config = hf.HyperCLOVAXVisionV2Config(
        text_config=text("hyperclovax"), vision_config=tower, image_token_id=IDS["<|image_pad|>"],
        video_token_id=IDS["<|video_pad|>"],
    )  # fmt: skip
    return Parts(processor, hf.HyperCLOVAXVisionV2ForConditionalGeneration, config, "<|image_pad|>")


def glmga() -> Parts:
    processor = hf.Glm46VProcessor(
        hf.GlmgaImageProcessor(size={"shortest_edge": 2 * 28 * 28, "longest_edge": 2 * 28 * 28 * 16}),
        make_tokenizer(image_token="<|image|>", video_token="<|video|>"), hf.Glm46VVideoProcessor(),
    )  # fmt: skip
    config = hf.GlmgaConfig(
        text_config=text("glm4v_text", head_dim=16, rope_parameters=mrope()),
        vision_config=QWEN_TOWER | {"model_type": "glm4v_vision"}, video_start_token_id=IDS["<|begin_of_video|>"],
        video_end_token_id=IDS["<|end_of_video|>"], **GLM_IDS,
    )  # fmt: skip
    return Parts(processor, hf.Glm46VForConditionalGeneration, config, GLM_PLACEHOLDER)


def ernie4_5_vl_moe() -> Parts:
    tokens = {
        "image_token": "<|image|>", "image_start_token": "<|begin_of_image|>", "image_end_token": "<|end_of_image|>",
        "video_token": "<|video|>", "video_start_token": "<|begin_of_video|>", "video_end_token": "<|end_of_video|>",
    }  # fmt: skip
    processor = hf.Ernie4_5_VLMoeProcessor(
        hf.Ernie4_5_VLMoeImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 16}),
        make_tokenizer(**tokens), hf.Ernie4_5_VLMoeVideoProcessor(),
    )  # fmt: skip
    decoder = text(
        moe_intermediate_size=[32, 16], moe_k=2, moe_num_experts=4, moe_num_shared_experts=1,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [3, 3, 2]},
    )  # fmt: skip
    tower = dict(depth=2, hidden_size=32, num_heads=4, intermediate_size=64)
    config = hf.Ernie4_5_VLMoeConfig(
        text_config=decoder, vision_config=tower, video_start_token_id=IDS["<|begin_of_video|>"],
        video_end_token_id=IDS["<|end_of_video|>"], **GLM_IDS,
    )  # fmt: skip
    return Parts(processor, hf.Ernie4_5_VLMoeForConditionalGeneration, config, GLM_PLACEHOLDER)


def hunyuan_vl() -> Parts:
    tokens = {"image_token": "<image>", "image_start_token": "<img>", "image_end_token": "</img>"}
    processor = hf.HunYuanVLProcessor(
        hf.HunYuanVLImageProcessor(size={"shortest_edge": 32 * 32, "longest_edge": 32 * 32 * 16}),
        make_tokenizer(**tokens),
    )
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2, 2]}
    config = hf.HunYuanVLConfig(
        text_config=text(head_dim=16, rope_parameters=rope),
        vision_config=vision(
            patch_size=16, out_hidden_size=WIDTH, text_hidden_size=WIDTH, max_image_size=256, min_image_size=32
        ),
        image_token_id=IDS["<image>"], im_start_id=IDS["<img>"], im_end_id=IDS["</img>"],
        im_newline_id=IDS["<|image_row|>"],
    )  # fmt: skip
    return Parts(processor, hf.HunYuanVLForConditionalGeneration, config, "<img><image></img>", call=call_flat)


def muse_glimmer() -> Parts:
    processor = hf.MuseGlimmerProcessor(
        hf.MuseGlimmerImageProcessor(max_image_tokens=16), hf.MuseGlimmerVideoProcessor(), make_tokenizer()
    )
    config = hf.MuseGlimmerConfig(
        text_config=_muse_text(), vision_config=_MUSE_TOWER, out_hidden_size=128, projector_hidden_size=64,
        image_token_id=IDS["<|patch|>"], video_token_id=IDS["<|video|>"],
    )  # fmt: skip
    return Parts(processor, hf.MuseGlimmerForConditionalGeneration, config, "<|patch|>")


_MUSE_TOWER = dict(
    pos_emb_height=8, pos_emb_width=8, num_attention_heads=2, num_hidden_layers=2, hidden_size=32,
    intermediate_size=64, max_position_embeddings=64,
)  # fmt: skip


def _muse_text(**changes: Any) -> dict[str, Any]:
    return text(head_dim=16, num_hidden_layers=4, sliding_window=16, **changes)


def muse_spark() -> Parts:
    processor = hf.MuseSparkProcessor(
        hf.MuseGlimmerImageProcessor(max_image_tokens=16), hf.MuseGlimmerVideoProcessor(), make_tokenizer(),
        hf.MuseSparkFeatureExtractor(),
    )  # fmt: skip
    experts = {"moe_intermediate_size": 32, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_hidden_size": 32}
    audio = dict(hidden_sizes=[16, 16, 16, 16], depths=[1, 1, 1, 1], out_hidden_size=WIDTH)
    config = hf.MuseSparkConfig(
        text_config=_muse_text(**experts), vision_config=_MUSE_TOWER, audio_config=audio, out_hidden_size=128,
        projector_hidden_size=64, image_token_id=IDS["<|patch|>"], video_token_id=IDS["<|video|>"],
        audio_token_id=IDS["<|audio|>"],
    )  # fmt: skip
    return Parts(processor, hf.MuseSparkForConditionalGeneration, config, "<|patch|>")


def lfm3_vl() -> Parts:
    processor = hf.Lfm3VlProcessor(
        hf.Qwen2VLImageProcessor(**PIXELS16), make_tokenizer(**TOKENS), hf.Qwen3VLVideoProcessor()
    )
    tower = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        layer_types=["conv", "full_attention", "conv"],
    )  # fmt: skip
    decoder = text("lfm2", num_hidden_layers=4, layer_types=["conv", "full_attention", "conv", "full_attention"])
    config = hf.Lfm3VlConfig(text_config=decoder, vision_config=tower, projector_hidden_size=64, **TOKEN_IDS)
    return Parts(processor, hf.Lfm3VlForConditionalGeneration, config, PLACEHOLDER)
