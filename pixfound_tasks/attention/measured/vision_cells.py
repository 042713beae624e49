"""Makes convolutions and pooling local, so that each cell of a vision tower sees only the cells that it replaces.

A convolution or pooling with stride s makes one cell out of s x s cells, and looks beyond them. While the mode is
active it looks at those alone: at the middle tap for stride 1, at the s x s middle taps otherwise. Whether a window of
k cells has s cells in its middle depends on both: if k - s is odd, they begin half a cell earlier or later. What is
measured with either has its middle in the place of the convolution's own.

What is pooled from the whole picture, as in squeeze-and-excitation, the means of group norms, attention to fewer keys
than queries, and features that are enlarged to add them to finer ones are taken as constants.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.modules.utils import _pair
from torch.overrides import TorchFunctionMode

from pixfound_tasks.hosts.vision_kernels import ADAPTIVE_AVERAGES

if TYPE_CHECKING:
    from jaxtyping import Bool

_MAX_POOLS = {functional.max_pool2d, torch.max_pool2d}
_CONVOLUTIONS = {torch.conv2d, torch.conv3d}
_MEANS = {torch.mean, torch.Tensor.mean}


class CellsAlone(TorchFunctionMode):
    """While it is active, convolutions and pooling over two axes look at no more cells than they replace.

    Args:
        late: whether s cells that cannot lie in the middle of a window begin half a cell later, not earlier.

    Attributes:
        is_mixing: whether something would have looked at other cells.
        is_uneven: whether `late` makes a difference.
        is_changing: whether something was computed otherwise than without the mode.
    """

    def __init__(self, late: bool = False) -> None:
        super().__init__()
        self.late = late
        self.is_mixing = self.is_uneven = self.is_changing = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _CONVOLUTIONS:
            return self._convolved(func, *args, **kwargs)
        if func in _MAX_POOLS or func is functional.avg_pool2d:
            pooled = self._pooled(func, *args, **kwargs)
            self.is_changing |= pooled is not None
            return func(*args, **kwargs) if pooled is None else pooled
        if func is functional.interpolate and args[0].ndim == 4 and args[0].requires_grad:
            found = func(args[0], *args[1:], **kwargs)
            is_larger = found.shape[-1] > args[0].shape[-1]
            self.is_changing |= is_larger
            return found.detach() if is_larger else found
        if func is functional.scaled_dot_product_attention and _is_summary(*args[:3]):
            self.is_mixing = self.is_changing = True
            return func(*(part.detach() for part in args[:3]), *args[3:], **kwargs)
        if func is functional.group_norm and args[0].ndim == 4:
            return self._normalized(*args, **kwargs)
        if (func in _MEANS and _is_of_picture(args, kwargs)) or (func in ADAPTIVE_AVERAGES and _is_one(args, kwargs)):
            self.is_mixing = self.is_changing = True
            return func(args[0].detach(), *args[1:], **kwargs)
        return func(*args, **kwargs)

    def _convolved(
        self, func: Any, value: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        # Of three axes, the first is time.
        kept = self._kept(tuple(weight.shape[-2:]), _pair(stride)[-2:], _pair(dilation)[-2:])
        if not kept.all():
            self.is_changing = True
            # As many of its weights as have the strength of all.
            weight = weight * kept.to(weight) * math.sqrt(kept.numel() / int(kept.sum()))
        return func(value, weight, bias, stride, padding, dilation, groups)

    def _pooled(
        self, func: Any, value: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *rest: Any,
        **more: Any,
    ) -> Tensor | None:  # fmt: skip
        """Return the mean of the middle cells of each window; None if that is what the pooling does."""
        size, step = _pair(kernel_size), _pair(stride or kernel_size)
        kept = self._kept(size, step, (1, 1))
        if value.ndim != 4 or more.get("ceil_mode", False) or (kept.all() and func not in _MAX_POOLS):
            return None
        weight = (kept.to(value) / int(kept.sum())).expand(value.shape[1], 1, -1, -1)
        return torch.conv2d(value, weight, None, step, padding, 1, value.shape[1])

    def _normalized(
        self, value: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> Tensor:  # fmt: skip
        self.is_mixing = self.is_changing = True
        parts = value.detach().unflatten(1, (num_groups, -1)).flatten(2)
        mean = parts.mean(2).repeat_interleave(value.shape[1] // num_groups, 1)[..., None, None]
        scale = (parts.var(2, unbiased=False) + eps).rsqrt().repeat_interleave(value.shape[1] // num_groups, 1)
        found = (value - mean) * scale[..., None, None]
        found = found if weight is None else found * weight[:, None, None]
        return found if bias is None else found + bias[:, None, None]

    def _kept(
        self, size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
    ) -> Bool[Tensor, "high wide"]:
        """Return which taps of a window lie in its middle."""
        axes = []
        for length, step, gap in zip(size, stride, dilation):
            taps = torch.arange(length) * gap
            twice = taps[-1].item() + 1 - step  # where the middle begins
            self.is_mixing |= twice > 0
            self.is_uneven |= twice > 0 and twice % 2 == 1
            begin = (twice + self.late) // 2 if twice > 0 else twice
            axes.append((taps >= begin) & (taps < max(begin, 0) + step))
        return axes[0][:, None] & axes[1][None, :]


def _is_summary(query: Any, key: Any, value: Any) -> bool:
    """Return whether patches read what was pooled from them."""
    return query.shape[-2] > key.shape[-2] and query.requires_grad and key.requires_grad


def _is_of_picture(args: Any, kwargs: Any) -> bool:
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    is_kept = kwargs.get("keepdim", args[2] if len(args) > 2 else False)
    return args[0].ndim == 4 and is_kept and isinstance(dim, (tuple, list)) and {axis % 4 for axis in dim} == {2, 3}


def _is_one(args: Any, kwargs: Any) -> bool:
    size = kwargs.get("output_size", args[1] if len(args) > 1 else None)
    return size in (1, (1, 1), [1, 1])
