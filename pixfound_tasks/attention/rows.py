"""The softmax rows of a few queries, computed beside whatever kernel gives the model's output."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Call(NamedTuple):
    """One call of an attention kernel, as transformers makes it.

    query (batch, heads, queries, width); key and value (batch, key heads, keys, width), each key head shared by a
    group of heads. `mask` says which keys may be seen: bool or additive (batch or 1, heads or 1, queries, keys); of
    flash attention (batch, keys), over its causal rule; or None, for the causal rule alone. `options` are the kernel's
    own: `scaling` of the scores (1 / sqrt(width) where None), `sliding_window`, `softcap`, `s_aux` (sink logits).
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    options: dict[str, Any]


@torch.no_grad()
def attention_rows(call: Call, at: Tensor | None, end: int | None) -> Tensor:
    """Softmax rows over all keys, float32 (batch, heads, rows, keys).

    Args:
        at: the queries whose rows are wanted, (batch, rows); None for the last one alone.
        end: how many tokens the sequence holds with the last query; None where every query sees every key, as in
            cross-attention.
    """
    query, key = call.query, call.key
    _, heads, _, width = query.shape
    picked = query[:, :, -1:] if at is None else query.gather(2, at[:, None, :, None].expand(-1, heads, -1, width))
    scaling = call.options.get("scaling")
    picked = picked.float() * (width**-0.5 if scaling is None else scaling)
    # One product for all heads that share a key head.
    grouped = picked.reshape(len(key), key.shape[1], -1, width)
    scores = (grouped @ key.float().transpose(-1, -2)).view(len(key), heads, -1, key.shape[2])
    if softcap := call.options.get("softcap"):
        scores = softcap * torch.tanh(scores / softcap)
    seen = _seen(call, at, end)
    if seen is not None:
        scores = scores.masked_fill(~seen, -torch.inf) if seen.dtype == torch.bool else scores + seen.float()
    sinks = call.options.get("s_aux")
    if sinks is None:
        return scores.softmax(dim=-1)
    sinks = sinks.float().view(1, heads, 1, 1).expand(*scores.shape[:3], 1)
    return torch.cat([scores, sinks], dim=-1).softmax(dim=-1)[..., :-1]


def value_norms(call: Call) -> Tensor:
    """The length of every key's value vector for every head, float32 (batch, heads, 1, keys)."""
    norms = call.value.float().norm(dim=-1)
    return norms.repeat_interleave(call.query.shape[1] // norms.shape[1], dim=1)[:, :, None]


def _seen(call: Call, at: Tensor | None, end: int | None) -> Tensor | None:
    """The mask of the wanted rows, bool or additive, (batch or 1, heads or 1, rows, keys); None: all keys."""
    mask, queries, keys = call.mask, call.query.shape[2], call.key.shape[2]
    if mask is not None and mask.ndim == 4:
        if at is None:
            return mask[:, :, -1:, :keys]
        rows = mask[..., :keys].expand(len(at), -1, -1, -1)
        return rows.gather(2, at[:, None, :, None].expand(-1, rows.shape[1], -1, keys))
    window = call.options.get("sliding_window")
    padding = None if mask is None else mask[:, None, None, -keys:].bool()
    if end is None or (at is None and not window and keys <= end):
        return padding
    # Where keys lie in the sequence: a sliding cache holds the last ones, a static one room for more to come.
    place = torch.arange(keys, device=call.key.device) + max(0, end - keys)
    row = end - 1 if at is None else (end - queries + at)[:, None, :, None]
    seen = place <= row
    if window:
        seen &= place > row - window
    seen = seen.view(1, 1, 1, keys) if at is None else seen
    return seen if padding is None else seen & padding
