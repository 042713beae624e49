"""Record what every generated token attended to, while the model keeps its fast attention kernel.

The output comes from the kernel the model was loaded with. On the side, in float32, the softmax row of each step's
last query is computed over all keys, and only its image-token columns are kept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from pixfound_tasks.choices import check_choice

Query = Literal["predict", "consume"]
QUERIES = get_args(Query)


@dataclass
class AttentionRecord:
    """The recorded rows of one generation; filled while it runs, read when it is done.

    `image_tokens` is bool (batch, prompt tokens). Every sample must have the same number of image tokens.
    """

    image_tokens: Tensor
    layers: tuple[int, ...]
    reduce: str | None
    _steps: list[list[Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.image_tokens.dtype != torch.bool or self.image_tokens.ndim != 2:
            shape, dtype = tuple(self.image_tokens.shape), self.image_tokens.dtype
            raise ValueError(f"expected image_tokens as bool (batch, prompt tokens), but got {dtype} {shape}")
        counts = self.image_tokens.sum(dim=1)
        if counts.min() == 0 or counts.min() != counts.max():
            raise ValueError(f"expected the same number of image tokens in every sample, but got {counts.tolist()}")
        self._columns = self.image_tokens.nonzero()[:, 1].view(len(counts), -1)

    def rows(self, query: Query = "predict") -> Tensor:
        """Attention to the image tokens, float32 on the CPU: (batch, steps, image tokens), or with `reduce=None`
        (batch, steps, layers, heads, image tokens).

        `query="predict"`: row t is the one that predicts generated token t. `query="consume"`: row t is the one in
        which token t is the query; the last token is never consumed, its row is NaN.
        """
        if not self._steps:
            raise RuntimeError("nothing was recorded: call model.generate inside `with record_attention(...)`")
        check_choice("query", query, QUERIES)
        steps = [torch.stack(layers, dim=1) for layers in self._steps]
        rows = torch.stack(steps, dim=1)
        rows = rows.mean(dim=2) if self.reduce == "mean" else rows
        if query == "consume":
            rows = torch.cat([rows[:, 1:], torch.full_like(rows[:, :1], torch.nan)], dim=1)
        return rows

    def add(self, layer: int, row: Tensor) -> None:
        """Take one recorded layer's row, float32 (batch, heads, keys), of the step that is running."""
        if row.shape[0] != len(self._columns):
            raise ValueError(
                f"expected a batch of {len(self._columns)} samples as in image_tokens, but the model ran "
                f"{row.shape[0]}: beam search and several sequences per sample are not recorded"
            )
        if layer == self.layers[0]:
            self._steps.append([])
        self._columns = self._columns.to(row.device)
        if self.reduce is None:
            columns = self._columns[:, None, :].expand(-1, row.shape[1], -1)
            self._steps[-1].append(row.gather(2, columns).cpu())
            return
        self._steps[-1].append(row.mean(dim=1).gather(1, self._columns))
        if len(self._steps[-1]) == len(self.layers):
            self._steps[-1] = [torch.stack(self._steps[-1]).mean(dim=0).cpu()]


@contextmanager
def record_attention(
    model,
    image_tokens: Tensor,
    reduce: Literal["mean"] | None = "mean",
    layers: Sequence[int] | Literal["all"] = "all",
) -> Iterator[AttentionRecord]:
    """Record the language decoder's attention to the image tokens during one `model.generate`.

    Args:
        model: a transformers model whose decoder uses the attention interface, loaded with any implementation.
        image_tokens: bool (batch, prompt tokens), true where the prompt holds an image token.
        reduce: "mean" over the layers and heads, taken while recording, so that memory is steps x image tokens;
            None keeps them apart.
        layers: the decoder layers to record, counted from 0 (negative ones from the end).

    Yields an `AttentionRecord`. The model is restored when the block ends, also after an exception.
    """
    if reduce not in ("mean", None):
        raise ValueError(f"expected reduce to be 'mean' or None, but got {reduce!r}")
    config = model.config.get_text_config()
    record = AttentionRecord(image_tokens, choose_layers(layers, config.num_hidden_layers), reduce)
    kernel = config._attn_implementation
    name = f"{kernel}_recorded_{id(record)}"
    AttentionInterface.register(name, _recording(kernel, record))
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[kernel])
    config._attn_implementation = name
    try:
        yield record
    finally:
        config._attn_implementation = kernel
        AttentionInterface._global_mapping.pop(name)
        AttentionMaskInterface._global_mapping.pop(name)


def choose_layers(layers: Sequence[int] | Literal["all"], count: int) -> tuple[int, ...]:
    """Layers of a decoder of `count`, in order, counted from 0; ValueError where one is not there or comes twice."""
    if layers == "all":
        return tuple(range(count))
    chosen = sorted({layer % count for layer in layers if -count <= layer < count})
    if isinstance(layers, str) or len(chosen) != len(layers):
        raise ValueError(f"expected layers as 'all' or different numbers in {-count}..{count - 1}, but got {layers!r}")
    return tuple(chosen)


def _recording(kernel: str, record: AttentionRecord) -> Callable:
    """An attention function that returns what the kernel returns and adds the last query's row to the record."""

    def attention(module, query, key, value, attention_mask, scaling=None, **options):
        if kernel == "eager":
            run = sys.modules[type(module).__module__].eager_attention_forward
        else:
            run = ALL_ATTENTION_FUNCTIONS[kernel]
        output = run(module, query, key, value, attention_mask, scaling=scaling, **options)
        if module.layer_idx in record.layers:
            record.add(module.layer_idx, last_row(query, key, attention_mask, scaling))
        return output

    return attention


@torch.no_grad()
def last_row(query: Tensor, key: Tensor, mask: Tensor | None, scaling: float | None) -> Tensor:
    """The softmax row of the last query, float32 (batch, heads, keys).

    Args:
        query: (batch, heads, queries, width); key: (batch, key heads, keys, width), each shared by a group of heads.
        mask: true or 0 where a key may be seen, (batch, 1, queries, keys); of flash attention (batch, keys); or None.
        scaling: factor of the scores; 1 / sqrt(width) where None.
    """
    batch, heads, _, width = query.shape
    groups, keys = key.shape[1], key.shape[2]
    last = query[:, :, -1].float().view(batch, groups, heads // groups, width)
    scores = last @ key.float().transpose(-1, -2) * (width**-0.5 if scaling is None else scaling)
    scores = scores.view(batch, heads, keys)
    if mask is not None:
        seen = mask[:, None, -keys:].bool() if mask.ndim == 2 else mask[:, :, -1, :keys]
        scores = scores.masked_fill(~seen, -torch.inf) if seen.dtype == torch.bool else scores + seen.float()
    return scores.softmax(dim=-1)
