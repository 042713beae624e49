"""Writes `pixfound/mini-seg` in the layout of LISA's checkpoints, which `pixfound_tasks.pixel` loads.

The names are those of the authors' repository: LLaMA's as in transformers, SAM's as in Meta's code, and CLIP in a
folder of its own. The vision tower's resizing to a square without a crop is in its `preprocessor_config.json`.
"""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from pixfound_tasks.mini.mask_decoder import PROMPT_WIDTH, MaskHead
from pixfound_tasks.mini.model import WIDTH
from pixfound_tasks.mini.tokenizer import ADDED, SPECIAL, image_processor, pieces

CLIP = "clip"  # the vision tower's folder
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # kinds of pieces
# From the names of transformers' SamModel to Meta's. The order matters.
_SAM_NAMES = (
    (r"vision_encoder\.", "image_encoder."),
    (r"shared_embedding\.positional_embedding", "pe_layer.positional_encoding_gaussian_matrix"),
    (r"patch_embed\.projection", "patch_embed.proj"),
    (r"image_encoder\.layers\.", "image_encoder.blocks."),
    (r"(blocks\.\d+)\.layer_norm", r"\1.norm"),
    (r"neck\.conv1", "neck.0"),
    (r"neck\.layer_norm1", "neck.1"),
    (r"neck\.conv2", "neck.2"),
    (r"neck\.layer_norm2", "neck.3"),
    (r"\.point_embed\.", ".point_embeddings."),
    (r"mask_embed\.conv1", "mask_downscaling.0"),
    (r"mask_embed\.layer_norm1", "mask_downscaling.1"),
    (r"mask_embed\.conv2", "mask_downscaling.3"),
    (r"mask_embed\.layer_norm2", "mask_downscaling.4"),
    (r"mask_embed\.conv3", "mask_downscaling.6"),
    (r"(transformer\.layers\.\d+)\.layer_norm", r"\1.norm"),
    (r"layer_norm_final_attn", "norm_final_attn"),
    (r"upscale_conv1", "output_upscaling.0"),
    (r"upscale_layer_norm", "output_upscaling.1"),
    (r"upscale_conv2", "output_upscaling.3"),
    (r"(mlps\.\d+|iou_prediction_head)\.proj_in", r"\1.layers.0"),
    (r"(mlps\.\d+|iou_prediction_head)\.proj_out", r"\1.layers.2"),
)  # fmt: skip


def save_lisa(model: Any, head: MaskHead, folder: Path) -> None:
    """Save a trained model and its mask decoder in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = language_weights(model) | mask_weights(head)
    halves = {name: weight.half().contiguous() for name, weight in weights.items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", _config(model))
    _write(folder / "added_tokens.json", {token: len(pieces()) + i for i, token in enumerate(ADDED[:3])})
    (folder / "tokenizer.model").write_bytes(sentencepiece_model())
    _save_tower(model, folder / CLIP)


def language_weights(model: Any) -> dict[str, Tensor]:
    """Return the language model's and the projector's weights by LISA's names. `<image>` has no embedding there."""
    kept = len(pieces()) + 3
    weights = {"lm_head.weight": model.lm_head.weight[:kept]}
    for name, weight in model.model.language_model.named_parameters():
        weights[f"model.{name}"] = weight[:kept] if name == "embed_tokens.weight" else weight
    projector = model.model.multi_modal_projector
    first, second = projector.linear_1, projector.linear_2
    weights["model.mm_projector.weight"] = second.weight @ first.weight
    weights["model.mm_projector.bias"] = second.weight @ first.bias + second.bias
    return {name: weight.detach() for name, weight in weights.items()}


def mask_weights(head: MaskHead) -> dict[str, Tensor]:
    """Return SAM's weights by Meta's names, and those of the projection."""
    weights = {}
    for name, weight in head.sam.state_dict().items():
        if not name.startswith("shared_image_embedding"):
            weights[f"model.visual_model.{meta_name(name)}"] = weight
    for name, weight in head.projection.state_dict().items():
        weights[f"model.text_hidden_fcs.0.{name}"] = weight
    return weights


def meta_name(name: str) -> str:
    """Return Meta's name of a weight of transformers' `SamModel`."""
    middle = re.fullmatch(r"(.*(?:mlps\.\d+|iou_prediction_head))\.layers\.0\.(weight|bias)", name)
    if middle:
        return f"{middle[1]}.layers.1.{middle[2]}"
    for pattern, replacement in _SAM_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def sentencepiece_model() -> bytes:
    """Return the whole-word tokenizer as a SentencePiece model (unigram), in which the fewest pieces win.

    The message is written field by field, because the classes that SentencePiece ships need one release of protobuf.
    """
    message = b""
    for index, piece in enumerate(pieces()):
        kind = _UNKNOWN if index == 0 else _CONTROL if index < len(SPECIAL) else _NORMAL
        score = 0.0 if index < len(SPECIAL) else -1.0
        message += _field(1, _field(1, piece.encode()) + _field(2, score) + _field(3, kind))
    unigram, no_pad = 1, 2**64 - 1
    trainer = ((3, unigram), (4, len(pieces())), (40, 0), (41, 1), (42, 2), (43, no_pad))
    message += _field(2, b"".join(_field(number, value) for number, value in trainer))
    return message + _field(3, _field(1, b"identity") + _field(3, 1) + _field(4, 0) + _field(5, 1))


def _field(number: int, value: bytes | int | float) -> bytes:
    """Return a field of a protocol buffer: bytes, a non-negative integer or a float32."""
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _config(model: Any) -> dict[str, Any]:
    text = model.config.text_config
    names = (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "hidden_act", "max_position_embeddings", "rms_norm_eps", "bos_token_id", "eos_token_id", "pad_token_id",
    )  # fmt: skip
    return {
        "architectures": ["LISAForCausalLM"],
        "model_type": "llava",
        **{name: getattr(text, name) for name in names},
        "vocab_size": len(pieces()) + 3,
        "tie_word_embeddings": False,
        "mm_hidden_size": WIDTH,
        "mm_use_im_start_end": True,
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": -1,
        "mm_vision_tower": CLIP,
        "vision_tower": CLIP,
        "out_dim": PROMPT_WIDTH,
        "train_mask_decoder": True,
        "torch_dtype": "float32",
    }


def _save_tower(model: Any, folder: Path) -> None:
    """Save the vision tower under the names that all releases of transformers read."""
    tower = model.model.vision_tower
    folder.mkdir(exist_ok=True)
    names = {name: name.removeprefix("vision_model.") for name in tower.state_dict()}
    weights = {f"vision_model.{short}": tower.state_dict()[name].half() for name, short in names.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = tower.config.to_dict() | {"architectures": ["CLIPVisionModel"], "dtype": "float32"}
    _write(folder / "config.json", {name: value for name, value in config.items() if not name.startswith("_")})
    image_processor().save_pretrained(folder)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
