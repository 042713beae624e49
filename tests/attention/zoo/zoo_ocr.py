"""Document readers and other architectures of tiles or squares."""

from __future__ import annotations

import transformers as hf
from attention.zoo.zoo_parts import (
    IDS,
    PATCH,
    SIDE,
    SQUARE,
    WIDTH,
    Parts,
    call_flat,
    make_tokenizer,
    text,
    vision,
)
from attention.zoo.zoo_squares import window_tower

DEEPSEEK_EXPERTS = dict(
    n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2, n_group=1, topk_group=1, moe_intermediate_size=32,
    num_key_value_heads=4, head_dim=16, mlp_layer_types=["dense", "sparse", "sparse"],
)  # fmt: skip


def deepseek_ocr2() -> Parts:
    processor = hf.DeepseekOcr2Processor(
        hf.DeepseekOcr2ImageProcessor(size={"height": 256, "width": 256}, tile_size=192),
        make_tokenizer(image_token="<image>"), patch_size=4, downsample_ratio=4,
    )  # fmt: skip
    tower = dict(
        sam_config=window_tower(downsample_channels=[16, 32], image_size=256),
        encoder_config=dict(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
            vocab_size=16,
        ),
    )  # fmt: skip
    config = hf.DeepseekOcr2Config(
        text_config=text(**DEEPSEEK_EXPERTS), vision_config=tower, image_token_id=IDS["<image>"]
    )
    return Parts(processor, hf.DeepseekOcr2ForConditionalGeneration, config, call=call_flat)


def unlimited_ocr() -> Parts:
    processor = hf.UnlimitedOcrProcessor(
        hf.UnlimitedOcrImageProcessor(size={"height": 64, "width": 64}, tile_size=64, maximum_pad_value=64),
        make_tokenizer(image_token="<image>"), patch_size=4, downsample_ratio=4,
    )  # fmt: skip
    tower = dict(
        sam_config=window_tower(downsample_channels=[16, 32]),
        encoder_config=vision(image_size=64, patch_size=16),
    )  # fmt: skip
    config = hf.UnlimitedOcrConfig(
        text_config=text(**DEEPSEEK_EXPERTS, sliding_window=128), vision_config=tower, image_token_id=IDS["<image>"]
    )
    return Parts(processor, hf.UnlimitedOcrForConditionalGeneration, config, call=call_flat)


def granite_docling() -> Parts:
    processor = hf.GraniteDoclingProcessor(
        hf.GraniteDoclingImageProcessor(size={"height": 64, "width": 64}, max_patches=4),
        make_tokenizer(image_token="<image>"), image_seq_len=4,
    )  # fmt: skip
    tower = vision(
        image_size=64, patch_size=8, scale_factor=4, out_hidden_size=WIDTH, deepstack_visual_indexes=[0],
        use_fine_route=False,
    )  # fmt: skip
    config = hf.GraniteDoclingConfig(
        text_config=text(attention_multiplier=0.25), vision_config=tower, image_token_id=IDS["<image>"],
        pad_token_id=0,
    )  # fmt: skip
    return Parts(processor, hf.GraniteDoclingForConditionalGeneration, config)


def pp_chart2table() -> Parts:
    processor = hf.PPChart2TableProcessor(
        hf.PPChart2TableImageProcessor(size={"height": 64, "width": 64}), make_tokenizer()
    )
    config = hf.PPChart2TableConfig(
        text_config=text("qwen2"), vision_config=window_tower(), image_token_index=IDS["<imgpad>"],
        image_seq_length=16,
    )  # fmt: skip
    return Parts(
        processor, hf.GotOcr2ForConditionalGeneration, config, "<imgpad>" * 16, call=call_flat,
        note="its processor expands no placeholder: the prompt holds every image token",
    )  # fmt: skip


def qianfan_ocr() -> Parts:
    tokens = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    processor = hf.QianfanOCRProcessor(
        hf.GotOcr2ImageProcessor(size=SQUARE, crop_to_patches=True, min_patches=1, max_patches=6),
        make_tokenizer(**tokens), image_seq_length=4,
    )  # fmt: skip
    config = hf.QianfanOCRConfig(
        text_config=text("qwen3", head_dim=16), vision_config=vision(image_size=[SIDE, SIDE], patch_size=[14, 14]),
        image_token_id=IDS["<IMG_CONTEXT>"], image_seq_length=4,
    )  # fmt: skip
    return Parts(processor, hf.QianfanOCRForConditionalGeneration, config)


def step3p7() -> Parts:
    processor = hf.Step3p7Processor(
        hf.Step3p7ImageProcessor(
            size={"height": 224, "width": 224}, patch_size=112, max_image_size=448, vision_patch_size=14
        ),
        make_tokenizer(),
    )
    decoder = text(
        head_dim=16, num_local_experts=4, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=32,
        share_expert_dim=32, layer_types=["full_attention", "sliding_attention", "full_attention"], sliding_window=16,
        mlp_layer_types=["dense", "sparse", "sparse"],
    )  # fmt: skip
    tower = dict(
        hidden_size=32, mlp_ratio=2.0, num_hidden_layers=2, num_attention_heads=4, image_size=224,
        max_position_embeddings=256,
    )  # fmt: skip
    config = hf.Step3p7Config(text_config=decoder, vision_config=tower, image_token_id=IDS["<im_patch>"])
    return Parts(processor, hf.Step3p7ForConditionalGeneration, config, "<im_patch>", call=call_flat)


def video_llava() -> Parts:
    processor = hf.VideoLlavaProcessor(
        hf.VideoLlavaImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE), hf.VideoLlavaVideoProcessor(),
        make_tokenizer(), patch_size=PATCH, num_additional_image_tokens=1,
    )  # fmt: skip
    config = hf.VideoLlavaConfig(
        text_config=text("llama"), vision_config=vision("clip_vision_model"), image_token_index=IDS["<image>"],
        video_token_index=IDS["<video>"], vision_feature_layer=-2, image_seq_length=16,
    )  # fmt: skip
    return Parts(processor, hf.VideoLlavaForConditionalGeneration, config, call=call_flat)


def shieldgemma2() -> Parts:
    processor = hf.ShieldGemma2Processor(
        hf.Gemma3ImageProcessor(size=SQUARE),
        make_tokenizer(image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>"),
        chat_template="-", image_seq_length=4,
    )  # fmt: skip
    # The prompt of a policy is longer than the window.
    layers = ["sliding_attention", "full_attention", "sliding_attention"]
    config = hf.ShieldGemma2Config(
        text_config=text("gemma3_text", head_dim=16, sliding_window=16, layer_types=layers), mm_tokens_per_image=4,
        vision_config=vision("siglip_vision_model"), image_token_index=IDS["<image_soft_token>"],
        boi_token_index=IDS["<start_of_image>"], eoi_token_index=IDS["<end_of_image>"],
    )  # fmt: skip
    return Parts(
        processor, hf.Gemma3ForConditionalGeneration, config, "<start_of_image>", {"policies": ["dangerous"]},
        most_images=1, note="a classifier; its processor writes the prompt, one for each policy; read with one policy",
    )  # fmt: skip


def emu3() -> Parts:
    tokens = dict(
        image_token="<image>", boi_token="<begin_of_image>", eoi_token="<end_of_image>", eof_token="<|extra_201|>",
        image_wrapper_token="<fake_token_around_image>", eol_token="<|img_row_sep|>",
    )  # fmt: skip
    processor = hf.Emu3Processor(
        hf.Emu3ImageProcessor(min_pixels=128 * 128, max_pixels=128 * 128), make_tokenizer(**tokens)
    )
    codes = dict(
        codebook_size=16, embed_dim=4, latent_channels=4, base_channels=32, channel_multiplier=[1, 1, 1, 1],
        num_res_blocks=1, attn_resolutions=[3], hidden_size=32, temporal_downsample_factor=1,
    )  # fmt: skip
    words = {f"<|visual token {code:06d}|>": 150 + code for code in range(16)}
    config = hf.Emu3Config(
        text_config=text(), vq_config=codes,
        vocabulary_map=words | {"<image>": IDS["<image>"], "<|extra_200|>": IDS["<|img_row_sep|>"]},
    )  # fmt: skip
    return Parts(
        processor, hf.Emu3ForConditionalGeneration, config, call=call_flat, note="image tokens are discrete codes"
    )


def apertus1p5() -> Parts:
    tokens = dict(
        image_token="<image>", audio_token="<audio>", boi_token="<begin_of_image>", eoi_token="<end_of_image>",
        image_wrapper_token="<fake_token_around_image>", eol_token="<|img_row_sep|>", boa_token="<start_of_audio>",
        eoa_token="<end_of_audio>",
    )  # fmt: skip
    processor = hf.Apertus1p5Processor(
        hf.Apertus1p5ImageProcessor(size={"min_pixels": 192 * 192, "max_pixels": 256 * 256}),
        hf.WavTokenizerFeatureExtractor(), make_tokenizer(**tokens),
    )  # fmt: skip
    codes = dict(
        codebook_size=16, embed_dim=8, latent_channels=8, base_channels=64, channel_multiplier=[1, 1, 1, 1, 1],
        num_res_blocks=1, resolution=256,
    )  # fmt: skip
    decoder = text(vocab_size=len(IDS) + 64, rope_parameters={"rope_type": "default", "rope_theta": 1e4})
    audio = dict(
        model_type="wavtokenizer_encoder", codebook_size=16, num_filters=4, hidden_size=32, codebook_dim=32,
        decoder_hidden_size=32, decoder_intermediate_size=32, decoder_num_layers=1,
    )  # fmt: skip
    config = hf.Apertus1p5Config(
        text_config=decoder, vision_config=codes, audio_config=audio, image_token_id=IDS["<image>"],
        audio_token_id=IDS["<audio>"], image_token_offset=len(IDS), audio_token_offset=len(IDS) + 16,
    )  # fmt: skip
    return Parts(processor, hf.Apertus1p5ForConditionalGeneration, config, note="image tokens are discrete codes")


def diffusion_gemma() -> Parts:
    from attention.zoo.zoo_grids import GEMMA4_IDS, GEMMA4_TOKENS, GEMMA4_TOWER

    processor = hf.Gemma4Processor(
        hf.Gemma4AudioFeatureExtractor(), hf.Gemma4ImageProcessor(max_soft_tokens=70),
        make_tokenizer(**GEMMA4_TOKENS), hf.Gemma4VideoProcessor(),
    )  # fmt: skip
    decoder = text(
        head_dim=16, sliding_window=32, layer_types=["sliding_attention", "full_attention"], num_hidden_layers=2,
        num_experts=4, top_k_experts=2, moe_intermediate_size=32,
    )  # fmt: skip
    config = hf.DiffusionGemmaConfig(
        text_config=decoder, vision_config=GEMMA4_TOWER | {"model_type": "gemma4_vision"}, canvas_length=8,
        **GEMMA4_IDS,
    )  # fmt: skip
    return Parts(
        processor, hf.DiffusionGemmaForBlockDiffusion, config, "<image_soft_token>",
        note="denoises blocks of tokens instead of predicting the next token",
    )  # fmt: skip
