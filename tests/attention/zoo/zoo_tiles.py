"""Architectures that cut an image into tiles."""

from __future__ import annotations

import transformers as hf
from attention.zoo.zoo_parts import (
    HYBRID,
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


def cohere2_vision() -> Parts:
    processor = hf.Cohere2VisionProcessor(
        hf.Cohere2VisionImageProcessor(size=SQUARE, patch_size=PATCH, downsample_factor=2, max_patches=6),
        make_tokenizer(
            boi_token="<|START_OF_IMG|>", eoi_token="<|END_OF_IMG|>", image_token="<image>",
            img_line_break_token="<|IMG_LINE_BREAK|>",
        ),
    )  # fmt: skip
    processor.patch_size = SIDE // PATCH // 2
    layers = ["sliding_attention", "full_attention", "sliding_attention"]
    config = hf.Cohere2VisionConfig(
        text_config=text("cohere2", head_dim=16, layer_types=layers, sliding_window=16),
        vision_config=vision(**SIGLIP), image_token_id=IDS["<image>"], alignment_intermediate_size=64,
    )  # fmt: skip
    return Parts(processor, hf.Cohere2VisionForConditionalGeneration, config)


def aya_vision() -> Parts:
    processor = hf.AyaVisionProcessor(
        hf.GotOcr2ImageProcessor(size=SQUARE, crop_to_patches=True, min_patches=1, max_patches=6), make_tokenizer(),
        patch_size=PATCH, img_size=SIDE, downsample_factor=2,
    )  # fmt: skip
    config = hf.AyaVisionConfig(
        text_config=text("cohere2", head_dim=16), vision_config=vision(**SIGLIP),
        image_token_index=IDS["<|IMG_PATCH|>"],
    )  # fmt: skip
    return Parts(processor, hf.AyaVisionForConditionalGeneration, config)


def ovis2() -> Parts:
    processor = hf.Ovis2Processor(
        hf.Ovis2ImageProcessor(size=SQUARE, crop_to_patches=True, min_patches=1, max_patches=6),
        make_tokenizer(image_token="<image>"), image_seq_length=4,
    )  # fmt: skip
    indicators = [IDS[name] for name in ("<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>")]
    config = hf.Ovis2Config(
        text_config=text("qwen2"),
        vision_config=vision(vocab_size=40, hidden_stride=2, num_visual_indicator_tokens=5),
        image_token_id=IDS["<IMG_ATOM>"], hidden_size=WIDTH, vocab_size=len(IDS),
        visual_indicator_token_ids=indicators,
    )  # fmt: skip
    return Parts(processor, hf.Ovis2ForConditionalGeneration, config)


def lfm2_vl() -> Parts:
    processor = hf.Lfm2VlProcessor(
        hf.Lfm2VlImageProcessor(
            tile_size=SIDE, encoder_patch_size=14, min_tiles=2, max_tiles=6, min_image_tokens=4, max_image_tokens=16,
            max_num_patches=64, max_pixels_tolerance=2.0,
        ),
        make_tokenizer(image_token="<image>"),
    )  # fmt: skip
    tower = dict(
        model_type="siglip2_vision_model", hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, patch_size=14, num_patches=16, vision_use_head=False,
    )  # fmt: skip
    decoder = text("lfm2", num_hidden_layers=4, layer_types=["conv", "full_attention", "conv", "full_attention"])
    config = hf.Lfm2VlConfig(
        text_config=decoder, vision_config=tower, image_token_id=IDS["<image>"], projector_hidden_size=64
    )
    return Parts(processor, hf.Lfm2VlForConditionalGeneration, config)


def molmo2() -> Parts:
    processor = hf.Molmo2Processor(
        hf.Molmo2ImageProcessor(size=SQUARE, max_crops=4, overlap_margins=[1, 1], patch_size=14, pooling_size=[2, 2]),
        hf.Molmo2VideoProcessor(), make_tokenizer(image_token="<|image|>", video_token="<|video|>"),
    )  # fmt: skip
    decoder = dict(
        hidden_size=WIDTH, num_attention_heads=4, num_key_value_heads=2, head_dim=16, vocab_size=len(IDS),
        additional_vocab_size=8, num_hidden_layers=3, intermediate_size=96,
    )  # fmt: skip
    heads = dict(num_attention_heads=4, num_key_value_heads=4, head_dim=8, hidden_size=32, intermediate_size=64)
    config = hf.Molmo2Config(
        text_config=decoder,
        vision_config=heads | dict(num_hidden_layers=2, image_size=[SIDE, SIDE], patch_size=14),
        adapter_config=heads | dict(vision_feature_layer=[-1, -2], text_hidden_size=WIDTH),
        image_token_id=IDS["<im_patch>"],
    )  # fmt: skip
    return Parts(processor, hf.Molmo2ForConditionalGeneration, config, "<|image|>", call=call_flat)


def llama4() -> Parts:
    processor = hf.Llama4Processor(
        hf.Llama4ImageProcessor(size=SQUARE, max_patches=6, resize_to_max_canvas=False), make_tokenizer(),
        patch_size=14, pixel_shuffle_ratio=0.5,
    )  # fmt: skip
    tower = vision(vision_output_dim=64, projector_input_dim=64, projector_output_dim=64, intermediate_size=128)
    config = hf.Llama4Config(
        text_config=text(
            head_dim=16, intermediate_size_mlp=96, num_local_experts=2, num_hidden_layers=4, attention_chunk_size=64
        ),
        vision_config=tower, image_token_index=IDS["<|patch|>"], boi_token_index=IDS["<|image_start|>"],
        eoi_token_index=IDS["<|image_end|>"],
    )  # fmt: skip
    return Parts(
        processor, hf.Llama4ForConditionalGeneration, config, "<|image|>", patch=_with_image_outputs,
        note="transformers 5.24 itself fails (`image_outputs`); the attribute is added for this check",
    )  # fmt: skip


def _with_image_outputs(model) -> None:
    """Give the output class the attribute that the forward pass of transformers 5.24 reads in vain."""
    from transformers.modeling_outputs import MoeCausalLMOutputWithPast

    if not hasattr(MoeCausalLMOutputWithPast, "image_outputs"):
        MoeCausalLMOutputWithPast.image_outputs = None


def perception_lm() -> Parts:
    processor = hf.PerceptionLMProcessor(
        hf.PerceptionLMVideoProcessor(),
        hf.PerceptionLMImageProcessor(
            tile_size=SIDE, max_num_tiles=6, vision_input_type="thumb+tile", size=SQUARE
        ),
        make_tokenizer(image_token="<|image|>", video_token="<|video|>"), patch_size=14, pooling_ratio=2,
    )  # fmt: skip
    tower = dict(
        model_type="timm_wrapper", architecture="vit_pe_core_large_patch14_336", do_pooling=False, num_features=32,
        model_args=dict(
            img_size=[SIDE, SIDE], embed_dim=32, depth=2, num_heads=4, ref_feat_shape=[4, 4], global_pool="",
            use_post_transformer_norm=False,
        ),
    )  # fmt: skip
    config = hf.PerceptionLMConfig(
        text_config=text("llama"), vision_config=tower, vision_use_cls_token=True, projector_pooling_ratio=2,
        image_token_id=IDS["<|image|>"], video_token_id=IDS["<|video|>"],
    )  # fmt: skip
    return Parts(processor, hf.PerceptionLMForConditionalGeneration, config, "<|image|>")


def phi4_multimodal() -> Parts:
    processor = hf.Phi4MultimodalProcessor(
        hf.Phi4MultimodalImageProcessor(size={"height": 448, "width": 448}, patch_size=14, dynamic_hd=4),
        hf.Phi4MultimodalFeatureExtractor(), make_tokenizer(image_token="<|IMAGE|>", audio_token="<|AUDIO|>"),
    )  # fmt: skip
    tower = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, crop_size=448,
        image_size=448, patch_size=14, image_token_id=IDS["<|IMAGE|>"],
    )  # fmt: skip
    audio = dict(
        hidden_size=32, intermediate_size=64, num_blocks=1, num_attention_heads=4, nemo_conv_channels=32,
        audio_token_id=IDS["<|AUDIO|>"], bias_max_distance=16,
    )  # fmt: skip
    config = hf.Phi4MultimodalConfig(**text(), vision_config=tower, audio_config=audio)
    return Parts(
        processor, hf.Phi4MultimodalForCausalLM, config, "<|IMAGE|>", call=call_flat, image_token="<|IMAGE|>",
        note="in the multimodal mapping; its own output_attentions fails, so its eager modules are compared",
        gives_attention=False,
    )  # fmt: skip


def granite4_vision() -> Parts:
    pinpoints = PINPOINTS[:3]
    processor = hf.Granite4VisionProcessor(
        hf.LlavaNextImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE, image_grid_pinpoints=pinpoints),
        make_tokenizer(image_token="<image>"), patch_size=PATCH, vision_feature_select_strategy="full",
        num_additional_image_tokens=0, downsample_rate="2/4",
    )  # fmt: skip
    former = dict(intermediate_size=64, num_hidden_layers=1)
    config = hf.Granite4VisionConfig(
        # Every projector has a layer of its own, as in earnest.
        text_config=text("granite", num_hidden_layers=6, attention_multiplier=0.25),
        vision_config=vision(**SIGLIP | {"hidden_size": 64}),
        image_token_index=IDS["<image>"], image_grid_pinpoints=pinpoints, downsample_rate="2/4", qformer_config=former,
        vision_feature_select_strategy="full",
        deepstack_layer_map=[[-1, 0], [-2, 1]], spatial_target_layers=[2, 3, 4, 5],
    )  # fmt: skip
    return Parts(
        processor, hf.Granite4VisionForConditionalGeneration, config,
        note="queries made of patches: what they read of their window by attention is left out of their places",
    )  # fmt: skip


def minicpmv4_6(name: str = "MiniCPMV4_6") -> Parts:
    named = dict(
        image_token="<|image_pad|>", video_token="<|video_pad|>", image_start_token="<|image_start|>",
        image_end_token="<|image_end|>", slice_start_token="<slice>", slice_end_token="</slice>",
        image_id_start_token="<image_id>", image_id_end_token="</image_id>",
    )  # fmt: skip
    processor = getattr(hf, f"{name}Processor")(
        hf.MiniCPMV4_6ImageProcessor(), hf.MiniCPMV4_6VideoProcessor(), make_tokenizer(**named)
    )
    config = getattr(hf, f"{name}Config")(
        text_config=text("qwen3_5_text", **HYBRID), vision_config=vision(), insert_layer_id=0,
        image_token_id=IDS["<|image_pad|>"],
    )  # fmt: skip
    return Parts(processor, getattr(hf, f"{name}ForConditionalGeneration"), config, "<|image_pad|>")
