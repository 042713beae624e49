"""Rows of the recorder against `output_attentions=True` with eager attention, for any architecture of the zoo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from attention.zoo.zoo_build import Toy
from PIL import Image

from pixfound_tasks.attention import record_attention
from pixfound_tasks.attention.recorder import image_attention_modules
from pixfound_tasks.hosts.attention_modules import text_decoder

STEPS = 4
ONE = (((100, 70),),), ("ab",)  # (height, width) of each image of each prompt, and the prompts
BATCH = (((100, 70),), ((60, 90),)), ("ab", "what is this")
TWO = (((100, 70), (60, 90)),), ("ab",)


class RowsVerdict(NamedTuple):
    """How a recording compares with the same generation under eager attention, and with a plain one.

    Attributes:
        difference: the largest difference of a row's values to eager attention.
        same_ids: whether the plain, the recorded and the eager generation gave the same ids.
        layers: the recorded layers.
        rows: what was recorded, (batch, steps, layers, heads, image tokens).
        ids: what was generated.
    """

    difference: float
    same_ids: bool
    layers: tuple[int, ...]
    rows: torch.Tensor
    ids: torch.Tensor


def noise_images(sizes: Sequence[Sequence[tuple[int, int]]]) -> list[list[Image.Image]]:
    """One image of noise for each (height, width). The same size gives the same image."""

    def noise(height: int, width: int) -> Image.Image:
        random = np.random.RandomState(height * 1000 + width)
        return Image.fromarray(random.randint(0, 255, (height, width, 3)).astype(np.uint8))

    return [[noise(*size) for size in own] for own in sizes]


def generate(model: Any, inputs: Any, **options: Any) -> Any:
    """Greedy generation of exactly STEPS tokens."""
    with torch.inference_mode():
        return model.generate(**inputs, do_sample=False, max_new_tokens=STEPS, min_new_tokens=STEPS, **options)


def compare_rows(toy: Toy, sizes: Any, prompts: Sequence[str]) -> RowsVerdict:
    """Record a generation and compare it."""
    model, inputs = toy.model, toy.inputs(noise_images(sizes), prompts)
    image_tokens = toy.image_tokens(inputs)
    plain = generate(model, inputs)
    with record_attention(model, image_tokens, reduce=None) as record:
        recorded = generate(model, inputs)
    rows = record.rows()
    columns = None if record.is_crossing and not toy.reads_encoder else image_tokens
    seen: list[list[torch.Tensor]] = [[] for _ in record.layers]
    hooks = []
    for own, one in zip(seen, [one for one in image_attention_modules(model) if one.layer in record.layers]):
        hooks.append(one.module.register_forward_hook(lambda _, args, output, own=own: own.append(_weights(output))))
    output = {"output_attentions": True} if toy.gives_attention else {}
    with eager_attention(model):
        eager = generate(model, inputs, return_dict_in_generate=True, **output)
    for hook in hooks:
        hook.remove()
    expected = _from_output(eager, record.layers, seen)
    worst = 0.0
    for sample in range(len(rows)):
        for step in range(rows.shape[1]):
            for layer, weights in enumerate(expected[step]):
                row = _image_columns(weights[sample, :, -1], columns, sample, step, toy.reads_encoder)
                got = rows[sample, step, layer, :, : row.shape[-1]]
                got = got[: len(row)]  # a layer may have fewer heads than others
                assert got.shape == row.shape and torch.isfinite(got).all(), (got.shape, row.shape)
                worst = max(worst, (got - row).abs().max().item())
    same = torch.equal(plain, recorded) and torch.equal(recorded, eager.sequences)
    return RowsVerdict(worst, same, record.layers, rows, recorded)


@contextmanager
def eager_attention(model: Any) -> Iterator[None]:
    """Run the text decoder with eager attention. Not all vision parts let themselves be set back."""
    configs = {id(config): config for config in _configs(model)}.values()
    before = [config._attn_implementation for config in configs]
    for config in configs:
        config._attn_implementation = "eager"
    try:
        yield
    finally:
        for config, kernel in zip(configs, before):
            config._attn_implementation = kernel


def _configs(model: Any) -> Iterator[Any]:
    yield model.config.get_text_config(decoder=True)
    for module in text_decoder(model).modules():
        if hasattr(getattr(module, "config", None), "_attn_implementation"):
            yield module.config


def _weights(output: Any) -> torch.Tensor:
    """The attention among what an eager module returned: (batch, heads, queries, keys)."""
    return next(part for part in reversed(output) if torch.is_tensor(part) and part.ndim == 4)


def _from_output(eager: Any, layers: Sequence[int], seen: list[list[torch.Tensor]]) -> list[list[torch.Tensor]]:
    """For each step, the attention of each recorded layer as the model's output has it.

    An output leaves out the attention of some architectures. What their modules returned is taken then.
    """
    for name in ("cross_attentions", "attentions", "decoder_attentions"):
        steps = getattr(eager, name, None)
        if not steps or steps[0] is None:
            continue
        if len(steps[0]) == len(layers):
            picked = [list(step) for step in steps]
        elif len(steps[0]) > max(layers):
            picked = [[step[layer] for layer in layers] for step in steps]
        else:
            continue
        if all(torch.equal(own[0], one) for own, one in zip(seen, picked[0]) if one is not None):
            return picked
    return [list(step) for step in zip(*seen)]


def _image_columns(
    row: torch.Tensor, image_tokens: torch.Tensor | None, sample: int, step: int, of_encoder: bool
) -> torch.Tensor:
    """Of one query's attention (heads, keys) the columns of the image tokens."""
    if image_tokens is None:
        return row
    width = image_tokens.shape[1]
    if of_encoder:
        return row[:, -width:][:, image_tokens[sample]]
    end = width + step
    if row.shape[1] < end:  # a sliding cache forgot the first tokens
        row = torch.cat([row.new_zeros(len(row), end - row.shape[1]), row], dim=1)
    return row[:, :width][:, image_tokens[sample]]
