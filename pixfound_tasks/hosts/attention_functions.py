"""How this package listens to modules that compute attention themselves, without a registry of kernels.

While such a module runs, PyTorch's own functions are watched: `scaled_dot_product_attention`, whose arguments say
everything, or else a softmax over four-dimensional scores, whose result is the attention. Anything else (a kernel of
another library) is not seen, which is an error that names the layer. Watching takes about 0.1 ms for each layer and
token, which a registry of kernels does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pixfound_tasks.hosts.attention_interface import Listener
from pixfound_tasks.hosts.attention_modules import AttentionModule

_SOFTMAX = (torch.softmax, torch.Tensor.softmax, torch.nn.functional.softmax, torch.special.softmax)


class FunctionTap:
    """Passes each attention that modules compute themselves to a listener. The modules' outputs do not change.

    Args:
        modules: the modules to watch.
        listener: called after each of them, with the arguments of a kernel. If the module computed a softmax,
            `options` holds its result as `weights`.
    """

    def __init__(self, modules: Iterable[AttentionModule], listener: Listener) -> None:
        self.listener = listener
        self.is_open = True
        self._watches: list[_Watch] = []
        self._hooks = []
        for one in modules:
            self._hooks.append(one.module.register_forward_pre_hook(self._begin))
            self._hooks.append(one.module.register_forward_hook(self._ending(one), always_call=True))

    def close(self) -> None:
        """Stop watching."""
        self.is_open = False
        for hook in self._hooks:
            hook.remove()

    def _begin(self, module: Any, args: Any) -> None:
        self._watches.append(_Watch())
        self._watches[-1].__enter__()

    def _ending(self, one: AttentionModule) -> Any:
        def end(module: Any, args: Any, output: Any) -> None:
            watch = self._watches.pop()
            watch.__exit__(None, None, None)
            if output is None or not self.is_open:  # an exception is on its way
                return
            if len(watch.seen) != 1:
                found = "none" if not watch.seen else str(len(watch.seen))
                raise ValueError(
                    f"expected one attention by PyTorch's own functions in {one}, but got {found}: its attention is "
                    "not recorded; load the model with another attn_implementation, or choose other layers"
                )
            self.listener(one.layer, *watch.seen[0])

        return end


class _Watch(TorchFunctionMode):
    """Collects the attention calls of one module: (query, key, value, mask, options) of each."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor, Tensor, Tensor | None, dict[str, Any]]] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function is torch.nn.functional.scaled_dot_product_attention:
            self.seen.append(kernel_call(*args, **kwargs))
        elif function in _SOFTMAX and result.ndim == 4:
            weights = result.detach()
            self.seen.append((weights, weights.transpose(2, 3), weights, None, {"weights": weights}))
        return result


def kernel_call(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, dict[str, Any]]:
    """Return the arguments of scaled_dot_product_attention as those of a kernel of transformers."""
    queries, keys = query.shape[-2], key.shape[-2]
    if attn_mask is None and queries != (keys if is_causal else 1):  # else the listener's own rule is the same
        attn_mask = torch.ones(1, 1, queries, keys, dtype=torch.bool, device=query.device)
        attn_mask = attn_mask.tril() if is_causal else attn_mask
    if attn_mask is not None:
        attn_mask = attn_mask.expand(len(query), -1, -1, -1)
    return query, key, value, attn_mask, {"scaling": scale}
