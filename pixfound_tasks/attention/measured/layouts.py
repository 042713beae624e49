"""Keeps which numbers the image tokens of the last layouts see, so that other pictures of a layout cost little."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

import torch

from pixfound_tasks.attention.measured.sight import Sight

_MOST_NUMBERS = 1 << 26  # that are kept, a quarter of a GiB


class Layouts:
    """The sights of one model, by the layout of its inputs: pixel tensors of the same shapes, and all others equal.

    A vision tower with inputs of a fixed size has one layout for images of all sizes.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Sight] = OrderedDict()

    def find(self, inputs: Mapping[str, Any], pixels: Collection[str]) -> Sight | None:
        """Return what the image tokens see in these inputs, None for a new layout.

        Args:
            inputs: the model's inputs.
            pixels: the names of the pixel tensors.
        """
        key = _key(inputs, pixels)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, inputs: Mapping[str, Any], pixels: Collection[str], sight: Sight) -> None:
        """Keep what image tokens see, and forget the layouts that were not used for longest."""
        if not sight.runs:
            return
        self._kept[_key(inputs, pixels)] = sight
        while len(self._kept) > 1 and sum(map(_numbers, self._kept.values())) > _MOST_NUMBERS:
            self._kept.popitem(last=False)


def _numbers(sight: Sight) -> int:
    return sum(values.size for run in sight.runs for values in run.values())


def _key(inputs: Mapping[str, Any], pixels: Collection[str]) -> str:
    found = hashlib.sha256()
    for name, value in sorted(inputs.items()):
        if torch.is_tensor(value):
            found.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
            if name not in pixels:
                found.update(value.cpu().contiguous().view(torch.uint8).numpy().tobytes() if value.numel() else b"")
        else:
            found.update(f"{name}{value!r}".encode())
    return found.hexdigest()
