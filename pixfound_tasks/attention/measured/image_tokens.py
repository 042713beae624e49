"""Which prompt tokens are image tokens, and which image each belongs to, by measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pixfound_tasks.attention.measured.errors import NotMeasurable

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int

_CHANGED = 1e-4  # of the largest change


def image_ids(
    ids: Int[Tensor, "1 prompt"], before: Float32[Tensor, "prompt width"], after: Float32[Tensor, "prompt width"]
) -> Int[Tensor, " ids"]:
    """Return the ids at which what enters the decoder differs between two prompts with other pictures.

    Raises:
        NotMeasurable: if the decoder does not get one embedding per prompt token.
    """
    if ids.numel() != len(before):
        raise NotMeasurable(
            f"expected an embedding for each of {ids.numel()} prompt tokens, but {len(before)} enter the decoder"
        )
    change = (after - before).norm(dim=1)
    changed = (change > _CHANGED * change.max()).to(ids.device)
    return ids.flatten()[changed].unique()


def changed_count(before: Float32[Tensor, "positions width"], after: Float32[Tensor, "positions width"]) -> int:
    """Return at how many positions what enters the decoder differs between two prompts with other pictures."""
    change = (after - before).norm(dim=1)
    return int((change > _CHANGED * change.max()).sum())


def image_mask(ids: Int[Tensor, "batch prompt"], known: Int[Tensor, " ids"]) -> Bool[Tensor, "batch prompt"]:
    """Return which prompt tokens have one of the known ids."""
    return torch.isin(ids, known.to(ids.device))


def counts_per_image(total: int, alone: Sequence[int], owners: Sequence[int]) -> list[int]:
    """Return how many of a prompt's image tokens belong to each image. The images' tokens come one after another.

    Args:
        total: the number of image tokens.
        alone: how many each image has as the only one of a prompt.
        owners: the image of each token that sees a place, -1 for others.
    """
    count = len(alone)
    equal = [total // count] * count
    for candidate in (list(alone), equal):
        if sum(candidate) == total and _fits(candidate, owners):
            return candidate
    # Tokens without a place go with the image before them.
    current, counts = 0, [0] * count
    for owner in owners:
        current = max(current, owner)
        counts[current] += 1
    return counts


def _fits(counts: Sequence[int], owners: Sequence[int]) -> bool:
    own = [image for image, count in enumerate(counts) for _ in range(count)]
    return all(owner in (-1, image) for owner, image in zip(owners, own))
