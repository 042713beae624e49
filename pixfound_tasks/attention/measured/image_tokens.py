"""Which prompt tokens are image tokens, and which image each belongs to, by measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pixfound_tasks.attention.measured.errors import NotMeasurable

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int

_CHANGED = 1e-4  # of the largest change
MARKED = "image_embeds_position_mask"  # what marks image tokens in the inputs of Kosmos


def image_ids(
    ids: Int[Tensor, "1 prompt"], before: Float32[Tensor, "prompt width"], after: Float32[Tensor, "prompt width"]
) -> Int[Tensor, " ids"]:
    """Return the ids at which what enters the decoder differs between two prompts with other pictures.

    If n image tokens stand before the prompt, as GIT's do, this is the one number -n.

    Raises:
        NotMeasurable: if the decoder does not get one embedding per prompt token.
    """
    more = len(before) - ids.numel()
    if more > 0 and torch.equal(before[more:], after[more:]) and not torch.equal(before[:more], after[:more]):
        return torch.tensor([-more])
    if more:
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
    """Return which prompt tokens have one of the known ids, see `image_ids`.

    Image tokens that stand before the prompt come first. The mask is then longer than the prompt.
    """
    mask = torch.isin(ids, known.to(ids.device))
    before = tokens_before(known.tolist())
    return torch.cat([mask.new_ones(len(mask), before), mask], dim=1) if before else mask


def tokens_before(known: Sequence[int]) -> int:
    """Return how many image tokens stand before the prompt, see `image_ids`."""
    return max([0, *(-number for number in known)])


def prompt_image_mask(inputs: Mapping[str, Any], known: Sequence[int]) -> Bool[Tensor, "batch prompt"]:
    """Return which prompt tokens are image tokens: those that the processor marks, or else those with a known id.

    Kosmos's processors mark them, because words of the prompt have the same ids.
    """
    if (marked := inputs.get(MARKED)) is not None:
        return marked == 1
    return image_mask(inputs["input_ids"], torch.tensor(known))


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
