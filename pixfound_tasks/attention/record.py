"""The record of one generation: which attention rows it needs next, and what it keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal, cast, get_args

import torch
from loguru import logger
from torch import Tensor

from pixfound_tasks.attention.chosen_heads import check_head_count, heads_of_layers, with_heads
from pixfound_tasks.attention.image_columns import ImageColumns, padded_indices
from pixfound_tasks.attention.progress import Progress
from pixfound_tasks.attention.rows import Call, attention_rows, full_precision, value_norms
from pixfound_tasks.attention.waiting_queries import WaitingQueries, can_wait
from pixfound_tasks.choices import check_choice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int

Query = Literal["predict", "consume", "study"]
QUERIES = get_args(Query)
Heads = Literal["all"] | Sequence[int] | Sequence[tuple[int, int]]

_ROWS_AT_ONCE = 32  # full rows are as long as the sequence, so they are never all in memory
_MUCH = 1.0  # MB for a token of the answer, which is worth a line in the log


def check_query(query: str) -> Query:
    """Return the query of this name. Raises ValueError if there is none."""
    check_choice("query", query, QUERIES)
    return cast(Query, query)


class AttentionRecord:
    """The recorded rows of one generation or forward call. It is filled while the model runs and read afterward.

    `layers` are the indices of the recorded layers. The arguments are those of `record_attention`. `is_crossing` says
    that the layers attend to the image by cross-attention, and `of_encoder` that their keys end with the output of an
    encoder, whose tokens `image_tokens` marks then.
    """

    def __init__(
        self,
        image_tokens: Bool[Tensor, "batch tokens"] | None,
        layers: Sequence[int],
        heads: Heads,
        head_count: int,
        reduce: Literal["mean"] | None,
        value_norm: bool,
        is_crossing: bool,
        before_last: bool = False,
        of_encoder: bool = False,
    ) -> None:
        if image_tokens is None and not is_crossing:
            raise ValueError("expected image_tokens as bool (batch, prompt tokens), but got None")
        if image_tokens is not None and (image_tokens.dtype != torch.bool or image_tokens.ndim != 2):
            shape, dtype = tuple(image_tokens.shape), image_tokens.dtype
            raise ValueError(f"expected image_tokens as bool (batch, prompt tokens), but got {dtype} {shape}")
        if reduce not in ("mean", None):
            raise ValueError(f"expected reduce to be 'mean' or None, but got {reduce!r}")
        self._heads = heads_of_layers(heads, layers, head_count)
        if reduce is None and len(set(self._heads.values())) > 1:
            raise ValueError("expected heads as numbers, the same in every layer, with reduce=None; but got pairs")
        self.layers = tuple(self._heads)
        self.reduce, self.value_norm, self.is_crossing = reduce, value_norm, is_crossing
        self._before_last = before_last
        self._earlier: Tensor | None = None
        self._are_all_heads = isinstance(heads, str)
        self._batch = None if image_tokens is None else len(image_tokens)
        self._progress = Progress(None if of_encoder or image_tokens is None else image_tokens.shape[1], is_crossing)
        self._columns = ImageColumns(image_tokens if of_encoder or not is_crossing else None, of_encoder)
        self._labelled: Bool[Tensor, "batch predicting"] | None = None
        self._at: Int[Tensor, "batch rows"] | None = None
        self._unconsumed: Bool[Tensor, "batch rows"] | None = None  # labels that are no query, in an encoder-decoder
        self._layer_rows: list[Tensor] = []
        self._step_layers: list[int] = []  # that attended in the current step
        self._steps: list[Tensor] = []
        self._waiting = WaitingQueries()
        self._can_wait = False  # until a forward call says so
        if self._columns.counts is not None:
            if not self._columns.counts.any():
                raise ValueError(
                    "expected image_tokens to be true for some tokens, but the prompts hold no image token"
                )
            self._announce(self._columns.most or 0)

    def rows(
        self, query: Query = "predict", lengths: Sequence[int] | None = None
    ) -> Float32[Tensor, "batch steps image_tokens"] | Float32[Tensor, "batch steps layers heads image_tokens"]:
        """Return the attention to the image tokens, on the CPU. Layers and heads are kept apart with `reduce=None`.

        Rows after a sample's last token are NaN. Columns after a sample's last image token are NaN too, if samples have
        different numbers of image tokens. Layers with fewer heads than others have NaN after their last head.

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
        self.settle()
        if not self._steps:
            raise RuntimeError(
                "nothing was recorded: call model.generate, or the model itself, inside `with record_attention(...)`, "
                "and leave its attention implementation as it is"
            )
        if self._labelled is not None:
            lengths = (self._labelled.sum(dim=1)).tolist() if lengths is None else lengths
            rows = self._steps[0].chunk(2, dim=1)[query == "consume"].clone()
            if query == "consume" and self._unconsumed is not None:
                rows[self._unconsumed] = torch.nan
        else:
            rows = torch.stack(self._steps, dim=1)
            if query == "consume":
                rows = torch.cat([rows[:, 1:], torch.full_like(rows[:, :1], torch.nan)], dim=1)
        if query == "study":
            rows[:, 0] = torch.nan if self._earlier is None else self._earlier
        for sample, length in enumerate(lengths or ()):
            rows[sample, length:] = torch.nan
        if self._columns.counts is not None:
            for sample, count in enumerate(self._columns.counts.tolist()):
                rows[sample, ..., count:] = torch.nan
        return rows.cpu()

    def expect(self, labels: Int[Tensor, "batch tokens"] | None, keeps_keys: bool = False) -> None:
        """Note which tokens of the next forward call are the answer: the labels are -100 for all other tokens.

        `keeps_keys` says that the call's cache only adds to its keys, so that rows can be computed later.

        Raises:
            ValueError: if a forward call with labels was already recorded.
        """
        if not self._progress.steps:
            self._can_wait = keeps_keys
        elif not keeps_keys:
            self.settle()
            self._can_wait = False
        if self._labelled is not None and self._steps:
            raise ValueError("expected one forward call with labels per recording, but got another call")
        first = 0 if self._columns.of_encoder else 1  # the decoder of an encoder-decoder starts with a token of its own
        if labels is None or not (labels[:, first:] != -100).any():
            return
        self._labelled = labels[:, first:] != -100
        predicting = padded_indices(self._labelled)
        consuming = predicting + 1
        if self._columns.of_encoder:
            self._unconsumed = (consuming >= labels.shape[1]).cpu()
            consuming = consuming.clamp(max=labels.shape[1] - 1)
        self._at = torch.cat([predicting, consuming], dim=1)

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
        self._step_layers.append(layer)
        if self._can_wait and self._progress.steps and call.sizes.queries == 1:
            self._waiting.add(layer, call)
        else:
            self._can_wait &= can_wait(call) and not self.is_crossing
            self._compute(layer, call, self._last_two(call) if self._at is None else self._at, self._progress.end)
        if layer == self.layers[-1]:
            self._finish()

    def settle(self) -> None:
        """Compute the rows of all steps that wait."""
        if not (count := len(self._waiting)):
            return
        for layer in self.layers:
            call = self._waiting.take(layer, count)
            at = torch.arange(count, device=call.query.device).expand(len(call.query), count)
            self._compute(layer, call, at, self._waiting.end)
        self._steps += self._step().unbind(dim=1)

    @torch.no_grad()
    def _compute(self, layer: int, call: Call, at: Int[Tensor, "batch rows"] | None, end: int) -> None:
        """Compute and keep rows of a layer. `end` is that of `attention_rows` for self-attention."""
        seen = None if self.is_crossing else end
        parts = (None,) if at is None else at.to(call.query.device).split(_ROWS_AT_ONCE, dim=1)
        with full_precision(call.query.device.type):
            found = [self._reduced(layer, call, attention_rows(call, part, seen), end) for part in parts]
        self._layer_rows.append(torch.cat(found, dim=1))
        if self.reduce == "mean" and len(self._layer_rows) == 2:
            total, more = self._layer_rows
            self._layer_rows = [total.add_(more.to(total.device))]

    def _last_two(self, call: Call) -> Int[Tensor, "batch 2"] | None:
        """Return the indices of the prompt's last two queries if both are needed; None if only the last query is."""
        queries = call.sizes.queries
        if not self._before_last or self._progress.steps or queries < 2:
            return None
        return torch.arange(queries - 2, queries, device=call.query.device).expand(len(call.query), 2)

    def _begin(self, call: Call) -> None:
        """Begin a step: count its tokens, and raise ValueError if it is not part of a plain generation."""
        self._step_layers, self._layer_rows = [], []
        batch, queries, keys = call.sizes
        self._batch = batch if self._batch is None else self._batch
        if batch != self._batch:
            raise ValueError(
                f"expected a batch of {self._batch} samples as in image_tokens, but the model ran {batch}: beam search "
                "and several sequences per sample are not recorded; generate with num_beams=1, one sequence each"
            )
        if self._columns.counts is None and not self._steps:
            self._announce(keys)
        if self._at is None:
            window = call.options.get("sliding_window") or call.options.get("attention_chunk")
            self._progress.advance(queries, keys, window)
        else:
            self._progress.end = queries

    def _reduced(
        self, layer: int, call: Call, rows: Float32[Tensor, "batch heads rows keys"], end: int
    ) -> Float32[Tensor, "batch rows image_tokens"] | Float32[Tensor, "batch rows recorded_heads image_tokens"]:
        """Reduce full rows to the image-token columns, summed over the recorded heads unless `reduce` is None."""
        if self.value_norm:
            rows = rows * value_norms(call)
        heads = self._heads_in(layer, rows.shape[1])
        if len(heads) < rows.shape[1]:
            rows = rows[:, list(heads)]
        rows = rows.sum(dim=1) if self.reduce == "mean" else rows.transpose(1, 2)
        return self._columns.pick(rows, end)

    def _heads_in(self, layer: int, count: int) -> tuple[int, ...]:
        """Return the heads to record in a layer that has `count` of them. Layers may differ in their number."""
        heads = self._heads[layer]
        if self._are_all_heads and len(heads) != count:
            heads = self._heads[layer] = tuple(range(count))
        check_head_count(heads, layer, count)
        return heads

    def _finish(self) -> None:
        """End a step, whose rows are now complete."""
        layers = tuple(self._step_layers)
        if layers != self.layers:
            raise ValueError(
                f"expected layers {self.layers} to attend in order, but {layers} did: pass those as layers"
            )
        self._progress.steps += 1
        if len(self._waiting):
            self._waiting.end = self._progress.end
            if len(self._waiting) == _ROWS_AT_ONCE:
                self.settle()
            return
        step = self._step()
        if self._at is None and step.shape[1] == 2:
            self._earlier = step[:, 0]
        self._steps.append(step if self._at is not None else step[:, -1])

    def _step(self) -> Tensor:
        """Return the kept rows of all layers, averaged over layers and heads unless `reduce` is None."""
        kept, self._layer_rows = self._layer_rows, []
        if self.reduce == "mean":
            return kept[0] / sum(len(heads) for heads in self._heads.values())
        device = kept[0].device
        most = max(rows.shape[2] for rows in kept)
        return torch.stack([with_heads(rows.to(device), most) for rows in kept], dim=2).cpu()

    def _announce(self, columns: int) -> None:
        if self.reduce == "mean":
            return
        heads, batch = len(next(iter(self._heads.values()))), self._batch or 1
        megabytes = batch * len(self.layers) * heads * columns * 4 / 1e6
        if megabytes >= _MUCH:
            say_once(
                f"reduce=None keeps {batch} samples x {len(self.layers)} layers x {heads} heads x {columns} "
                f"image tokens: {megabytes:.2f} MB of memory for every token of the answer"
            )


@cache
def say_once(message: str) -> None:
    """Log a message unless it was logged before."""
    logger.info(message)
