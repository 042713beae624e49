"""The record of one generation: which rows are wanted next, and what was kept of those that came."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Literal, get_args

import torch
from loguru import logger
from torch import Tensor

from pixfound_tasks.attention.progress import Progress
from pixfound_tasks.attention.rows import Call, attention_rows, value_norms
from pixfound_tasks.choices import check_choice

Query = Literal["predict", "consume"]
QUERIES = get_args(Query)
Heads = Literal["all"] | Sequence[int] | Sequence[tuple[int, int]]

_ROWS_AT_ONCE = 32  # of a given answer: full rows are as long as the sequence, and never held for all of it


def check_query(query: str) -> Query:
    """The query of this name; ValueError where there is none."""
    check_choice("query", query, QUERIES)
    return "predict" if query == "predict" else "consume"


class AttentionRecord:
    """The recorded rows of one generation or forward call; filled while it runs, read when it is done.

    `layers` are the recorded ones; the arguments are those of `record_attention`.
    """

    def __init__(
        self,
        image_tokens: Tensor,
        layers: Sequence[int],
        heads: Heads,
        head_count: int,
        reduce: Literal["mean"] | None,
        value_norm: bool,
        is_crossing: bool,
    ) -> None:
        if image_tokens.dtype != torch.bool or image_tokens.ndim != 2:
            shape, dtype = tuple(image_tokens.shape), image_tokens.dtype
            raise ValueError(f"expected image_tokens as bool (batch, prompt tokens), but got {dtype} {shape}")
        if reduce not in ("mean", None):
            raise ValueError(f"expected reduce to be 'mean' or None, but got {reduce!r}")
        self._heads = _heads_of_layers(heads, layers, head_count)
        if reduce is None and len(set(self._heads.values())) > 1:
            raise ValueError("expected heads as numbers, the same in every layer, with reduce=None; but got pairs")
        self.layers = tuple(self._heads)
        self.reduce, self.value_norm, self.is_crossing = reduce, value_norm, is_crossing
        self._batch = len(image_tokens)
        self._progress = Progress(image_tokens.shape[1], is_crossing)
        self._counts = image_tokens.sum(dim=1)
        self._columns = _padded_indices(image_tokens)
        self._labelled: Tensor | None = None
        self._at: Tensor | None = None
        self._layer_rows: list[Tensor] = []
        self._came: list[int] = []  # the layers of the running step
        self._steps: list[Tensor] = []
        if not is_crossing:
            if not self._counts.any():
                raise ValueError(
                    "expected image_tokens to be true for some tokens, but the prompts hold no image token"
                )
            self._announce(self._columns.shape[1])

    def rows(self, query: Query = "predict", lengths: Sequence[int] | None = None) -> Tensor:
        """Attention to the image tokens, float32 on the CPU: (batch, steps, image tokens), or with `reduce=None`
        (batch, steps, layers, heads, image tokens).

        `query="predict"`: row t is the one that predicts token t of the answer. `query="consume"`: row t is the one in
        which token t is the query; a generation never consumes its last token, whose row is NaN. `lengths` tells how
        many tokens each sample's answer has where some end early. NaN stands behind a sample's own tokens and, where
        samples have different numbers of image tokens, behind its own image tokens.
        """
        check_choice("query", query, QUERIES)
        if not self._steps:
            raise RuntimeError(
                "nothing was recorded: call model.generate, or the model itself, inside `with record_attention(...)`, "
                "and leave its attention implementation as it is"
            )
        if self._labelled is not None:
            lengths = (self._labelled.sum(dim=1)).tolist() if lengths is None else lengths
            rows = self._steps[0].chunk(2, dim=1)[QUERIES.index(query)].clone()
        else:
            rows = torch.stack(self._steps, dim=1)
            if query == "consume":
                rows = torch.cat([rows[:, 1:], torch.full_like(rows[:, :1], torch.nan)], dim=1)
        for sample, length in enumerate(lengths or ()):
            rows[sample, length:] = torch.nan
        if not self.is_crossing:
            for sample, count in enumerate(self._counts.tolist()):
                rows[sample, ..., count:] = torch.nan
        return rows.cpu()

    def expect(self, labels: Tensor | None) -> None:
        """Before a forward call: which of its tokens are the answer, (batch, tokens), -100 where none."""
        if self._labelled is not None and self._steps:
            raise ValueError("expected one forward call with labels per recording, but got another call")
        if labels is None or not (labels[:, 1:] != -100).any():
            return
        self._labelled = labels[:, 1:] != -100
        predicting = _padded_indices(self._labelled)
        self._at = torch.cat([predicting, predicting + 1], dim=1)

    @torch.no_grad()
    def take(self, layer: int, call: Call) -> None:
        """Look at a recorded layer's call of its attention kernel, and keep what is wanted of it."""
        if self._labelled is not None and self._steps:
            return  # gradient checkpointing runs a layer again
        if layer == self.layers[0]:
            self._begin(call)
        if self._at is None and not self._progress.is_prompt_complete:
            return  # a chunk of the prompt before its last
        end = None if self.is_crossing else self._progress.end
        with _full_precision(call.query.device.type):
            if self._at is None:
                rows = self._reduced(layer, call, attention_rows(call, None, end))
            else:
                parts = self._at.to(call.query.device).split(_ROWS_AT_ONCE, dim=1)
                rows = torch.cat([self._reduced(layer, call, attention_rows(call, at, end)) for at in parts], dim=1)
        self._came.append(layer)
        self._layer_rows.append(rows)
        if self.reduce == "mean" and len(self._layer_rows) == 2:
            total, more = self._layer_rows
            self._layer_rows = [total.add_(more.to(total.device))]
        if layer == self.layers[-1]:
            self._finish()

    def _begin(self, call: Call) -> None:
        """A step begins: count its tokens, and refuse what is no plain generation."""
        self._came, self._layer_rows = [], []
        for option in ("position_bias", "indices"):
            if call.options.get(option) is not None:
                raise ValueError(f"expected plain softmax attention, but the model's takes {option!r}: not recorded")
        batch, _, queries, _ = call.query.shape
        keys = call.key.shape[2]
        if batch != self._batch:
            raise ValueError(
                f"expected a batch of {self._batch} samples as in image_tokens, but the model ran {batch}: beam search "
                "and several sequences per sample are not recorded; generate with num_beams=1, one sequence each"
            )
        if self.is_crossing and not self._steps:
            self._announce(keys)
        if self._at is None:
            self._progress.advance(queries, keys, call.options.get("sliding_window"))
        else:
            self._progress.end = queries

    def _reduced(self, layer: int, call: Call, rows: Tensor) -> Tensor:
        """Of full rows (batch, heads, rows, keys) the image-token columns: (batch, rows, [heads,] image tokens)."""
        if self.value_norm:
            rows = rows * value_norms(call)
        heads = self._heads[layer]
        if len(heads) < rows.shape[1]:
            rows = rows[:, list(heads)]
        rows = rows.sum(dim=1) if self.reduce == "mean" else rows.transpose(1, 2)
        if self.is_crossing:
            return rows
        self._columns = self._columns.to(rows.device)
        # A sliding cache holds the last keys only: what it forgot is not attended to.
        forgotten = max(0, self._progress.end - call.key.shape[2])
        columns = self._columns.view(len(rows), *[1] * (rows.ndim - 2), -1)
        if not forgotten:
            return rows.gather(-1, columns.expand(*rows.shape[:-1], -1))
        columns = columns - forgotten
        picked = rows.gather(-1, columns.clamp(min=0).expand(*rows.shape[:-1], -1))
        return picked.masked_fill_(columns < 0, 0.0)

    def _finish(self) -> None:
        """A step ends: its rows are complete."""
        if tuple(self._came) != self.layers:
            raise ValueError(
                f"expected layers {self.layers} to attend in order, but {tuple(self._came)} did: name them"
            )
        if self.reduce == "mean":
            step = self._layer_rows[0] / sum(len(heads) for heads in self._heads.values())
        else:
            device = self._layer_rows[0].device
            step = torch.stack([rows.to(device) for rows in self._layer_rows], dim=2).cpu()
        self._steps.append(step if self._at is not None else step[:, 0])
        self._progress.steps += 1
        self._layer_rows = []

    def _announce(self, columns: int) -> None:
        if self.reduce is None:
            heads = len(next(iter(self._heads.values())))
            megabytes = self._batch * len(self.layers) * heads * columns * 4 / 1e6
            _say_once(
                f"reduce=None keeps {self._batch} samples x {len(self.layers)} layers x {heads} heads x {columns} "
                f"image tokens: {megabytes:.2f} MB of memory for every token of the answer"
            )


def _full_precision(device: str) -> AbstractContextManager[Any]:
    # Entered for every layer of every token: to leave autocast where there is none would be felt.
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


@cache
def _say_once(message: str) -> None:
    logger.info(message)


def _heads_of_layers(heads: Any, layers: Sequence[int], count: int) -> dict[int, tuple[int, ...]]:
    """The heads recorded in each layer; ValueError where one is not there."""
    if isinstance(heads, str) and heads == "all":
        return {layer: tuple(range(count)) for layer in layers}
    try:
        pairs = [(int(head[0]), int(head[1])) for head in heads] if isinstance(heads[0], Sequence) else None
        numbers = [head for _, head in pairs] if pairs else [int(head) for head in heads]
    except (TypeError, ValueError, IndexError):
        pairs, numbers = None, []
    known = all(0 <= head < count for head in numbers) and all(layer in layers for layer, _ in pairs or ())
    if not numbers or not known or len(set(pairs or numbers)) < len(numbers):
        raise ValueError(
            f"expected heads as 'all', different numbers in 0..{count - 1}, or pairs (layer, head) with layers among "
            f"{list(layers)}, but got {heads!r}"
        )
    if pairs is None:
        return {layer: tuple(sorted(numbers)) for layer in layers}
    return {layer: tuple(sorted(h for at, h in pairs if at == layer)) for layer in sorted({at for at, _ in pairs})}


def _padded_indices(flags: Tensor) -> Tensor:
    """Where flags (batch, tokens) are true, (batch, most true ones of a sample); 0 behind a sample's own."""
    counts = flags.sum(dim=1)
    # A stable sort of the unset flags moves the set ones to the front, in order.
    order = (~flags).int().argsort(dim=1, stable=True)[:, : int(counts.max())]
    return order * (torch.arange(order.shape[1], device=flags.device) < counts[:, None])
