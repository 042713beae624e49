"""Compute the softmax rows of a few queries, separately from the kernel that produces the model's output."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Int


class Sizes(NamedTuple):
    """The sizes of an attention call."""

    batch: int
    queries: int
    keys: int


class Call(NamedTuple):
    """One call of an attention kernel, as transformers makes it.

    Attributes:
        query: the query vectors.
        key: the key vectors. Each key head is shared by a group of heads.
        value: the value vectors.
        mask: which keys each query may see: bool or additive, (batch or 1, heads or 1, queries, keys). With flash
            attention it is (batch, keys) and applies in addition to the causal rule. None means the causal rule alone.
        options: the kernel's own options: `scaling` of the scores (1 / sqrt(width) if None), `sliding_window`,
            `softcap`, `s_aux` (sink logits, one per head), `sinks` (sink logits, one per query), `position_bias` (added
            to the scores), `attention_chunk` (how many tokens a cache of chunks keeps). If the model computes the
            softmax itself, `weights` holds its result, (batch, heads, queries, keys). The vectors are then placeholders
            of the same sizes, whose values mean nothing.
    """

    query: Float[Tensor, "batch heads queries width"]
    key: Float[Tensor, "batch key_heads keys width"]
    value: Float[Tensor, "batch key_heads keys value_width"]
    mask: Tensor | None
    options: dict[str, Any]

    @property
    def sizes(self) -> Sizes:
        """The sizes of the call."""
        return Sizes(len(self.query), self.query.shape[2], self.key.shape[2])


@torch.no_grad()
def attention_rows(
    call: Call, at: Int[Tensor, "batch rows"] | None, end: int | None
) -> Float32[Tensor, "batch heads rows keys"]:
    """Return the softmax rows over all keys.

    Args:
        at: the indices of the queries to compute. None means only the last query.
        end: the number of tokens in the sequence, up to and including the last query. None means that every query sees
            every key, as in cross-attention.
    """
    query, key = call.query, call.key
    if (weights := call.options.get("weights")) is not None:
        return _picked(weights, at).float()
    _, heads, _, width = query.shape
    picked = _picked(query, at)
    scaling = call.options.get("scaling")
    picked = picked.float() * (width**-0.5 if scaling is None else scaling)
    # One matrix product for all heads that share a key head.
    grouped = picked.reshape(len(key), key.shape[1], -1, width)
    scores = (grouped @ key.float().transpose(-1, -2)).view(len(key), heads, -1, key.shape[2])
    if softcap := call.options.get("softcap"):
        scores = softcap * torch.tanh(scores / softcap)
    if (bias := call.options.get("position_bias")) is not None:
        scores = scores + _picked(bias.expand(len(query), -1, -1, -1), at)[..., : key.shape[2]].float()
    visible = _visible(call, at, end)
    if visible is not None:
        scores = scores.masked_fill(~visible, -torch.inf) if visible.dtype == torch.bool else scores + visible.float()
    if (sinks := call.options.get("sinks")) is not None:
        sinks = _picked(sinks.expand(len(query), heads, -1, 1), at).float()
    elif (sinks := call.options.get("s_aux")) is not None:
        sinks = sinks.float().view(1, heads, 1, 1).expand(*scores.shape[:3], 1)
    else:
        return scores.softmax(dim=-1)
    return torch.cat([scores, sinks], dim=-1).softmax(dim=-1)[..., :-1]


def value_norms(call: Call) -> Float32[Tensor, "batch heads 1 keys"]:
    """Return the norm of each key's value vector for every head."""
    if "weights" in call.options:
        raise ValueError(
            "expected a model that passes its value vectors to an attention kernel, but this one computes attention "
            "itself: value norms are not recorded"
        )
    norms = call.value.float().norm(dim=-1)
    return norms.repeat_interleave(call.query.shape[1] // norms.shape[1], dim=1)[:, :, None]


def _picked(
    values: Float[Tensor, "batch heads queries width"], at: Int[Tensor, "batch rows"] | None
) -> Float[Tensor, "batch heads rows width"]:
    """Return the chosen queries, or the last one."""
    if at is None:
        return values[:, :, -1:]
    return values.gather(2, at[:, None, :, None].expand(-1, values.shape[1], -1, values.shape[3]))


def _visible(
    call: Call, at: Int[Tensor, "batch rows"] | None, end: int | None
) -> Bool[Tensor, "#batch #heads rows keys"] | Float[Tensor, "#batch #heads rows keys"] | None:
    """Return the mask of the computed rows, bool or additive, or None if every key is visible."""
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
    # Position of each key in the sequence. A sliding cache holds the last keys; a static one has room for more.
    position = torch.arange(keys, device=call.key.device) + max(0, end - keys)
    row = end - 1 if at is None else (end - queries + at)[:, None, :, None]
    visible = position <= row
    if window:
        visible &= position > row - window
    visible = visible.view(1, 1, 1, keys) if at is None else visible
    return visible if padding is None else visible & padding


def full_precision(device: str) -> AbstractContextManager[Any]:
    """Return a context without autocast."""
    # This runs for every layer of every token, so autocast is disabled only if it is enabled.
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()
