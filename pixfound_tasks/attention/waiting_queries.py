"""Queries whose attention rows are computed later, many at once.

A generation has one query in each step. Computing its row at once starts as many kernels as the layer's own attention
does, and on a GPU the start of a kernel takes longer than its work. The keys that a query sees are there later too,
because the model's cache only adds to them, so queries wait, and one call computes the rows of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from pixfound_tasks.attention.rows import Call

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

# With these, a row cannot be computed from later keys: they go with one query, or the cache forgets keys.
_OF_ONE_STEP = ("sliding_window", "attention_chunk", "position_bias", "sinks", "weights", "indices")


class _Query(NamedTuple):
    vectors: Float[Tensor, "batch heads 1 width"]
    mask: Tensor | None
    keys: int  # that there were


def can_wait(call: Call) -> bool:
    """Return whether a call's rows can be computed from the keys of a later call, if the cache only adds to them."""
    return all(call.options.get(name) is None for name in _OF_ONE_STEP)


class WaitingQueries:
    """The queries of the last steps, by layer. Of keys and values, only those of the last call are held.

    `end` is the number of tokens in the sequence, up to and including the last query that waits in every layer.
    """

    def __init__(self) -> None:
        self.end = 0
        self._queries: dict[int, list[_Query]] = {}
        self._last: dict[int, Call] = {}

    def __len__(self) -> int:
        """The number of steps that wait in every layer."""
        return min(map(len, self._queries.values()), default=0)

    def add(self, layer: int, call: Call) -> None:
        """Let the only query of a call wait."""
        self._queries.setdefault(layer, []).append(_Query(call.query, call.mask, call.key.shape[2]))
        self._last[layer] = call

    def take(self, layer: int, count: int) -> Call:
        """Return a call with the first queries of a layer, and forget all. Only a broken step leaves a query over."""
        queries, last = self._queries.pop(layer)[:count], self._last.pop(layer)
        mask = _joined_masks(queries, last.key.shape[2])
        return last._replace(query=torch.cat([query.vectors for query in queries], dim=2), mask=mask)


def _joined_masks(
    queries: list[_Query], keys: int
) -> Bool[Tensor, "#batch #heads queries keys"] | Float[Tensor, "#batch #heads queries keys"] | Tensor | None:
    """Return one mask for all queries. The mask of flash attention, (batch, keys), is that of the last query."""
    masks = [query.mask for query in queries if query.mask is not None]
    if not masks or masks[-1].ndim != 4:
        return masks[-1] if masks else None
    like = max(masks, key=lambda mask: mask.shape[0] * mask.shape[1])
    is_bool = like.dtype == torch.bool
    rows: Any = like.new_full((*like.shape[:2], len(queries), keys), False if is_bool else -torch.inf)
    for number, (_, mask, seen) in enumerate(queries):
        rows[:, :, number, :seen] = (True if is_bool else 0.0) if mask is None else mask[:, :, -1, :seen]
    return rows
