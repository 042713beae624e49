"""What the zoo's models are built from: one tokenizer of single characters, and tiny configurations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import transformers as hf
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SIDE, PATCH, WIDTH = 56, 14, 64
SQUARE = {"height": SIDE, "width": SIDE}
PINPOINTS = [[56, 112], [112, 56], [112, 112], [56, 168], [168, 56]]

SPECIAL = (
    "<pad> <s> </s> <unk> <image> <video> <audio> <|image_pad|> <|video_pad|> <|vision_start|> <|vision_end|> "
    "<|audio_pad|> <|audio_bos|> <|audio_eos|> <|vision_bos|> <|vision_eos|> <|IMAGE|> <|VIDEO|> <|AUDIO|> "
    "<|IMG_PATCH|> <|START_OF_IMG|> <|END_OF_IMG|> <|IMG_LINE_BREAK|> TILE TILE_GLOBAL <IMG_START> <IMG_ATOM> "
    "<IMG_GRID> <IMG_COL> <IMG_ROW> <IMG_END> <IMG_CONTEXT> <fake_token_around_image> <global-img> "
    "<end_of_utterance> <|image_start|> <|image_end|> <|img_thumbnail|> <|image|> <|patch|> <|tile_x_separator|> "
    "<|tile_y_separator|> <im_patch> <im_col> <im_start> <low_res_im_start> <frame_start> <im_end> <frame_end> "
    "<im_low> <|video|> <|media_pad|> <|kimi_k25_video_placeholder|> <imgpad> <img> </img> <|im_start|> <|im_end|> "
    "<begin_of_image> <end_of_image> <image_soft_token> <start_of_image> <audio_soft_token> <start_of_audio> "
    "<end_of_audio> <|begin_of_image|> <|end_of_image|> <|begin_of_video|> <|end_of_video|> [IMG] [IMG_BREAK] "
    "[IMG_END] |SPEAKER| |NEWLINE| <0x04> <0x05> <0x00> <0x01> <box> </box> <point> </point> <slice> </slice> "
    "<image_id> </image_id> <|img_row_sep|> </image> <|IMAGE_PAD|> <|VIDEO_PAD|> "
    "<|VISION_START|> <|VISION_END|> <|imgpad|> <|audio_comp_pad|> <|unused_200054|> <|unused_200053|> "
    "<|content_image|> <|content_audio_input|> <patch_start> <patch_end> <patch_newline> <|vid_frame_separator|> "
    "<|vid_start|> <|vid_end|> <|audio|> <|soft_audio_start|> <|soft_audio_end|> <so_embedding> <so_start> <so_end> "
    "<|extra_201|> <|image_row|>"
).split()
SPECIAL += ["]<]image[>[", "]<]video[>[", "]<]start of image[>[", "]<]end of image[>["]
SPECIAL += [f"<|img_row_{row}_col_{column}|>" for row in range(1, 11) for column in range(1, 11)]
SPECIAL += [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
SPECIAL += [f"TILE_{number}" for number in range(1, 14)]
CHARACTERS = [chr(code) for code in range(33, 127)] + ["▁", " ", "\n", "\n\n", "\n\n\n"]
IDS = {word: index for index, word in enumerate(SPECIAL + CHARACTERS)}

Images = Sequence[Sequence[Image.Image]]


def call_nested(processor: Any, images: Images, texts: Sequence[str], **options: Any) -> Any:
    """Call a processor the way most are: a list of images for each text."""
    padding = {"padding": True, "padding_side": "left"}
    return processor(images=[list(own) for own in images], text=list(texts), return_tensors="pt", **padding, **options)


def call_flat(processor: Any, images: Images, texts: Sequence[str], **options: Any) -> Any:
    """Call a processor that takes one flat list of images."""
    flat = [image for own in images for image in own]
    return processor(images=flat, text=list(texts), return_tensors="pt", padding=True, padding_side="left", **options)


def call_padded_right(processor: Any, images: Images, texts: Sequence[str], **options: Any) -> Any:
    """Call a processor as encoders are called, whose positions are absolute."""
    flat = [image for own in images for image in own]
    return processor(images=flat, text=list(texts), return_tensors="pt", padding=True, padding_side="right", **options)


@dataclass(frozen=True)
class Parts:
    """What a builder returns: a processor, a model class with a configuration, and how to call the processor.

    `placeholder` stands for one image in a prompt, and is empty if the processor adds images itself. `options` go to
    every call of the processor. `most_images` is the largest number of images in one prompt that the model takes. The
    prompt's image tokens are those with the id of `image_token`, by default the configuration's `image_token_id`, or
    what `image_mask` returns for a model and its inputs. `note` says what is special about the architecture. `patch` is
    applied to the model once it is built. `gives_attention` is false if the model's own `output_attentions=True` fails.
    """

    processor: Any
    model_class: Any
    config: Any
    placeholder: str = "<image>"
    options: dict[str, Any] = field(default_factory=dict)
    call: Callable[..., Any] = call_nested
    most_images: int = 2
    image_token: str | None = None
    image_mask: Callable[[Any, Any], Any] | None = None
    note: str = ""
    patch: Callable[[Any], None] | None = None
    gives_attention: bool = True


def make_tokenizer(make: Any = hf.PreTrainedTokenizerFast, **named_tokens: str) -> Any:
    """A tokenizer of single characters and all special tokens, of the class `make`."""
    tokenizer = Tokenizer(models.WordLevel(IDS, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(SPECIAL)
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return make(tokenizer_object=tokenizer, **names, extra_special_tokens=named_tokens)


def text(model_type: str | None = None, **changes: Any) -> dict[str, Any]:
    """The configuration of a decoder of three layers."""
    config = dict(
        vocab_size=len(IDS), hidden_size=WIDTH, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=8192, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return config | ({"model_type": model_type} if model_type else {}) | changes


def vision(model_type: str | None = None, **changes: Any) -> dict[str, Any]:
    """The configuration of a vision tower of two layers."""
    config = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE,
        patch_size=PATCH,
    )  # fmt: skip
    return config | ({"model_type": model_type} if model_type else {}) | changes


SIGLIP = {"model_type": "siglip_vision_model", "vision_use_head": False}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}


def mrope(**changes: Any) -> dict[str, Any]:
    """Rotary positions in time, height and width."""
    return {"type": "mrope", "rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]} | changes


HYBRID = {
    "num_hidden_layers": 4, "layer_types": ["linear_attention", "full_attention"] * 2, "head_dim": 64,
    "linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
}  # fmt: skip
"""Every other layer has no softmax attention."""
