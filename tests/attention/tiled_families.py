"""Families in miniature that see squares and tiles: processor, model class, configuration and placeholder of each."""

from __future__ import annotations

import transformers as hf
from attention.toys import IDS, PATCH, SIDE, WIDTH, make_tokenizer, text_config, vision_config

PINPOINTS = [[56, 112], [112, 56], [112, 112], [56, 168], [168, 56]]


def llava():
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}),
        make_tokenizer(image_token="<image>"), patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, image_token="<image>",
    )  # fmt: skip
    config = hf.LlavaConfig(
        text_config=text_config("llama"), vision_config=vision_config("clip_vision_model"),
        image_token_index=IDS["<image>"], vision_feature_layer=-1,
    )  # fmt: skip
    return processor, hf.LlavaForConditionalGeneration, config, "<image>"


def llava_next():
    processor = hf.LlavaNextProcessor(
        hf.LlavaNextImageProcessor(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=PINPOINTS
        ),
        make_tokenizer(image_token="<image>"), patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, image_token="<image>",
    )  # fmt: skip
    config = hf.LlavaNextConfig(
        text_config=text_config("mistral"), vision_config=vision_config("clip_vision_model"),
        image_token_index=IDS["<image>"], image_grid_pinpoints=PINPOINTS, vision_feature_layer=-1,
    )  # fmt: skip
    return processor, hf.LlavaNextForConditionalGeneration, config, "<image>"


def llava_onevision():
    processor = hf.LlavaOnevisionProcessor(
        hf.LlavaOnevisionImageProcessor(size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=PINPOINTS),
        make_tokenizer(image_token="<image>", video_token="<video>"), hf.LlavaOnevisionVideoProcessor(),
        num_image_tokens=16, vision_feature_select_strategy="full", vision_aspect_ratio="anyres_max_2",
    )  # fmt: skip
    config = hf.LlavaOnevisionConfig(
        text_config=text_config("qwen2"), vision_config=vision_config("siglip_vision_model", vision_use_head=False),
        image_token_index=IDS["<image>"], image_grid_pinpoints=PINPOINTS, vision_feature_layer=-1,
        vision_aspect_ratio="anyres_max_2",
    )  # fmt: skip
    return processor, hf.LlavaOnevisionForConditionalGeneration, config, "<image>"


def internvl():
    processor = hf.InternVLProcessor(
        hf.GotOcr2ImageProcessor(
            size={"height": SIDE, "width": SIDE}, crop_to_patches=True, min_patches=1, max_patches=6
        ),
        make_tokenizer(
            start_image_token="<img>", end_image_token="</img>", context_image_token="<IMG_CONTEXT>",
            video_token="<video>",
        ),
        hf.InternVLVideoProcessor(), image_seq_length=4,
    )  # fmt: skip
    config = hf.InternVLConfig(
        text_config=text_config("qwen2"),
        vision_config=vision_config(image_size=[SIDE, SIDE], patch_size=[PATCH, PATCH]),
        image_token_id=IDS["<IMG_CONTEXT>"], image_seq_length=4,
    )  # fmt: skip
    return processor, hf.InternVLForConditionalGeneration, config, "<IMG_CONTEXT>"


def gemma3():
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessor(size={"height": SIDE, "width": SIDE}),
        make_tokenizer(image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>"),
        image_seq_length=4,
    )  # fmt: skip
    config = hf.Gemma3Config(
        # A window shorter than the prompt: its layers forget the first image tokens.
        text_config=text_config(
            head_dim=16, sliding_window=16, layer_types=["sliding_attention", "full_attention", "sliding_attention"]
        ),
        vision_config=vision_config(), mm_tokens_per_image=4, image_token_index=IDS["<image_soft_token>"],
        boi_token_index=IDS["<start_of_image>"], eoi_token_index=IDS["<end_of_image>"],
    )  # fmt: skip
    return processor, hf.Gemma3ForConditionalGeneration, config, "<start_of_image>"


IDEFICS = dict(
    text_config=text_config("llama"), vision_config=vision_config(), image_token_id=IDS["<image>"], scale_factor=2,
    pad_token_id=0,
)  # fmt: skip


def smolvlm():
    processor = hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessor(size={"longest_edge": 4 * SIDE}, max_image_size={"longest_edge": SIDE}),
        make_tokenizer(
            image_token="<image>", fake_image_token="<fake_token_around_image>", global_image_token="<global-img>",
            end_of_utterance_token="<end_of_utterance>",
        ),
        hf.SmolVLMVideoProcessor(), image_seq_len=4,
    )  # fmt: skip
    return processor, hf.SmolVLMForConditionalGeneration, hf.SmolVLMConfig(**IDEFICS), "<image>"


def idefics3():
    processor = hf.Idefics3Processor(
        hf.Idefics3ImageProcessor(size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}),
        make_tokenizer(), image_seq_len=4,
    )  # fmt: skip
    return processor, hf.Idefics3ForConditionalGeneration, hf.Idefics3Config(**IDEFICS), "<image>"


def paligemma():
    image_processor = hf.SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    image_processor.image_seq_length = 16
    processor = hf.PaliGemmaProcessor(image_processor, make_tokenizer(image_token="<image>"))
    config = hf.PaliGemmaConfig(
        text_config=text_config("gemma", head_dim=16),
        vision_config=vision_config("siglip_vision_model", projection_dim=WIDTH, vision_use_head=False),
        image_token_index=IDS["<image>"], projection_dim=WIDTH,
    )  # fmt: skip
    return processor, hf.PaliGemmaForConditionalGeneration, config, "<image>"


def mllama():
    processor = hf.MllamaProcessor(
        hf.MllamaImageProcessor(size={"height": SIDE, "width": SIDE}, max_image_tiles=4),
        make_tokenizer(image_token="<|image|>"),
    )  # fmt: skip
    config = hf.MllamaConfig(
        text_config=text_config(
            num_hidden_layers=4, cross_attention_layers=[1, 3], rope_parameters={"rope_type": "default"}
        ),
        vision_config=dict(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_global_layers=1, attention_heads=4,
            image_size=SIDE, patch_size=PATCH, vision_output_dim=64, max_num_tiles=4, intermediate_layers_indices=[0],
            supported_aspect_ratios=[[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
        ),
        image_token_index=IDS["<|image|>"],
    )  # fmt: skip
    return processor, hf.MllamaForConditionalGeneration, config, "<|image|>"
