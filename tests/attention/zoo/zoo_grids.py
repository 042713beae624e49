"""Architectures whose grid of image tokens follows the image."""

from __future__ import annotations

import transformers as hf
from attention.zoo.zoo_parts import EXPERTS, IDS, WIDTH, Parts, call_flat, make_tokenizer, mrope, text, vision

PIXELS = {"min_pixels": 28 * 28, "max_pixels": 28 * 28 * 16}
QWEN_TOWER = dict(depth=2, hidden_size=32, num_heads=4, intermediate_size=64, out_hidden_size=WIDTH)
DEEPSEEK = dict(
    num_key_value_heads=4, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=16,
    n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2, n_group=1, topk_group=1, moe_intermediate_size=32,
    first_k_dense_replace=1,
)  # fmt: skip
GEMMA4_TOKENS = dict(
    image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>",
    audio_token="<audio_soft_token>", boa_token="<start_of_audio>", eoa_token="<end_of_audio>",
)  # fmt: skip
GEMMA4_IDS = dict(
    image_token_id=IDS["<image_soft_token>"], boi_token_id=IDS["<start_of_image>"],
    eoi_token_id=IDS["<end_of_image>"],
)  # fmt: skip


def gemma4_text(**changes):
    layers = ["sliding_attention", "full_attention"] * 2
    return text(
        head_dim=16, global_head_dim=16, hidden_size_per_layer_input=8, vocab_size_per_layer_input=len(IDS),
        sliding_window=32, layer_types=layers, num_hidden_layers=4, **changes,
    )  # fmt: skip


def gemma4() -> Parts:
    processor = hf.Gemma4Processor(
        hf.Gemma4AudioFeatureExtractor(), hf.Gemma4ImageProcessor(max_soft_tokens=70),
        make_tokenizer(**GEMMA4_TOKENS), hf.Gemma4VideoProcessor(),
    )  # fmt: skip
    config = hf.Gemma4Config(
        text_config=gemma4_text(num_kv_shared_layers=0), vision_config=GEMMA4_TOWER, audio_config=None, **GEMMA4_IDS
    )
    return Parts(processor, hf.Gemma4ForConditionalGeneration, config, "<image_soft_token>")


GEMMA4_TOWER = dict(
    hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
    head_dim=8, patch_size=16, position_embedding_size=512, pooling_kernel_size=3,
)  # fmt: skip


def gemma4_unified() -> Parts:
    processor = hf.Gemma4UnifiedProcessor(
        hf.Gemma4AudioFeatureExtractor(), hf.Gemma4UnifiedImageProcessor(max_soft_tokens=70),
        make_tokenizer(**GEMMA4_TOKENS), hf.Gemma4UnifiedVideoProcessor(),
    )  # fmt: skip
    tower = dict(mm_embed_dim=WIDTH, mm_posemb_size=64, output_proj_dims=WIDTH)
    config = hf.Gemma4UnifiedConfig(text_config=gemma4_text(), vision_config=tower, **GEMMA4_IDS)
    return Parts(processor, hf.Gemma4UnifiedForConditionalGeneration, config, "<image_soft_token>")


def video_llama_3() -> Parts:
    processor = hf.VideoLlama3Processor(
        hf.VideoLlama3ImageProcessor(**PIXELS, patch_size=14),
        make_tokenizer(image_token="<image>", video_token="<video>"), hf.VideoLlama3VideoProcessor(),
    )  # fmt: skip
    tower = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, patch_size=14)
    config = hf.VideoLlama3Config(
        text_config=text("qwen2"), vision_config=tower, image_token_id=IDS["<image>"], video_token_id=IDS["<video>"]
    )
    return Parts(processor, hf.VideoLlama3ForConditionalGeneration, config)


def paddleocr_vl() -> Parts:
    processor = hf.PaddleOCRVLProcessor(hf.PaddleOCRVLImageProcessor(**PIXELS), make_tokenizer(image_token="<|IMAGE|>"))
    config = hf.PaddleOCRVLConfig(
        text_config=text(head_dim=16, rope_parameters=mrope()), vision_config=vision(),
        image_token_id=IDS["<|IMAGE|>"], video_token_id=IDS["<video>"],
        vision_start_token_id=IDS["<|vision_start|>"], vision_end_token_id=IDS["<|vision_end|>"],
    )  # fmt: skip
    placeholder = "<|vision_start|><|IMAGE|><|vision_end|>"
    return Parts(processor, hf.PaddleOCRVLForConditionalGeneration, config, placeholder, call=call_flat)


def kimi_k25() -> Parts:
    processor = hf.Kimi_K25Processor(
        hf.Kimi_K25ImageProcessor(),
        make_tokenizer(image_token="<|media_pad|>", video_token="<|kimi_k25_video_placeholder|>"),
        hf.Kimi_K25VideoProcessor(),
    )  # fmt: skip
    tower = dict(
        num_attention_heads=2, num_hidden_layers=2, hidden_size=32, intermediate_size=64, patch_size=14,
        pos_emb_height=16, pos_emb_width=16,
    )  # fmt: skip
    config = hf.Kimi_K25Config(
        text_config=text("deepseek_v3", **DEEPSEEK), vision_config=tower, projection_hidden_size=32,
        image_token_id=IDS["<|media_pad|>"], video_token_id=IDS["<|kimi_k25_video_placeholder|>"],
        vision_start_token_id=IDS["<|vision_start|>"], vision_end_token_id=IDS["<|vision_end|>"],
    )  # fmt: skip
    return Parts(processor, hf.Kimi_K25ForConditionalGeneration, config, "<|media_pad|>")


OMNI_TOKENS = dict(
    image_token="<|IMAGE|>", video_token="<|VIDEO|>", audio_token="<|AUDIO|>", vision_bos_token="<|vision_bos|>",
    vision_eos_token="<|vision_eos|>", audio_bos_token="<|audio_bos|>", audio_eos_token="<|audio_eos|>",
)  # fmt: skip
OMNI_PLACEHOLDER = "<|vision_bos|><|IMAGE|><|vision_eos|>"
OMNI_AUDIO = dict(
    d_model=32, encoder_layers=1, encoder_attention_heads=4, encoder_ffn_dim=64, output_dim=WIDTH, num_mel_bins=128
)


def qwen2_5_omni_thinker() -> Parts:
    processor = hf.Qwen2_5OmniProcessor(
        hf.Qwen2VLImageProcessor(**PIXELS), hf.Qwen2VLVideoProcessor(), hf.WhisperFeatureExtractor(feature_size=128),
        make_tokenizer(**OMNI_TOKENS),
    )  # fmt: skip
    config = hf.Qwen2_5OmniThinkerConfig(
        text_config=text(rope_parameters=mrope()),
        vision_config=QWEN_TOWER | dict(fullatt_block_indexes=[1], window_size=56), audio_config=OMNI_AUDIO,
        image_token_index=IDS["<|IMAGE|>"], video_token_index=IDS["<|VIDEO|>"], audio_token_index=IDS["<|AUDIO|>"],
        vision_start_token_id=IDS["<|vision_bos|>"], vision_end_token_id=IDS["<|vision_eos|>"],
        audio_start_token_id=IDS["<|audio_bos|>"], audio_end_token_id=IDS["<|audio_eos|>"],
    )  # fmt: skip
    model_class = hf.Qwen2_5OmniThinkerForConditionalGeneration
    return Parts(processor, model_class, config, OMNI_PLACEHOLDER, call=call_flat)


def qwen3_omni_moe_thinker() -> Parts:
    processor = hf.Qwen3OmniMoeProcessor(
        hf.Qwen2VLImageProcessor(patch_size=16, min_pixels=32 * 32, max_pixels=32 * 32 * 16),
        hf.Qwen2VLVideoProcessor(), hf.WhisperFeatureExtractor(feature_size=128), make_tokenizer(**OMNI_TOKENS),
    )  # fmt: skip
    config = hf.Qwen3OmniMoeThinkerConfig(
        text_config=text(head_dim=16, **EXPERTS, rope_parameters=mrope(mrope_interleaved=True)),
        vision_config=QWEN_TOWER | dict(deepstack_visual_indexes=[0], num_position_embeddings=64, patch_size=16),
        audio_config=OMNI_AUDIO | dict(downsample_hidden_size=16),
        image_token_id=IDS["<|IMAGE|>"], video_token_id=IDS["<|VIDEO|>"], audio_token_id=IDS["<|AUDIO|>"],
        vision_start_token_id=IDS["<|vision_bos|>"], vision_end_token_id=IDS["<|vision_eos|>"],
        audio_start_token_id=IDS["<|audio_bos|>"],
    )  # fmt: skip
    model_class = hf.Qwen3OmniMoeThinkerForConditionalGeneration
    return Parts(processor, model_class, config, OMNI_PLACEHOLDER, call=call_flat)


def lighton_ocr() -> Parts:
    processor = hf.LightOnOcrProcessor(
        hf.PixtralImageProcessor(size={"longest_edge": 112}, patch_size={"height": 14, "width": 14}),
        make_tokenizer(
            image_token="<|image_pad|>", image_break_token="<|vision_start|>", image_end_token="<|vision_end|>"
        ),
        patch_size=14, spatial_merge_size=2,
    )  # fmt: skip
    config = hf.LightOnOcrConfig(
        text_config=text("qwen3", head_dim=16), vision_config=vision("pixtral", image_size=112),
        image_token_id=IDS["<|image_pad|>"], spatial_merge_size=2,
    )  # fmt: skip
    return Parts(processor, hf.LightOnOcrForConditionalGeneration, config, "<|image_pad|>")


def exaone4_5() -> Parts:
    processor = hf.Exaone4_5_Processor(
        hf.Qwen2VLImageProcessor(**PIXELS), make_tokenizer(image_token="<|image_pad|>", video_token="<|video_pad|>"),
        hf.Qwen2VLVideoProcessor(),
    )  # fmt: skip
    config = hf.Exaone4_5_Config(
        text_config=text("exaone4", head_dim=16, sliding_window=16),
        vision_config=QWEN_TOWER | dict(num_key_value_heads=2, fullatt_block_indexes=[1], window_size=56),
        image_token_id=IDS["<|image_pad|>"], video_token_id=IDS["<|video_pad|>"],
    )  # fmt: skip
    return Parts(processor, hf.Exaone4_5_ForConditionalGeneration, config, "<|image_pad|>")


def glm_ocr() -> Parts:
    processor = hf.Glm46VProcessor(
        hf.Glm46VImageProcessor(size={"shortest_edge": 2 * 28 * 28, "longest_edge": 2 * 28 * 28 * 16}),
        make_tokenizer(image_token="<|image|>", video_token="<|video|>"), hf.Glm46VVideoProcessor(),
    )  # fmt: skip
    config = hf.GlmOcrConfig(
        text_config=text(head_dim=16, rope_parameters=mrope()), vision_config=QWEN_TOWER, **GLM_IDS
    )
    return Parts(processor, hf.GlmOcrForConditionalGeneration, config, GLM_PLACEHOLDER)


GLM_IDS = dict(
    image_token_id=IDS["<|image|>"], video_token_id=IDS["<|video|>"], image_start_token_id=IDS["<|begin_of_image|>"],
    image_end_token_id=IDS["<|end_of_image|>"],
)  # fmt: skip
GLM_PLACEHOLDER = "<|begin_of_image|><|image|><|end_of_image|>"


def minimax_m3_vl() -> Parts:
    processor = hf.MiniMaxM3VLProcessor(
        hf.MiniMaxM3VLImageProcessor(), make_tokenizer(), hf.MiniMaxM3VLVideoProcessor(),
    )  # fmt: skip
    config = hf.MiniMaxM3VLConfig(
        text_config=text(head_dim=16, num_local_experts=4, num_experts_per_tok=2), vision_config=vision(),
        image_token_index=IDS["]<]image[>["], video_token_index=IDS["]<]video[>["],
    )  # fmt: skip
    return Parts(processor, hf.MiniMaxM3SparseForConditionalGeneration, config, "]<]image[>[")
