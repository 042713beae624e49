"""The zoo: a tiny random model, with its real processor, of every architecture that reads images.

    from attention.zoo.zoo_build import NAMES, VARIANTS, build  # `tests` is on the path in pytest and in perf/

    toy = build("cohere2_vision")                         # NAMES are the keys of transformers' mapping
    inputs = toy.inputs([[image], [first, second]], ["ab", "what is this"])   # one batch, padded on the left
    toy.model.generate(**inputs)                          # a float32 model in evaluation mode, on the CPU
    toy.image_tokens(inputs)                              # (batch, prompt) bool; None if no prompt token is an image

`toy.processor` has a chat template if the placeholder of an image can be written in the prompt. `toy.placeholder` is
that placeholder, `toy.options` go to every call of the processor, and `toy.most_images` is the number of images that
one prompt may hold. Models are cached for the run: whoever changes a model puts it back or copies it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from attention.families import BUILDERS, CHAT_TEMPLATE, build_family
from attention.zoo import (
    zoo_crossing,
    zoo_grids,
    zoo_hybrids,
    zoo_indexed,
    zoo_ocr,
    zoo_prefixes,
    zoo_qwen_like,
    zoo_resamplers,
    zoo_squares,
    zoo_tiles,
)
from attention.zoo.zoo_parts import IDS, Parts, call_nested
from PIL import Image

from pixfound_tasks.hosts.attention_modules import reads_encoder

_MODULES = (
    zoo_crossing, zoo_grids, zoo_hybrids, zoo_indexed, zoo_ocr, zoo_prefixes, zoo_qwen_like, zoo_resamplers,
    zoo_squares, zoo_tiles,
)  # fmt: skip
_KEYS = {
    "blip_2": "blip-2",
    "blip_2_t5": "blip-2 with t5",
    "kosmos_2": "kosmos-2",
    "kosmos_2_5": "kosmos-2.5",
    "vision_encoder_decoder": "vision-encoder-decoder",
}


def _builders() -> dict[str, Callable[[], Parts]]:
    found = {}
    for module in _MODULES:
        for name, value in vars(module).items():
            is_own = callable(value) and getattr(value, "__module__", "") == module.__name__
            if is_own and not name.startswith("_") and value.__annotations__.get("return") == "Parts":
                found[_KEYS.get(name, name)] = value
    return found


BUILT = _builders()
_REGISTERED = {*BUILDERS} - {"pixtral"}  # whose architecture is that of llava
VARIANTS = ("blip-2 with t5",)
NAMES = sorted({*BUILT, *_REGISTERED} - {*VARIANTS})


@dataclass(frozen=True)
class Toy:
    """A model of one architecture in miniature, and how its processor is called."""

    name: str
    model: Any
    processor: Any
    placeholder: str
    options: dict[str, Any]
    most_images: int
    note: str
    _call: Callable[..., Any]
    _image_token: int | None
    _image_mask: Callable[[Any, Any], torch.Tensor] | None = None
    gives_attention: bool = True

    def inputs(self, images: Sequence[Sequence[Image.Image]], prompts: Sequence[str]) -> Any:
        """The model's inputs for a batch of prompts, each preceded by its images."""
        texts = [self.placeholder * len(own) + prompt for own, prompt in zip(images, prompts)]
        inputs = self._call(self.processor, images, texts, **self.options)
        inputs.pop("labels", None)
        for name, value in inputs.items():
            if torch.is_tensor(value) and value.is_floating_point():
                inputs[name] = value.float()
        return inputs

    @property
    def reads_encoder(self) -> bool:
        """Whether `image_tokens` marks tokens of the encoder's output."""
        return reads_encoder(self.model)

    def image_tokens(self, inputs: Any) -> torch.Tensor | None:
        """Which prompt tokens stand for image tokens, as the architecture's own configuration says."""
        if self._image_mask is not None:
            return self._image_mask(self.model, inputs)
        if self._image_token is None or "input_ids" not in inputs:
            return None
        return inputs["input_ids"] == self._image_token


@cache
def build(name: str) -> Toy:
    """The miniature of an architecture, one of NAMES. Its weights are the same in every run."""
    if name in _REGISTERED:
        family = build_family(name)
        token = family.model.config.image_token_id
        return Toy(
            name, family.model, family.processor, family.placeholder, family.images_kwargs, 2, "", call_nested, token
        )
    parts = BUILT[name]()
    torch.manual_seed(0)
    model = parts.model_class(parts.config).float().eval()
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = 0, 2
    if parts.placeholder and hasattr(parts.processor, "apply_chat_template"):
        parts.processor.chat_template = CHAT_TEMPLATE.replace("IMAGE", parts.placeholder)
    make_lively(model)
    if parts.patch:
        parts.patch(model)
    token = IDS[parts.image_token] if parts.image_token else getattr(model.config, "image_token_id", None)
    return Toy(
        name, model, parts.processor, parts.placeholder, parts.options, parts.most_images, parts.note, parts.call,
        token, parts.image_mask, parts.gives_attention,
    )  # fmt: skip


_KEPT = (
    "embed_tokens", "position", "pos_emb", "lm_head", "class_emb", "query_tokens", "latents", "rel_pos", "codebook",
    "quantize",
)  # fmt: skip


@torch.no_grad()
def make_lively(model: Any) -> None:
    """Give the model weights under which an image matters.

    As initialized, attention is nearly uniform, and gates and some projections are zero. A narrow random tower with the
    small weights of a wide one loses its signal.
    """
    for name, parameter in model.named_parameters():
        if "gate" in name.rsplit(".", 1)[-1] and parameter.numel() == 1:
            parameter.fill_(0.5)
        elif parameter.ndim >= 2 and not parameter.any():
            parameter.normal_(std=0.2)
        elif parameter.ndim == 1 and name.endswith(("gamma", "lambda", "scale")) and parameter.abs().max() < 1e-3:
            parameter.fill_(0.5)
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    of_decoder = {id(parameter) for parameter in decoder.parameters()} if decoder is not None else set()
    generator = torch.Generator().manual_seed(7)
    for name, parameter in model.named_parameters():
        inputs = parameter.shape[1:].numel()
        is_matrix = parameter.ndim == 4 or (parameter.ndim >= 2 and inputs > 1)
        if id(parameter) not in of_decoder and is_matrix and not any(kept in name for kept in _KEPT):
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / inputs**0.5)
    for name, parameter in model.named_parameters():
        is_scorer = name.endswith(("q_proj.weight", "k_proj.weight", "query.weight", "key.weight"))
        if id(parameter) in of_decoder and is_scorer:
            parameter.mul_(10)
