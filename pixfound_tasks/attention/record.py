"""The record of one generation: which attention rows it needs next, and what it keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import torch
from loguru import logger
from torch import Tensor

from pixfound_tasks.attention.progress import Progress
from pixfound_tasks.attention.rows import Call, attention_rows, value_norms
from pixfound_tasks.choices import check_choice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int

Query = Literal["predict", "consume", "study"]
QUERIES = get_args(Query)
Heads = Literal["all"] | Sequence[int] | Sequence[tuple[int, int]]

_ROWS_AT_ONCE = 32  # rows of a given answer; full rows are as long as the sequence, so they are never all in memory


def check_query(query: str) -> Query:
    """Return the query of this name. Raises ValueError if there is none."""
    check_choice("query", query, QUERIES)
    return cast(Query, query)


class AttentionRecord:
    """The recorded rows of one generation or forward call. It is filled while the model runs and read afterward.

    `layers` are the indices of the recorded layers. The arguments are those of `record_attention`.
    """

    def __init__(
        self,
        image_tokens: Bool[Tensor, "batch prompt"],
        layers: Sequence[int],
        heads: Heads,
        head_count: int,
        reduce: Literal["mean"] | None,
        value_norm: bool,
        is_crossing: bool,
        before_last: bool = False,
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
        self._before_last = before_last
        self._earlier: Tensor | None = None
        self._batch = len(image_tokens)
        self._progress = Progress(image_tokens.shape[1], is_crossing)
        self._counts = image_tokens.sum(dim=1)
        self._columns = _padded_indices(image_tokens)
        self._labelled: Bool[Tensor, "batch predicting"] | None = None
        self._at: Int[Tensor, "batch rows"] | None = None
        self._layer_rows: list[Tensor] = []
        self._step_layers: list[int] = []  # that attended in the current step
        self._steps: list[Tensor] = []
        if not is_crossing:
            if not self._counts.any():
                raise ValueError(
                    "expected image_tokens to be true for some tokens, but the prompts hold no image token"
                )
            self._announce(self._columns.shape[1])

    def rows(
        self, query: Query = "predict", lengths: Sequence[int] | None = None
    ) -> Float32[Tensor, "batch steps image_tokens"] | Float32[Tensor, "batch steps layers heads image_tokens"]:
        """Return the attention to the image tokens, on the CPU. Layers and heads are kept apart with `reduce=None`.

        Rows after a sample's last token are NaN. Columns after a sample's last image token are NaN too, if samples have
        different numbers of image tokens.

        Args:
            query: "predict": row t belongs to the query that predicts token t of the answer. "consume": row t belongs
                to the query that is token t. A generation never consumes its last token, so that row is NaN. "study":
                as "predict", but row 0 belongs to the prompt's second-to-last query. It is NaN if that was not
                recorded (`before_last`).
            lengths: the number of answer tokens of each sample, if some answers end early. Defaults to the number of
                labels of each sample if the forward call had labels.

        Raises:
            ValueError: if the query is unknown.
            RuntimeError: if nothing was recorded.
        """
        check_choice("query", query, QUERIES)
        if not self._steps:
            raise RuntimeError(
                "nothing was recorded: call model.generate, or the model itself, inside `with record_attention(...)`, "
                "and leave its attention implementation as it is"
            )
        if self._labelled is not None:
            lengths = (self._labelled.sum(dim=1)).tolist() if lengths is None else lengths
            rows = self._steps[0].chunk(2, dim=1)[query == "consume"].clone()
        else:
            rows = torch.stack(self._steps, dim=1)
            if query == "consume":
                rows = torch.cat([rows[:, 1:], torch.full_like(rows[:, :1], torch.nan)], dim=1)
        if query == "study":
            rows[:, 0] = torch.nan if self._earlier is None else self._earlier
        for sample, length in enumerate(lengths or ()):
            rows[sample, length:] = torch.nan
        if not self.is_crossing:
            for sample, count in enumerate(self._counts.tolist()):
                rows[sample, ..., count:] = torch.nan
        return rows.cpu()

    def expect(self, labels: Int[Tensor, "batch tokens"] | None) -> None:
        """Note which tokens of the next forward call are the answer: the labels are -100 for all other tokens.

        Raises:
            ValueError: if a forward call with labels was already recorded.
        """
        if self._labelled is not None and self._steps:
            raise ValueError("expected one forward call with labels per recording, but got another call")
        if labels is None or not (labels[:, 1:] != -100).any():
            return
        self._labelled = labels[:, 1:] != -100
        predicting = _padded_indices(self._labelled)
        self._at = torch.cat([predicting, predicting + 1], dim=1)

    @torch.no_grad()
    def take(self, layer: int, call: Call) -> None:
        """Compute and keep the needed rows of one attention call of a recorded layer.

        Raises:
            ValueError: if the call is not part of one plain generation or forward call.
        """
        if self._labelled is not None and self._steps:
            return  # gradient checkpointing runs each layer again
        if layer == self.layers[0]:
            self._begin(call)
        if self._at is None and not self._progress.is_prompt_complete:
            return  # an early chunk of the prompt
        end = None if self.is_crossing else self._progress.end
        with _full_precision(call.query.device.type):
            if self._at is None:
                rows = self._reduced(layer, call, attention_rows(call, self._last_two(call), end))
            else:
                parts = self._at.to(call.query.device).split(_ROWS_AT_ONCE, dim=1)
                rows = torch.cat([self._reduced(layer, call, attention_rows(call, at, end)) for at in parts], dim=1)
        self._step_layers.append(layer)
        self._layer_rows.append(rows)
        if self.reduce == "mean" and len(self._layer_rows) == 2:
            total, more = self._layer_rows
            self._layer_rows = [total.add_(more.to(total.device))]
        if layer == self.layers[-1]:
            self._finish()

    def _last_two(self, call: Call) -> Int[Tensor, "batch 2"] | None:
        """Return the indices of the prompt's last two queries if both are needed; None if only the last query is."""
        queries = call.query.shape[2]
        if not self._before_last or self._progress.steps or queries < 2:
            return None
        return torch.arange(queries - 2, queries, device=call.query.device).expand(self._batch, 2)

    def _begin(self, call: Call) -> None:
        """Begin a step: count its tokens, and raise ValueError if it is not part of a plain generation."""
        self._step_layers, self._layer_rows = [], []
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

    def _reduced(
        self, layer: int, call: Call, rows: Float32[Tensor, "batch heads rows keys"]
    ) -> Float32[Tensor, "batch rows image_tokens"] | Float32[Tensor, "batch rows recorded_heads image_tokens"]:
        """Reduce full rows to the image-token columns, summed over the recorded heads unless `reduce` is None."""
        if self.value_norm:
            rows = rows * value_norms(call)
        heads = self._heads[layer]
        if len(heads) < rows.shape[1]:
            rows = rows[:, list(heads)]
        rows = rows.sum(dim=1) if self.reduce == "mean" else rows.transpose(1, 2)
        if self.is_crossing:
            return rows
        self._columns = self._columns.to(rows.device)
        # A sliding cache holds only the last keys. Earlier image tokens get no attention.
        forgotten = max(0, self._progress.end - call.key.shape[2])
        columns = self._columns.view(len(rows), *[1] * (rows.ndim - 2), -1)
        if not forgotten:
            return rows.gather(-1, columns.expand(*rows.shape[:-1], -1))
        columns = columns - forgotten
        picked = rows.gather(-1, columns.clamp(min=0).expand(*rows.shape[:-1], -1))
        return picked.masked_fill_(columns < 0, 0.0)

    def _finish(self) -> None:
        """End a step, whose rows are now complete."""
        layers = tuple(self._step_layers)
        if layers != self.layers:
            raise ValueError(
                f"expected layers {self.layers} to attend in order, but {layers} did: pass those as layers"
            )
        if self.reduce == "mean":
            step = self._layer_rows[0] / sum(len(heads) for heads in self._heads.values())
        else:
            device = self._layer_rows[0].device
            step = torch.stack([rows.to(device) for rows in self._layer_rows], dim=2).cpu()
        if self._at is None and step.shape[1] == 2:
            self._earlier = step[:, 0]
        self._steps.append(step if self._at is not None else step[:, -1])
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
    # This runs for every layer of every token, so autocast is disabled only if it is enabled.
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


@cache
def _say_once(message: str) -> None:
    logger.info(message)


def _heads_of_layers(heads: Any, layers: Sequence[int], count: int) -> dict[int, tuple[int, ...]]:
    """Return the heads to record in each layer. Raises ValueError if a layer or head does not exist."""
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


def _padded_indices(flags: Bool[Tensor, "batch tokens"]) -> Int[Tensor, "batch most_true"]:
    """Return the indices of each sample's true flags. Entries after a sample's own indices are 0."""
    counts = flags.sum(dim=1)
    # A stable sort of the unset flags moves the set ones to the front, in order.
    order = (~flags).int().argsort(dim=1, stable=True)[:, : int(counts.max())]
    return order * (torch.arange(order.shape[1], device=flags.device) < counts[:, None])
