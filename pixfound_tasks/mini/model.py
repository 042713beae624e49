"""The architecture of the embedded models' language half: a LLaVA with 1.4 million parameters."""

from __future__ import annotations

from typing import Any

import torch
from transformers import CLIPVisionConfig, GenerationConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from pixfound_tasks.mini.tokenizer import PATCH, SIZE

WIDTH = 128
GRID = SIZE // PATCH


def build_model(tokenizer: Any) -> LlavaForConditionalGeneration:
    """Return an untrained model. The vision tower's position embedding is initialized with 2-D sines and cosines.

    The projector is linear, so that it can be written as the single layer of LISA.
    """
    vision = CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=3, num_attention_heads=4,
        image_size=SIZE, patch_size=PATCH, projection_dim=WIDTH, hidden_act="gelu",
    )  # fmt: skip
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=1024, initializer_range=0.04,
        tie_word_embeddings=False, **special,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        projector_hidden_act="linear", vision_feature_select_strategy="default", vision_feature_layer=-1,
        image_seq_length=GRID**2, tie_word_embeddings=False, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=64, **special)
    _initialize(model)
    return model


@torch.no_grad()
def _initialize(model: LlavaForConditionalGeneration) -> None:
    for name, weight in model.named_parameters():
        if name.endswith("position_embedding.weight"):
            weight[1:] = 0.15 * _sines(GRID, WIDTH)
        elif weight.ndim == 2 and ("multi_modal_projector" in name or ("vision_tower" in name and "encoder" in name)):
            torch.nn.init.xavier_uniform_(weight)


def _sines(grid: int, width: int) -> torch.Tensor:
    """Return the sine-cosine encoding of a grid's rows and columns, float32 (grid * grid, width)."""
    quarter = width // 4
    frequencies = 1 / 30 ** (torch.arange(quarter) / quarter)
    rows, columns = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    angles = [places.flatten()[:, None] * frequencies for places in (rows, columns)]
    return torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1)
