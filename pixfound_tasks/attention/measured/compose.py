"""Composes a geometry: places of numbers, tokens that numbers reach, images that tokens belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pixfound_tasks.attention.geometry import Size, TokenGeometry
from pixfound_tasks.attention.measured.coordinate_pictures import Places, Process, locate, noise_pictures
from pixfound_tasks.attention.measured.errors import NoPlace, NotMeasurable
from pixfound_tasks.attention.measured.image_tokens import changed_count, counts_per_image, image_ids, image_mask
from pixfound_tasks.attention.measured.mixed_tokens import check_local, convolved_boxes, interpolated_boxes, mixed_block
from pixfound_tasks.attention.measured.reach import Gradients, Reach, reach
from pixfound_tasks.attention.measured.token_boxes import extents, regular_boxes
from pixfound_tasks.attention.measured.vision_part import VisionPart

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int

EXACT, INTERPOLATED, CONVOLVED = "gradient", "interpolated", "convolved"
_ANSWERING = 1e-4  # of the largest change


class Composed(NamedTuple):
    """The geometries of a prompt's images, the ids of the image tokens, and how they were found."""

    geometries: tuple[TokenGeometry, ...]
    ids: tuple[int, ...]
    how: str


class _Tokens(NamedTuple):
    """Boxes of all image tokens of a prompt, (tokens, 4), and the image of each, -1 for tokens without a place."""

    boxes: Float64[np.ndarray, "tokens 4"]
    owners: Int[np.ndarray, " tokens"]


def compose(part: VisionPart, process: Process, sizes: Sequence[Size]) -> Composed:
    """Measure the geometries of a prompt with images of these (height, width), without a last proof.

    Raises:
        NotMeasurable: if a step proves nothing.
    """
    places = locate(process, sizes)
    inputs = part.cast(process(noise_pictures(sizes, 0)))
    gradients = Gradients(part, inputs, list(places))
    embedded = gradients.embedded.detach()
    after = part.embed(part.cast(process(noise_pictures(sizes, 1))))
    ids: tuple[int, ...] = ()
    positions = torch.arange(len(embedded))
    if not part.is_crossing:
        known = image_ids(inputs["input_ids"], embedded, after)
        ids = tuple(known.tolist())
        positions = image_mask(inputs["input_ids"], known).flatten().nonzero()[:, 0].cpu()
    if not len(positions):
        raise _unseen(part, process, sizes)
    found = reach(gradients, positions)
    if found is None:
        raise NotMeasurable("image tokens have no gradient with respect to pixel values, as if they were discrete")
    alone = [len(positions) // len(sizes)] * len(sizes)
    if len(sizes) > 1 and ids:
        alone = [_count_alone(process, size, ids) for size in sizes]
    how, tokens = EXACT, None
    if found.is_exact:
        tokens = _exact(places, found.token, len(positions), sizes)
    else:
        is_answering = _is_answering((after - embedded)[positions])
        how, tokens = _mixed(gradients, places, found, is_answering, alone, sizes)
    counts = counts_per_image(len(positions), alone, tokens.owners.tolist())
    parts = np.split(tokens.boxes, np.cumsum(counts)[:-1])
    return Composed(tuple(TokenGeometry(own, (size[0], size[1])) for own, size in zip(parts, sizes)), ids, how)


def _unseen(part: VisionPart, process: Process, sizes: Sequence[Size]) -> NotMeasurable:
    """Return why no token depends on the image if patches see only themselves."""
    before, after = (part.embed(part.cast(process(noise_pictures(sizes, seed))), mixing=True) for seed in (0, 1))
    if count := changed_count(before, after):
        return NoPlace(count, "as learned queries that read it by attention do")
    return NotMeasurable(
        "expected image tokens that enter the decoder, but what enters it does not depend on the picture: the image "
        "reaches it elsewhere"
    )


def _exact(
    places: dict[str, Places], tokens: dict[str, Int[np.ndarray, "*numbers"]], count: int, sizes: Sequence[Size]
) -> _Tokens:
    """Return the tokens whose numbers reach them alone."""
    token = np.concatenate([found.ravel() for found in tokens.values()])
    image, x, y = (
        np.concatenate([getattr(places[name], field).ravel() for name in tokens]) for field in Places._fields
    )
    boxes, owners = np.full((count, 4), np.nan), np.full(count, -1)
    for index, size in enumerate(sizes):
        own = (token >= 0) & (image == index) & ~np.isnan(x) & ~np.isnan(y)
        along_x, along_y = (extents(token[own], values[own], count) for values in (x, y))
        scattered = along_x.is_scattered | along_y.is_scattered
        if scattered.any():
            raise NotMeasurable(f"expected tokens that see one place each, but {scattered.sum()} see places far apart")
        found = regular_boxes(along_x, along_y, size)
        seen = ~np.isnan(found[:, 0])
        boxes[seen], owners[seen] = found[seen], index
    return _Tokens(boxes, owners)


def _mixed(
    gradients: Gradients,
    places: dict[str, Places],
    found: Reach,
    is_answering: Bool[np.ndarray, " tokens"],
    alone: Sequence[int],
    sizes: Sequence[Size],
) -> tuple[str, _Tokens]:
    """Return tokens some of which share their numbers, and how they were found."""
    count = len(is_answering)
    block = mixed_block(gradients, found, is_answering)
    if block.columns is not None:
        elsewhere = {
            name: np.where((token >= block.start) & (token < block.stop), -1, token)
            for name, token in found.token.items()
        }
        boxes, owners = _exact(places, elsewhere, count, sizes)
        more, image = interpolated_boxes(gradients, places, block, count, sizes)
        return INTERPOLATED, _Tokens(np.where(image[:, None] < 0, boxes, more), np.where(image < 0, owners, image))
    if block.start or block.stop != count or sum(alone) != count:
        check_local(gradients, places, block.start, block.stop, count)
        raise NotMeasurable("numbers reach several tokens in a part of the prompt's image tokens")
    ends = np.cumsum(alone)
    own = [
        convolved_boxes(gradients, places, int(end - length), int(end), count, size, index)
        for index, (end, length, size) in enumerate(zip(ends, alone, sizes))
    ]
    return CONVOLVED, _Tokens(np.concatenate(own), np.repeat(np.arange(len(sizes)), alone))


def _is_answering(change: Tensor) -> Bool[np.ndarray, " tokens"]:
    size = change.norm(dim=1)
    return (size > _ANSWERING * size.max()).cpu().numpy()


def _count_alone(process: Process, size: Size, ids: tuple[int, ...]) -> int:
    """Return how many image tokens an image has as the only one of a prompt."""
    return int(image_mask(process(noise_pictures([size], 0))["input_ids"], torch.tensor(ids)).sum())
