"""Architectures that see one square per image."""

from __future__ import annotations

import transformers as hf
from attention.zoo.zoo_parts import (
    IDS,
    PATCH,
    PINPOINTS,
    SIDE,
    SIGLIP,
    SQUARE,
    WIDTH,
    Parts,
    call_flat,
    make_tokenizer,
    text,
    vision,
)


def deepseek_vl() -> Parts:
    processor = hf.DeepseekVLProcessor(
        hf.DeepseekVLImageProcessor(size=SQUARE, min_size=14), make_tokenizer(image_token="<image>"),
        num_image_tokens=16,
    )  # fmt: skip
    config = hf.DeepseekVLConfig(
        text_config=text("llama"), vision_config=vision(**SIGLIP), image_token_id=IDS["<image>"]
    )
    return Parts(processor, hf.DeepseekVLForConditionalGeneration, config)


def deepseek_vl_hybrid() -> Parts:
    processor = hf.DeepseekVLHybridProcessor(
        hf.DeepseekVLHybridImageProcessor(size=SQUARE, high_res_size={"height": 128, "width": 128}, min_size=14),
        make_tokenizer(image_token="<image>"), num_image_tokens=16,
    )  # fmt: skip
    high_resolution = dict(
        model_type="sam_vision_model", hidden_size=32, output_channels=16, num_hidden_layers=2, num_attention_heads=4,
        image_size=128, patch_size=16, mlp_dim=64, window_size=4, global_attn_indexes=[1],
    )  # fmt: skip
    config = hf.DeepseekVLHybridConfig(
        text_config=text("llama"), vision_config=vision(**SIGLIP), high_res_vision_config=high_resolution,
        image_token_id=IDS["<image>"],
    )  # fmt: skip
    return Parts(processor, hf.DeepseekVLHybridForConditionalGeneration, config)


def janus() -> Parts:
    processor = hf.JanusProcessor(
        hf.JanusImageProcessor(size=SQUARE, min_size=14),
        make_tokenizer(image_token="<image>", boi_token="<begin_of_image>", eoi_token="<end_of_image>"),
        num_image_tokens=16,
    )  # fmt: skip
    tower = dict(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE, patch_size=PATCH,
        projection_dim=WIDTH, num_image_tokens=16, mlp_ratio=2.0,
    )  # fmt: skip
    codes = dict(
        embed_dim=8, num_embeddings=16, latent_channels=32, base_channels=32, channel_multiplier=[1, 1],
        num_res_blocks=1, projection_dim=WIDTH, image_token_embed_dim=WIDTH,
    )  # fmt: skip
    config = hf.JanusConfig(
        text_config=text("llama"), vision_config=tower, vq_config=codes, image_token_id=IDS["<image>"]
    )
    return Parts(processor, hf.JanusForConditionalGeneration, config)


def window_tower(**changes):
    return dict(
        hidden_size=32, output_channels=16, num_hidden_layers=2, num_attention_heads=4, image_size=64, patch_size=4,
        mlp_dim=64, window_size=4, global_attn_indexes=[1],
    ) | changes  # fmt: skip


def got_ocr2() -> Parts:
    processor = hf.GotOcr2Processor(hf.GotOcr2ImageProcessor(size={"height": 64, "width": 64}), make_tokenizer())
    config = hf.GotOcr2Config(
        text_config=text("qwen2"), vision_config=window_tower(), image_token_index=IDS["<imgpad>"],
        image_seq_length=16,
    )  # fmt: skip
    return Parts(
        processor, hf.GotOcr2ForConditionalGeneration, config, "<imgpad>", {"num_image_tokens": 16}, call_flat, 1
    )


def vipllava() -> Parts:
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE), make_tokenizer(image_token="<image>"),
        patch_size=PATCH, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        image_token="<image>",
    )  # fmt: skip
    config = hf.VipLlavaConfig(
        text_config=text("llama"), vision_config=vision("clip_vision_model"), image_token_index=IDS["<image>"],
        vision_feature_layers=[-1, -2],
    )  # fmt: skip
    return Parts(processor, hf.VipLlavaForConditionalGeneration, config)


def fast_vlm() -> Parts:
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessor(
            size={"shortest_edge": 1024}, crop_size={"height": 1024, "width": 1024}, do_normalize=False
        ),
        make_tokenizer(image_token="<image>"), patch_size=64, vision_feature_select_strategy="full",
        num_additional_image_tokens=0, image_token="<image>",
    )  # fmt: skip
    tower = dict(
        model_type="timm_wrapper", architecture="fastvit_mci3", do_pooling=True, global_pool="avg", hidden_size=256,
        model_args=dict(inference_mode=True, layers=[1, 1, 1, 1, 1], embed_dims=[8, 16, 32, 64, 128]),
    )  # fmt: skip
    config = hf.FastVlmConfig(
        text_config=text("qwen2"), vision_config=tower, image_token_index=IDS["<image>"], image_seq_length=256
    )
    return Parts(processor, hf.FastVlmForConditionalGeneration, config, note="convolutional vision tower")


def gemma3n() -> Parts:
    tokens = dict(
        image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>",
        audio_token="<audio_soft_token>", boa_token="<start_of_audio>", eoa_token="<end_of_audio>",
    )  # fmt: skip
    processor = hf.Gemma3nProcessor(
        hf.Gemma3nAudioFeatureExtractor(),
        hf.SiglipImageProcessor(size={"height": 256, "width": 256}, do_normalize=False),
        make_tokenizer(**tokens), image_seq_length=256,
    )  # fmt: skip
    decoder = text(
        head_dim=16, hidden_size_per_layer_input=8, vocab_size_per_layer_input=len(IDS), sliding_window=32,
        laurel_rank=8, altup_num_inputs=2, num_kv_shared_layers=0, num_hidden_layers=2,
        layer_types=["sliding_attention", "full_attention"], activation_sparsity_pattern=[0.0, 0.0],
    )  # fmt: skip
    audio = dict(
        hidden_size=32, conf_num_hidden_layers=1, conf_num_attention_heads=4, vocab_size=8, vocab_offset=len(IDS) + 8
    )
    config = hf.Gemma3nConfig(
        text_config=decoder,
        vision_config=dict(
            hidden_size=2048, vocab_size=8, vocab_offset=len(IDS), model_args={"channel_multiplier": 0.25}
        ),
        audio_config=audio, image_token_id=IDS["<image_soft_token>"], boi_token_id=IDS["<start_of_image>"],
        eoi_token_id=IDS["<end_of_image>"], audio_token_id=IDS["<audio_soft_token>"], vision_soft_tokens_per_image=256,
    )  # fmt: skip
    return Parts(
        processor, hf.Gemma3nForConditionalGeneration, config, "<image_soft_token>",
        note="convolutional vision tower, a quarter as wide as usual",
    )  # fmt: skip


def llava_next_video() -> Parts:
    processor = hf.LlavaNextVideoProcessor(
        hf.LlavaNextVideoVideoProcessor(),
        hf.LlavaNextImageProcessor(
            size={"shortest_edge": SIDE}, crop_size=SQUARE, image_grid_pinpoints=PINPOINTS
        ),
        make_tokenizer(image_token="<image>", video_token="<video>"), patch_size=PATCH,
        vision_feature_select_strategy="default", num_additional_image_tokens=1,
    )  # fmt: skip
    config = hf.LlavaNextVideoConfig(
        text_config=text("llama"), vision_config=vision("clip_vision_model"), image_token_index=IDS["<image>"],
        video_token_index=IDS["<video>"], image_grid_pinpoints=PINPOINTS, vision_feature_layer=-1,
    )  # fmt: skip
    return Parts(processor, hf.LlavaNextVideoForConditionalGeneration, config)


def chameleon() -> Parts:
    processor = hf.ChameleonProcessor(
        hf.ChameleonImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}),
        make_tokenizer(image_token="<image>", boi_token="<begin_of_image>", eoi_token="<end_of_image>"),
        image_seq_length=256, image_token="<image>",
    )  # fmt: skip
    letters = {f"IMGIMG{''.join(chr(65 + int(digit)) for digit in str(code))}Z": 150 + code for code in range(16)}
    codes = dict(
        embed_dim=8, num_embeddings=16, latent_channels=8, resolution=64, base_channels=32,
        channel_multiplier=[1, 1, 1], num_res_blocks=1,
    )  # fmt: skip
    config = hf.ChameleonConfig(**text(), vq_config=codes, vocabulary_map=letters | {"<image>": IDS["<image>"]})
    return Parts(
        processor, hf.ChameleonForConditionalGeneration, config, call=call_flat, note="image tokens are discrete codes"
    )
