"""Where the answer begins in the ids that `model.generate` returns, found out by generating a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor

_LEFT_OUT: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # by model


@torch.inference_mode()
def begun(model: Any, inputs: Any) -> Int[Tensor, "batch begun"]:
    """Return what the ids that `model.generate` returns begin with, before the answer.

    This is the prompt, or the token that the decoder of an encoder-decoder starts with.
    """
    output = model.generate(**inputs, do_sample=False, max_new_tokens=1, min_new_tokens=1)
    return getattr(output, "sequences", output)[:, :-1]


def left_out(model: Any, inputs: Any) -> int:
    """Return how many of a prompt's last tokens `model.generate` leaves out, as BLIP's does.

    It is found out once for each model, so call it before a recording.
    """
    if model not in _LEFT_OUT:
        _LEFT_OUT[model] = inputs["input_ids"].shape[1] - begun(model, inputs).shape[1]
    return _LEFT_OUT[model]
