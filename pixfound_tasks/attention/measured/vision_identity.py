"""Makes self-attention the identity, so that each patch of a vision tower sees only itself.

Every attention with as many queries as keys passes each position its own value. This covers PyTorch's
`scaled_dot_product_attention`, a softmax over square scores (eager attention) and `nn.MultiheadAttention`. Attention
that pools patches (fewer queries than keys) is left as it is. So is attention of learned queries, which do not depend
on the image: it is cross-attention even if there are as many queries as keys.

Queries that are made of patches, as in windowed Q-Formers, have a place of their own: that of their patches. What they
read of others can be left out, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_SOFTMAX = {torch.softmax, functional.softmax, torch.Tensor.softmax, torch.special.softmax}


class PatchesAlone(TorchFunctionMode):
    """While it is active, every self-attention is the identity.

    Args:
        decisions: for each square attention in order of the calls, whether it is self-attention. Left out in a forward
            pass with gradients, which finds out and fills `decisions`, for later passes over the same layout.
        own_only: whether queries that depend on the image read nothing of other keys. `decisions` then tell of all
            attention.

    Attributes:
        decisions: see above.
        reads_across: whether some attention was left as it is, because its queries are not its keys, as in resamplers.
        was_own: whether the last attention was made the identity.
        has_placed_queries: whether the queries of the first such attention depend on the image.
    """

    def __init__(self, decisions: list[bool] | None = None, own_only: bool = False) -> None:
        super().__init__()
        self.decisions: list[bool] = []
        self.own_only = own_only
        self.reads_across = self.was_own = self.has_placed_queries = False
        self._given: Iterator[bool] | None = None if decisions is None else iter(decisions)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # Set again below where attention is made the identity.
        is_attention, across = _is_attention(func, args, kwargs), self.reads_across
        self.reads_across, self.was_own = across or is_attention, self.was_own and not is_attention
        if func is functional.scaled_dot_product_attention:
            query, key, value = _arguments(args, kwargs, "query", "key", "value")
            if query.shape[-2] == key.shape[-2] and self._is_own(query, key):
                self.reads_across, self.was_own = across, True
                is_grouped = query.ndim > 3 and query.shape[-3] != value.shape[-3]
                return value.repeat_interleave(query.shape[-3] // value.shape[-3], -3) if is_grouped else value
            if not across:
                self.has_placed_queries = query.requires_grad and key.requires_grad
            if self.own_only and query.shape[-2] != key.shape[-2] and self._is_own(query, key):
                return value.new_zeros(*query.shape[:-1], value.shape[-1])
        elif func in _SOFTMAX:
            scores = _arguments(args, kwargs, "input")[0]
            if (
                scores.ndim >= 3
                and scores.shape[-1] == scores.shape[-2]
                and _axis(args, kwargs) in (-1, scores.ndim - 1)
            ):
                self.reads_across, self.was_own = across, True
                dtype = kwargs.get("dtype") or scores.dtype
                return torch.eye(scores.shape[-1], dtype=dtype, device=scores.device).expand(scores.shape)
        elif func is functional.multi_head_attention_forward:
            query, key, _ = args[:3]
            if len(query) == len(key) and self._is_own(query, key):
                self.reads_across, self.was_own = across, True
                alone = torch.eye(len(query), device=query.device, dtype=query.dtype).log()
                kwargs = {**kwargs, "attn_mask": alone, "is_causal": False, "need_weights": False}
        return func(*args, **kwargs)

    def _is_own(self, query: Tensor, key: Tensor) -> bool:
        if self._given is not None:
            return next(self._given, True)
        own = query.requires_grad or not key.requires_grad
        self.decisions.append(own)
        return own


def is_softmax_of_heads(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether a call is a softmax over the scores of several heads, (batch, heads, queries, keys)."""
    if func not in _SOFTMAX:
        return False
    scores = _arguments(args, kwargs, "input")[0]
    return scores.ndim >= 4 and _axis(args, kwargs) in (-1, scores.ndim - 1)


def _is_attention(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether a call computes attention. A softmax does over the scores of several heads."""
    if func in _SOFTMAX:
        return is_softmax_of_heads(func, args, kwargs)
    return func in (functional.scaled_dot_product_attention, functional.multi_head_attention_forward)


def _arguments(args: tuple[Any, ...], kwargs: dict[str, Any], *names: str) -> list[Any]:
    return [args[index] if index < len(args) else kwargs[name] for index, name in enumerate(names)]


def _axis(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return kwargs.get("dim", args[1] if len(args) > 1 else -1)
