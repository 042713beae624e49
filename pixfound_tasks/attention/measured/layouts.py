"""Keeps which numbers the image tokens of the last layouts see, so that other sizes with these layouts cost little."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch

from pixfound_tasks.attention.measured.sight import Sight

_MOST_NUMBERS = 1 << 26  # that are kept, a quarter of a GiB


class Layouts:
    """The sights of one model, by the layout of its inputs: pixel tensors of the same shapes, and all others equal.

    A vision tower with inputs of a fixed size has one layout for images of all sizes.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Sight] = OrderedDict()

    def find(self, layout: str) -> Sight | None:
        """Return what the image tokens see in a layout, None for a new one."""
        if layout in self._kept:
            self._kept.move_to_end(layout)
        return self._kept.get(layout)

    def keep(self, layout: str, sight: Sight) -> None:
        """Keep what image tokens see once it is proved, and forget the layouts that were not used for longest."""
        if not sight.runs:
            return
        self._kept[layout] = sight
        while len(self._kept) > 1 and sum(map(_numbers, self._kept.values())) > _MOST_NUMBERS:
            self._kept.popitem(last=False)


def layout_of(inputs: Mapping[str, Any], pixels: Collection[str]) -> str:
    """Return the name of the layout of a model's inputs, of which these are the pixel tensors."""
    found = hashlib.sha256()
    for name, value in sorted(inputs.items()):
        content = str((value.shape, value.dtype)).encode() if name in pixels else _content(value)
        found.update(name.encode() + content)
    return found.hexdigest()


def _content(value: Any) -> bytes:
    """Return bytes that equal values have, and no others."""
    if torch.is_tensor(value):
        numbers = value.cpu().flatten().contiguous()
        kept = numbers.view(torch.uint8).numpy().tobytes() if len(numbers) else b""
        return str((value.shape, value.dtype)).encode() + kept
    if isinstance(value, np.ndarray) and value.dtype != object:
        return str((value.shape, value.dtype)).encode() + value.tobytes()
    if isinstance(value, (list, tuple)):
        return b"[" + b",".join(map(_content, value)) + b"]"
    # What cannot be compared makes a layout of its own.
    return repr(value).encode() if isinstance(value, (str, int, float, type(None))) else os.urandom(16)


def _numbers(sight: Sight) -> int:
    return sum(values.size for run in sight.runs for values in run.values())
