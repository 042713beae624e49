"""Tiny random Sa2VA and RGA3 in the layout of published checkpoints, from transformers' own models."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from attention import dynamic_families
from attention.toys import make_tokenizer
from models.tiny_checkpoints import CHAT
from safetensors.torch import save_file
from torch import nn

PROMPT_WIDTH = 32
ADDED = ("[SEG]", "<p>", "</p>")
SIZES = {"trunk": {"num_heads": 1, "global_att_blocks": [3], "window_spec": [8, 4, 16, 8]}}
# From the names of transformers to Meta's.
_META = (
    (r"^no_memory_embedding$", "no_mem_embed"),
    (r"^shared_image_embedding\.positional_embedding$", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^vision_encoder\.backbone\.", "image_encoder.trunk."), (r"^vision_encoder\.neck", "image_encoder.neck"),
    (r"(convs\.\d)\.", r"\1.conv."), (r"patch_embed\.projection", "patch_embed.proj"),
    (r"mask_embed\.conv1", "mask_downscaling.0"), (r"mask_embed\.layer_norm1", "mask_downscaling.1"),
    (r"mask_embed\.conv2", "mask_downscaling.3"), (r"mask_embed\.layer_norm2", "mask_downscaling.4"),
    (r"mask_embed\.conv3", "mask_downscaling.6"), (r"upscale_conv1", "output_upscaling.0"),
    (r"upscale_layer_norm", "output_upscaling.1"), (r"upscale_conv2", "output_upscaling.3"),
    (r"\.o_proj", ".out_proj"), (r"layer_norm", "norm"),
    (r"(mlps\.\d|iou_prediction_head|score_head)\.layers\.0", r"\1.layers.1"),
    (r"\.proj_in", ".layers.0"),
    (r"(mlps\.\d|iou_prediction_head|score_head)\.proj_out", r"\1.layers.2"), (r"\.proj_out", ".layers.1"),
    (r"^(prompt_encoder|mask_decoder)", r"sam_\1"),
)  # fmt: skip


@dataclass
class Tiny:
    """The parts of a tiny checkpoint, and its folder."""

    folder: Path
    model: Any
    processor: Any
    sam: Any
    projection: nn.Sequential
    config: dict[str, Any]
    renames: tuple[tuple[str, str], ...]
    hidden_fcs: str = "text_hidden_fcs"

    @property
    def checkpoint(self) -> str:
        return str(self.folder / "checkpoint")

    def tensors(self) -> dict[str, torch.Tensor]:
        """What the published files hold, with some of what only videos need."""
        found = {}
        for name, value in self.model.state_dict().items():
            for pattern, replacement in self.renames:
                name = re.sub(pattern, replacement, name)
            found[name] = value
        found |= {f"{self.hidden_fcs}.{name}": value for name, value in self.projection.state_dict().items()}
        found |= {f"grounding_encoder.sam2_model.{name}": value for name, value in meta(self.sam).items()}
        found["grounding_encoder.sam2_model.memory_encoder.fuser.layers.0.g_weight"] = torch.ones(2)
        found["grounding_encoder.sam2_model.maskmem_tpos_enc"] = torch.ones(7, 1, 1, 2)
        return {name: value.detach().clone().contiguous() for name, value in found.items()}

    def write(self, tensors: dict[str, torch.Tensor] | None = None, shards: int = 1, kind: str = "safetensors") -> str:
        """Write the checkpoint, in several files with an index if `shards` says so, and return its folder."""
        folder = self.folder / "checkpoint"
        folder.mkdir(parents=True, exist_ok=True)
        for old in [*folder.glob("*.bin*"), *folder.glob("*.safetensors*")]:
            old.unlink()
        (self.folder / "sam2_sizes.json").write_text(json.dumps(SIZES))
        self.processor.save_pretrained(folder)
        (folder / "config.json").write_text(json.dumps(self.config))
        items = list((self.tensors() if tensors is None else tensors).items())
        stem = "model" if kind == "safetensors" else "pytorch_model"
        names = [f"{stem}-{n + 1:05}-of-{shards:05}.{kind}" if shards > 1 else f"{stem}.{kind}" for n in range(shards)]
        for number, name in enumerate(names):
            part = dict(items[number::shards])
            save_file(part, folder / name) if kind == "safetensors" else torch.save(part, folder / name)
        if shards > 1:
            index = {key: names[place % shards] for place, (key, _) in enumerate(items)}
            (folder / f"{stem}.{kind}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
        return str(folder)


def qwen(folder: Path, base: str, is_tied: bool = False) -> Tiny:
    """Sa2VA on "qwen2_5_vl" or "qwen3_vl"."""
    torch.manual_seed(0)
    plain, make, config, _ = getattr(dynamic_families, base)()
    plain.tokenizer.add_tokens(list(ADDED), special_tokens=True)
    plain.chat_template = CHAT
    config.text_config.vocab_size = len(plain.tokenizer)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = is_tied
    model = make(config).eval()
    scaled(model)
    sam, projection = drawing(config.text_config.hidden_size)
    written = config.to_dict() | {"architectures": ["Sa2VAChatModelQwen"], "template": "qwen_chat"}
    return Tiny(folder, model, plain, sam, projection, written, (("^", "model."),))


def rga3(folder: Path, is_tied: bool = False) -> Tiny:
    """RGA3, with the names and the flat config of transformers 4.49."""
    tiny = qwen(folder, "qwen2_5_vl", is_tied)
    tiny.renames = ((r"^model\.language_model\.", "model."), (r"^model\.visual\.", "visual."))
    flat = {key: value for key, value in tiny.config.items() if key != "text_config"}
    tiny.config = tiny.config["text_config"] | flat | {"architectures": ["UniGRModel"], "model_type": "qwen2_5_vl"}
    tiny.hidden_fcs = "text_hidden_fcs.0"
    return tiny


def internvl(folder: Path, language_model: str, is_6b: bool = False) -> Tiny:
    """Sa2VA on InternVL, with the small vision transformer or one in the manner of InternViT-6B."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(list(ADDED), special_tokens=True)
    of_6b = {"norm_type": "rms_norm", "use_qk_norm": True, "attention_bias": False, "layer_norm_eps": 1e-3}
    same = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": len(tokenizer), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    config = hf.InternVLConfig(
        vision_config=same | (of_6b if is_6b else {"norm_type": "layer_norm", "attention_bias": True}),
        text_config=text | {"model_type": language_model}, tie_word_embeddings=False,
    )  # fmt: skip
    model = hf.InternVLForConditionalGeneration(config).eval()
    scaled(model)
    sam, projection = drawing(text["hidden_size"])
    architecture = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM", "phi3": "Phi3ForCausalLM"}
    written = {
        "architectures": ["Sa2VAChatModel"], "model_type": "sa2va_chat", "template": "qwen_chat", "select_layer": -1,
        "torch_dtype": "float32", "llm_config": text | {"architectures": [architecture[language_model]]},
        "vision_config": same | {
            "norm_type": "rms_norm" if is_6b else "layer_norm", "qk_normalization": is_6b, "qkv_bias": not is_6b,
            "image_size": 448, "patch_size": 14, "layer_norm_eps": 1e-3 if is_6b else 1e-6,
        },
    }  # fmt: skip
    names = (
        (r"^model\.vision_tower\.embeddings\.cls_token", "vision_model.embeddings.class_embedding"),
        (r"^model\.vision_tower\.embeddings\.patch_embeddings\.projection", "vision_model.embeddings.patch_embedding"),
        (r"^model\.vision_tower\.embeddings\.position_embeddings", "vision_model.embeddings.position_embedding"),
        (r"^model\.vision_tower\.encoder\.layer", "vision_model.encoder.layers"),
        (r"attention\.projection_layer", "attn.proj"), (r"attention\.([qk]_norm)", r"attn.\1"),
        ("layernorm_before", "norm1"), ("layernorm_after", "norm2"), (r"lambda_(\d)", r"ls\1"),
        (r"^model\.multi_modal_projector\.layer_norm", "mlp1.0"),
        (r"^model\.multi_modal_projector\.linear_1", "mlp1.1"), (r"^model\.multi_modal_projector\.linear_2", "mlp1.3"),
        (r"^model\.language_model\.", "language_model.model."), (r"^lm_head", "language_model.lm_head"),
    )  # fmt: skip
    return _Internvl(folder, model, tokenizer, sam, projection, written, names)


class _Internvl(Tiny):
    def tensors(self) -> dict[str, torch.Tensor]:
        """With the queries, keys and values of the vision transformer in one tensor."""
        found = super().tensors()
        for name in [name for name in found if "attention.q_proj" in name]:
            parts = [found.pop(name.replace("q_proj", f"{letter}_proj")) for letter in "qkv"]
            found[name.replace("attention.q_proj", "attn.qkv")] = torch.cat(parts)
        return found


def drawing(width: int) -> tuple[Any, nn.Sequential]:
    """A tiny SAM 2, and the projection of hidden states."""
    widths = [8, 16, 32, 64]
    trunk = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1,
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": widths, "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": SIZES["trunk"]["window_spec"],
        "global_attention_blocks": SIZES["trunk"]["global_att_blocks"],
    }  # fmt: skip
    sam = hf.Sam2Model(
        hf.Sam2Config(
            vision_config={
                "backbone_config": trunk, "backbone_channel_list": widths[::-1], "fpn_hidden_size": PROMPT_WIDTH,
            },
            prompt_encoder_config={"hidden_size": PROMPT_WIDTH},
            mask_decoder_config={"hidden_size": PROMPT_WIDTH, "mlp_dim": 40, "iou_head_hidden_dim": 12},
        )
    ).eval()  # fmt: skip
    positions = sam.shared_image_embedding.positional_embedding
    sam.prompt_encoder.shared_embedding.positional_embedding = positions.clone()
    projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, PROMPT_WIDTH))
    scaled(sam)
    scaled(projection)
    return sam, projection


def scaled(part: nn.Module) -> None:
    """Random weights at which outputs differ clearly."""
    with torch.no_grad():
        for name, weight in part.named_parameters():
            if weight.ndim > 1 and "positional_embedding" not in name:
                weight.copy_(torch.randn_like(weight) * 1.2 / weight[0].numel() ** 0.5)


def meta(sam: Any) -> dict[str, torch.Tensor]:
    """The weights of a SAM 2 by Meta's names."""
    found: dict[str, torch.Tensor] = {}
    for name, value in sam.state_dict().items():
        if name.startswith("prompt_encoder.shared_embedding"):
            continue
        if name == "prompt_encoder.point_embed.weight":
            found |= {f"sam_prompt_encoder.point_embeddings.{n}.weight": row[None] for n, row in enumerate(value)}
            continue
        for pattern, replacement in _META:
            name = re.sub(pattern, replacement, name)
        found[name] = value
    return found
