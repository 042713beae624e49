"""Runs a model with attention that PyTorch's function modes see, which flash kernels bypass.

| touched | reason | seen in |
|---|---|---|
| `torch._C._nn.adaptive_avg_pool2d` | what function modes see of this function | torch 2.4 to 2.14 |
| `config._attn_implementation_internal`, set | `set_attn_implementation` cannot restore several kernels | 5.1 to 5.24 |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional

ADAPTIVE_AVERAGES = {functional.adaptive_avg_pool2d, torch._C._nn.adaptive_avg_pool2d}
_VISIBLE = (None, "sdpa", "eager")


@contextmanager
def visible_attention(model: Any) -> Iterator[None]:
    """For a while, let all parts of a model with another kernel than sdpa and eager attention use sdpa."""
    configs = {id(config): config for module in model.modules() if (config := getattr(module, "config", None))}
    changed = []
    for config in configs.values():
        kernel = getattr(config, "_attn_implementation_internal", None)
        if kernel not in _VISIBLE:
            changed.append((config, kernel))
            config._attn_implementation_internal = "sdpa"
    try:
        yield
    finally:
        for config, kernel in changed:
            config._attn_implementation_internal = kernel
