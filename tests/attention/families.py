"""The supported families in miniature: each one's real processor class, and a random model that fits it.

Built without any download round one toy tokenizer of single characters. Every family keeps what makes it special
(tiles, thumbnails, merged patches, un-padding, sliding windows, cross-attention) at sizes of a few dozen pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SIDE, PATCH, WIDTH = 56, 14, 64
SPECIAL = (
    "<pad> <s> </s> <unk> <image> <video> <|image_pad|> <|video_pad|> <|vision_start|> <|vision_end|> <IMG_CONTEXT> "
    "<img> </img> <image_soft_token> <start_of_image> <end_of_image> <fake_token_around_image> <global-img> "
    "<end_of_utterance> [IMG] [IMG_BREAK] [IMG_END] <|image|> <|video|> <|begin_of_image|> <|end_of_image|> "
    "<|begin_of_text|> <|begin_of_video|> <|end_of_video|>"
).split() + [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
CHARACTERS = [chr(code) for code in range(33, 127)] + ["▁", " ", "\n", "\n\n", "\n\n\n"]
IDS = {word: index for index, word in enumerate(SPECIAL + CHARACTERS)}
PINPOINTS = [[56, 112], [112, 56], [112, 112], [56, 168], [168, 56]]


@dataclass(frozen=True)
class Family:
    """A processor, a random float32 model in evaluation mode, and what stands for an image in a prompt.

    `images_kwargs` go to every call of the processor.
    """

    processor: Any
    model: Any
    placeholder: str
    images_kwargs: dict[str, Any]


def make_tokenizer(**named_tokens: str) -> hf.PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel(IDS, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(SPECIAL)
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens=named_tokens,
    )  # fmt: skip


def text_config(model_type: str | None = None, **changes: Any) -> dict[str, Any]:
    config = dict(
        vocab_size=len(IDS), hidden_size=WIDTH, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=4096, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return config | ({"model_type": model_type} if model_type else {}) | changes


def vision_config(model_type: str | None = None, **changes: Any) -> dict[str, Any]:
    config = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE,
        patch_size=PATCH,
    )  # fmt: skip
    return config | ({"model_type": model_type} if model_type else {}) | changes


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


def smolvlm():
    processor = hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessor(size={"longest_edge": 4 * SIDE}, max_image_size={"longest_edge": SIDE}),
        make_tokenizer(
            image_token="<image>", fake_image_token="<fake_token_around_image>", global_image_token="<global-img>",
            end_of_utterance_token="<end_of_utterance>",
        ),
        hf.SmolVLMVideoProcessor(), image_seq_len=4,
    )  # fmt: skip
    config = hf.SmolVLMConfig(
        text_config=text_config("llama"), vision_config=vision_config(), image_token_id=IDS["<image>"], scale_factor=2,
        pad_token_id=0,
    )  # fmt: skip
    return processor, hf.SmolVLMForConditionalGeneration, config, "<image>"


def idefics3():
    processor = hf.Idefics3Processor(
        hf.Idefics3ImageProcessor(size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}),
        make_tokenizer(), image_seq_len=4,
    )  # fmt: skip
    config = hf.Idefics3Config(
        text_config=text_config("llama"), vision_config=vision_config(), image_token_id=IDS["<image>"], scale_factor=2,
        pad_token_id=0,
    )  # fmt: skip
    return processor, hf.Idefics3ForConditionalGeneration, config, "<image>"


def paligemma():
    pictures = hf.SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    pictures.image_seq_length = 16
    processor = hf.PaliGemmaProcessor(pictures, make_tokenizer(image_token="<image>"))
    config = hf.PaliGemmaConfig(
        text_config=text_config("gemma", head_dim=16),
        vision_config=vision_config("siglip_vision_model", projection_dim=WIDTH, vision_use_head=False),
        image_token_index=IDS["<image>"], projection_dim=WIDTH,
    )  # fmt: skip
    return processor, hf.PaliGemmaForConditionalGeneration, config, "<image>"


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


PAN_AND_SCAN = {
    "do_pan_and_scan": True, "pan_and_scan_min_crop_size": 20, "pan_and_scan_max_num_crops": 4,
    "pan_and_scan_min_ratio_to_activate": 1.2,
}  # fmt: skip
BUILDERS = {
    build.__name__: build
    for build in (
        llava, llava_next, llava_onevision, qwen2_vl, qwen2_5_vl, qwen3_vl, qwen3_vl_moe, qwen3_5, qwen3_5_moe,
        internvl, gemma3, smolvlm, idefics3, paligemma, mistral3, pixtral, glm4v, glm46v, glm4v_moe, mllama,
    )
}  # fmt: skip
CHAT_TEMPLATE = (
    "{% for part in messages[0]['content'] %}{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}"
)
FAMILIES = [*BUILDERS, "gemma3 with pan and scan"]


@cache
def build_family(name: str) -> Family:
    """One of `FAMILIES`. Kept for the whole run: whoever changes a model puts it back, or copies it."""
    processor, model_class, config, placeholder = BUILDERS[name.split()[0]]()
    torch.manual_seed(0)
    model = model_class(config).eval()
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = 0, 2
    if name != "paligemma":  # which has no chat template in earnest either
        processor.chat_template = CHAT_TEMPLATE.replace("IMAGE", placeholder)
    _make_lively(model)
    return Family(processor, model, placeholder, PAN_AND_SCAN if "pan and scan" in name else {})


@torch.no_grad()
def _make_lively(model) -> None:
    """As initialised, attention is nearly the same everywhere, and zeros keep the image from the text: mllama's gates
    and Gemma 3's projection."""
    for name, parameter in model.named_parameters():
        if "gate" in name.rsplit(".", 1)[-1] and parameter.numel() == 1:
            parameter.fill_(0.5)
        elif parameter.ndim == 2 and not parameter.any():
            parameter.normal_(std=0.2)
    for name, parameter in model.get_decoder().named_parameters():
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            parameter.mul_(10)
