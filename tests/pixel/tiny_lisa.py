"""A tiny random LISA in the layout of the published checkpoints, and its answers by transformers' own parts alone."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM, SamConfig, SamModel

WIDTH, CLIP_WIDTH, PROMPT_WIDTH = 32, 24, 32
CLIP_SIDE, SAM_SIDE, PATCH = 56, 128, 14
SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the human's questions."
)
CLIP = "openai/clip-vit-tiny"
# From the names of transformers to Meta's.
_META = (
    (r"^shared_image_embedding\.positional_embedding$", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.", "image_encoder."),
    (r"patch_embed\.projection", "patch_embed.proj"),
    (r"neck\.conv1", "neck.0"), (r"neck\.layer_norm1", "neck.1"), (r"neck\.conv2", "neck.2"),
    (r"neck\.layer_norm2", "neck.3"),
    (r"(?<!a_)point_embed\.", "point_embeddings."),
    (r"mask_embed\.conv1", "mask_downscaling.0"), (r"mask_embed\.layer_norm1", "mask_downscaling.1"),
    (r"mask_embed\.conv2", "mask_downscaling.3"), (r"mask_embed\.layer_norm2", "mask_downscaling.4"),
    (r"mask_embed\.conv3", "mask_downscaling.6"),
    (r"upscale_conv1", "output_upscaling.0"), (r"upscale_layer_norm", "output_upscaling.1"),
    (r"upscale_conv2", "output_upscaling.3"),
    (r"(mlps\.\d|prediction_head)\.layers\.0", r"\1.layers.1"),
    (r"(mlps\.\d|prediction_head)\.proj_in", r"\1.layers.0"),
    (r"(mlps\.\d|prediction_head)\.proj_out", r"\1.layers.2"),
    (r"layer_norm", "norm"),
)  # fmt: skip


@dataclass
class TinyLisa:
    """The parts, and the folder that holds `checkpoint` and CLIP beside it."""

    folder: Path
    language_model: Any
    clip: Any
    sam: Any
    projector: nn.Linear
    projection: nn.Sequential
    added: dict[str, int]

    @property
    def checkpoint(self) -> str:
        return str(self.folder / "checkpoint")

    def tensors(self) -> dict[str, torch.Tensor]:
        """What the published files hold, with the buffer that older versions of transformers saved."""
        found = {key: value for key, value in self.language_model.state_dict().items() if "inv_freq" not in key}
        for layer in range(self.language_model.config.num_hidden_layers):
            found[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
        found |= {f"model.mm_projector.{key}": value for key, value in self.projector.state_dict().items()}
        found |= {f"model.text_hidden_fcs.0.{key}": value for key, value in self.projection.state_dict().items()}
        for name, value in self.sam.state_dict().items():
            if name.startswith("prompt_encoder.shared_embedding"):
                continue
            for pattern, replacement in _META:
                name = re.sub(pattern, replacement, name)
            found[f"model.visual_model.{name}"] = value
        return {key: value.detach().contiguous().clone() for key, value in found.items()}

    def write(self, tensors: dict[str, torch.Tensor] | None = None, shards: int = 1, kind: str = "bin") -> str:
        """Write the weights, in several files with an index if `shards` says so, and return the checkpoint's folder."""
        folder = self.folder / "checkpoint"
        for old in [*folder.glob("*.bin*"), *folder.glob("*.safetensors*")]:
            old.unlink()
        items = list((self.tensors() if tensors is None else tensors).items())
        stem, end = ("pytorch_model", "bin") if kind == "bin" else ("model", "safetensors")
        names = [f"{stem}-{n + 1:05}-of-{shards:05}.{end}" if shards > 1 else f"{stem}.{end}" for n in range(shards)]
        for number, name in enumerate(names):
            part = dict(items[number::shards])
            torch.save(part, folder / name) if kind == "bin" else save_file(part, folder / name)
        if shards > 1:
            index = {key: names[place % shards] for place, (key, _) in enumerate(items)}
            (folder / f"{stem}.{end}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
        return str(folder)

    @torch.inference_mode()
    def greedy(self, before: list[int], after: list[int], image: Image.Image, count: int) -> list[int]:
        """The next tokens after a prompt, without a cache, up to end-of-text."""
        ids: list[int] = []
        while len(ids) < count and ids[-1:] != [2]:
            states = self.states(before, [*after, *ids], image)
            ids.append(int(self.language_model.lm_head(states[-1]).argmax()))
        return ids[:-1] if ids[-1] == 2 else ids

    @torch.inference_mode()
    def states(self, before: list[int], after: list[int], image: Image.Image) -> torch.Tensor:
        """The final states of a sequence whose image is between two parts."""
        embed = self.language_model.model.embed_tokens
        seen = self.clip(clip_pixels(image), output_hidden_states=True).hidden_states[-2][0, 1:]
        whole = torch.cat([embed(torch.tensor(before)), self.projector(seen), embed(torch.tensor(after))])
        return self.language_model.model(inputs_embeds=whole[None]).last_hidden_state[0]

    @torch.inference_mode()
    def draw(self, states: torch.Tensor, image: Image.Image) -> np.ndarray:
        """The low-resolution mask logits of states, one call of SAM for each."""
        prompts = self.projection(states)
        embedded = self.sam.get_image_embeddings(sam_pixels(image))
        dense = self.sam.prompt_encoder.no_mask_embed.weight.view(1, -1, 1, 1).expand(-1, -1, 8, 8)
        places = self.sam.get_image_wide_positional_embeddings()
        return np.stack(
            [
                self.sam.mask_decoder(embedded, places, each.view(1, 1, 1, -1), dense, False)[0][0, 0, 0]
                for each in prompts
            ]
        )


def make(folder: Path, seed: int = 0, seg_gain: float = 4.0) -> TinyLisa:
    """Write a tiny LISA, whose head likes [SEG] more the larger `seg_gain` is."""
    torch.manual_seed(seed)
    (folder / "checkpoint").mkdir(parents=True)
    (folder / CLIP).mkdir(parents=True)
    pieces = write_tokenizer(folder / "checkpoint")
    added = {"[SEG]": pieces, "<im_start>": pieces + 1, "<im_end>": pieces + 2}
    (folder / "checkpoint" / "added_tokens.json").write_text(json.dumps(added))
    text = LlamaConfig(
        vocab_size=pieces + 3, hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    language_model = LlamaForCausalLM(text).eval()
    clip = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=CLIP_WIDTH,
            intermediate_size=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=CLIP_SIDE,
            patch_size=PATCH,
        )
    ).eval()
    sam = SamModel(
        SamConfig(
            vision_config={
                "hidden_size": 16,
                "output_channels": PROMPT_WIDTH,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "image_size": SAM_SIDE,
                "patch_size": 16,
                "window_size": 3,
                "global_attn_indexes": [1],
                "num_pos_feats": PROMPT_WIDTH // 2,
                "mlp_dim": 20,
            },
            prompt_encoder_config={"hidden_size": PROMPT_WIDTH, "image_size": SAM_SIDE, "patch_size": 16},
            mask_decoder_config={
                "hidden_size": PROMPT_WIDTH,
                "mlp_dim": 40,
                "num_attention_heads": 8,
                "iou_head_hidden_dim": 12,
                "layer_norm_eps": 1e-5,
            },
        )
    ).eval()
    projector, projection = (
        nn.Linear(CLIP_WIDTH, WIDTH),
        nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, PROMPT_WIDTH)),
    )
    lisa = TinyLisa(folder, language_model, clip, sam, projector, projection, added)
    with torch.no_grad():
        for part in (language_model, clip, sam, projector, projection):
            for name, weight in part.named_parameters():
                if weight.ndim > 1 and "positional_embedding" not in name:
                    weight.copy_(torch.randn_like(weight) * 1.5 / weight[0].numel() ** 0.5)
        language_model.lm_head.weight[added["[SEG]"]] *= seg_gain
    clip.save_pretrained(folder / CLIP)
    sizes = {"size": CLIP_SIDE, "crop_size": CLIP_SIDE}
    (folder / CLIP / "preprocessor_config.json").write_text(json.dumps(sizes))
    config = {
        "architectures": ["LISAForCausalLM"], "model_type": "llava", "hidden_size": WIDTH, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 2048, "hidden_act": "silu", "mm_vision_tower": CLIP, "vision_tower": CLIP,
        "mm_vision_select_layer": -2, "mm_use_im_start_end": True, "torch_dtype": "float32", "rope_scaling": None,
    }  # fmt: skip
    (folder / "checkpoint" / "config.json").write_text(json.dumps(config))
    lisa.write()
    return lisa


def write_tokenizer(folder: Path, size: int = 330) -> int:
    """Write tokenizer.model and return the number of its pieces."""
    text = [SYSTEM, "Can you segment the red star in this image?", "Sure, it is USER: ASSISTANT: a b c d e f g h (1) ."]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text * 4), model_writer=model, vocab_size=size, model_type="bpe", byte_fallback=True,
        character_coverage=1.0, normalization_rule_name="identity", remove_extra_whitespaces=False, unk_id=0, bos_id=1,
        eos_id=2, pad_id=-1, minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    return size


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """An image of large squares of random colors."""
    small = np.random.RandomState(seed).randint(0, 256, (5, 5, 3)).astype(np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST)


def clip_pixels(image: Image.Image) -> torch.Tensor:
    """CLIP's pixels of a square image: resized, and normalized."""
    assert image.width == image.height
    values = np.asarray(image.resize((CLIP_SIDE, CLIP_SIDE), Image.Resampling.BICUBIC)) / 255
    normal = (values - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711]
    return torch.tensor(normal.transpose(2, 0, 1)[None], dtype=torch.float32)


def sam_pixels(image: Image.Image) -> torch.Tensor:
    """SAM's pixels of a square image."""
    values = np.asarray(image.resize((SAM_SIDE, SAM_SIDE), Image.Resampling.BILINEAR)).astype(float)
    normal = (values - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    return torch.tensor(normal.transpose(2, 0, 1)[None], dtype=torch.float32)


def masks_of(low: np.ndarray, image: Image.Image) -> np.ndarray:
    """The masks of a square image from low-resolution logits."""
    large = functional.interpolate(torch.tensor(low)[None], (SAM_SIDE, SAM_SIDE), mode="bilinear")
    return functional.interpolate(large, (image.height, image.width), mode="bilinear")[0].numpy() > 0
