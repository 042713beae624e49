"""Watches the attention calls of a vision part, whatever function of PyTorch computes them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from pixfound_tasks.attention.measured.vision_identity import PatchesAlone, is_softmax_of_heads
from pixfound_tasks.attention.rows import Call, attention_rows
from pixfound_tasks.hosts.attention_functions import kernel_call

if TYPE_CHECKING:
    from jaxtyping import Float32, Int

_PRODUCTS = (torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__)


class Seen(NamedTuple):
    """One attention call.

    Attributes:
        number: which of the vision part's attention calls it is.
        value: the value vectors, as the function got them.
        output: what it returned for them.
        weights: the attention averaged over heads; None if it was not asked for.
        is_own: whether it was made the identity, see `PatchesAlone`.
        is_sequence_first: whether `value` and `output` are (sequence, items, width) instead of (items, heads,
            sequence, width).
    """

    number: int
    value: Tensor
    output: Tensor
    weights: Float32[Tensor, "items rows keys"] | None
    is_own: bool
    is_sequence_first: bool

    def by_row(self, values: Tensor) -> Float32[Tensor, "items rows width"]:
        """Return values that are laid out as `value` or `output` row by row."""
        if self.is_sequence_first:
            return values.transpose(0, 1)
        batched = values if values.ndim == 4 else values[None]
        return batched.transpose(1, 2).flatten(2)

    def numbers_by_row(self, numbers: Int[np.ndarray, "*numbers"]) -> Int[np.ndarray, "items rows width"]:
        """Return `by_row` of an array."""
        return self.by_row(torch.from_numpy(numbers)).numpy()


class AttentionCalls(TorchFunctionMode):
    """While it is active, collects attention calls. Enter it after `PatchesAlone`, whose changes it then sees.

    Args:
        numbers: the calls to keep; all if None.
        with_weights: whether to compute the attention, too.

    Attributes:
        seen: the calls, in order.
        alone: the `PatchesAlone` below, None without one.
        is_paused: whether calls are left out, and not counted.
    """

    def __init__(self, numbers: Collection[int] | None = None, with_weights: bool = False) -> None:
        super().__init__()
        self.seen: list[Seen] = []
        self.alone: PatchesAlone | None = None
        self.is_paused = False
        self._numbers, self._with_weights = numbers, with_weights
        self._count = 0
        self._softmax: Tensor | None = None  # whose product with the values has not come yet

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.is_paused:
            return func(*args, **kwargs)
        if func is functional.scaled_dot_product_attention:
            call = kernel_call(*args, **kwargs)
            output = func(*args, **kwargs)
            output = output * 1 if output is call[2] else output
            self._keep(call[2], output, lambda: _weights(call, bool(kwargs.get("is_causal"))), False)
            return output
        if func is functional.multi_head_attention_forward:
            # A call that needs no weights may compute other ones than it would return.
            output, weights = func(*args, **{**kwargs, "need_weights": True, "average_attn_weights": True})
            self._keep(args[2], output, lambda: weights, True)
            return output, weights
        output = func(*args, **kwargs)
        if is_softmax_of_heads(func, args, kwargs):
            self._softmax = output
        elif self._softmax is not None and func in _PRODUCTS and args[0].shape == self._softmax.shape:
            weights, self._softmax = self._softmax, None
            self._keep(args[1], output, lambda: weights.float().mean(dim=1), False)
        return output

    def _keep(self, value: Tensor, output: Tensor, weigh: Any, is_sequence_first: bool) -> None:
        number, self._count = self._count, self._count + 1
        if self._numbers is not None and number not in self._numbers:
            return
        weights = weigh() if self._with_weights else None
        is_own = self.alone is not None and self.alone.was_own
        self.seen.append(Seen(number, value, output, weights, is_own, is_sequence_first))


def _weights(call: tuple[Any, ...], is_causal: bool) -> Float32[Tensor, "items rows keys"]:
    query, key, value, mask, options = call
    if query.ndim == 3:
        query, key, value = query[None], key[None], value[None]
    items = max(len(query), len(key))  # learned queries may be one item for all
    query, key = (part.expand(items, -1, -1, -1) for part in (query, key))
    if mask is not None:
        mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape).expand(items, -1, -1, -1)
    count = query.shape[2]
    at = torch.arange(count, device=query.device).expand(items, -1)
    rows = attention_rows(Call(query, key, value, mask, options), at, count if is_causal and mask is None else None)
    return rows.mean(dim=1)
