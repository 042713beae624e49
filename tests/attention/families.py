"""The supported families in miniature: each one's real processor class, and a random model that fits it.

Built without any download round one toy tokenizer of single characters. Every family keeps what makes it special
(tiles, thumbnails, merged patches, un-padding, sliding windows, cross-attention) at sizes of a few dozen pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from attention.dynamic_families import (
    glm4v,
    glm4v_moe,
    glm46v,
    mistral3,
    pixtral,
    qwen2_5_vl,
    qwen2_vl,
    qwen3_5,
    qwen3_5_moe,
    qwen3_vl,
    qwen3_vl_moe,
)
from attention.tiled_families import (
    gemma3,
    idefics3,
    internvl,
    llava,
    llava_next,
    llava_onevision,
    mllama,
    paligemma,
    smolvlm,
)


@dataclass(frozen=True)
class Family:
    """A processor, a random float32 model in evaluation mode, and what stands for an image in a prompt.

    `images_kwargs` go to every call of the processor.
    """

    processor: Any
    model: Any
    placeholder: str
    images_kwargs: dict[str, Any]


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
