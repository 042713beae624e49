"""Image tokens that are discrete codes: placed by what their codes are chosen from, which has gradients.

A quantizer scores all codes for each cell of the image and chooses the best, by `argmin` or `argmax`. The scores of a
cell see what its code sees. Which image token a code becomes is found by giving the cells other codes: bit by bit of
their numbers, one of two codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pixfound_tasks.attention.geometry import Size, TokenGeometry
from pixfound_tasks.attention.measured.coordinate_pictures import noise_pictures
from pixfound_tasks.attention.measured.errors import NoGradient
from pixfound_tasks.attention.measured.image_tokens import counts_per_image, image_ids, prompt_image_mask
from pixfound_tasks.attention.measured.picture_scale import Process
from pixfound_tasks.attention.measured.vision_part import VisionPart

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int

_CHOICES = {torch.argmin, torch.argmax, torch.Tensor.argmin, torch.Tensor.argmax}


class _Codes(TorchFunctionMode):
    """Collects the scores that codes are chosen by, a row per cell; sets the codes to 0 or 1 if `bits` are given."""

    def __init__(self, bits: Bool[Tensor, " cells"] | None = None) -> None:
        super().__init__()
        self.scores: list[Tensor] = []
        self.count = 0
        self._bits = bits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        chosen = func(*args, **kwargs)
        scores = args[0] if args else kwargs["input"]
        axis = args[1] if len(args) > 1 else kwargs.get("dim")
        if func not in _CHOICES or axis is None or not scores.is_floating_point() or scores.ndim < 2:
            return chosen
        self.scores.append(scores.movedim(axis, -1).flatten(0, -2))
        before, self.count = self.count, self.count + chosen.numel()
        if self._bits is None:
            return chosen
        return self._bits[before : self.count].to(chosen).reshape(chosen.shape)


class CodesPart(VisionPart):
    """The part of a model before its quantizer: what "enters the decoder" are the scores of each cell's codes."""

    def embed(
        self, inputs: Mapping[str, Any], with_gradient: bool = False, mixing: bool = False
    ) -> Float32[Tensor, "cells codes"]:
        """Return the scores, one row per cell; see `VisionPart.embed`. Empty if no codes are chosen."""
        with self.watching(_Codes()) as codes:
            super().embed(inputs, with_gradient, mixing)
        self.is_crossing = True  # cells are not among the prompt's tokens
        with torch.inference_mode(False), torch.set_grad_enabled(with_gradient):
            return torch.cat(codes.scores).float() if codes.scores else torch.empty(0, 1)


class CodeTokens:
    """Which cell's code each image token of a prompt is.

    Attributes:
        ids: the ids of the image tokens.
        cells: the cell of each image token, -1 for tokens that are no codes, such as the ends of rows.
    """

    def __init__(self, ids: tuple[int, ...], cells: Int[np.ndarray, " tokens"]) -> None:
        self.ids, self.cells = ids, cells

    def over(self, geometries: Sequence[TokenGeometry]) -> tuple[None, tuple[TokenGeometry, ...]]:
        """Return the geometries of the image tokens, from those of the cells."""
        boxes = np.concatenate([*(geometry.boxes for geometry in geometries), np.full((1, 4), np.nan)])
        owner = np.repeat(np.arange(len(geometries)), [len(geometry.boxes) for geometry in geometries])
        owners = np.append(owner, -1)[self.cells]
        total, images = len(self.cells), len(geometries)
        counts = counts_per_image(total, [total // images] * images, owners.tolist())
        parts = np.split(boxes[self.cells], np.cumsum(counts)[:-1])
        return None, tuple(TokenGeometry(own, geometry.size) for own, geometry in zip(parts, geometries))


def find_codes(part: VisionPart, process: Process, sizes: Sequence[Size]) -> CodeTokens:
    """Return which cell's code each image token of a prompt with images of these (height, width) is.

    Raises:
        NoGradient: if image tokens are no codes of cells, one each.
    """
    inputs, other = (part.cast(process(noise_pictures(sizes, seed))) for seed in (0, 1))
    ids = tuple(image_ids(inputs["input_ids"], part.embed(inputs), part.embed(other)).tolist())
    positions = prompt_image_mask(inputs, ids).flatten().cpu()

    def embed(bits: Bool[np.ndarray, " cells"]) -> Float32[Tensor, "tokens width"]:
        with part.watching(_Codes(torch.from_numpy(bits))):
            return part.embed(inputs)[positions]

    with part.watching(_Codes()) as codes:
        part.embed(inputs)
    count = codes.count
    before = embed(np.zeros(count, bool))
    number = np.zeros(len(before), int)
    for bit in range(count.bit_length()):
        after = embed((np.arange(1, count + 1) >> bit & 1).astype(bool))
        number += (after != before).any(dim=1).cpu().numpy().astype(int) << bit
    cells = number - 1
    own = cells[cells >= 0]
    if not len(own) or len(np.unique(own)) < len(own):
        raise NoGradient
    return CodeTokens(ids, cells)
