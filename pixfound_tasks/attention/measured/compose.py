"""Composes a geometry: places of numbers, tokens that numbers reach, images that tokens belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pixfound_tasks.attention.geometry import Size, TokenGeometry
from pixfound_tasks.attention.measured.codes import CodesPart, CodeTokens, find_codes
from pixfound_tasks.attention.measured.convolved import convolved_tokens
from pixfound_tasks.attention.measured.coordinate_pictures import Places, locate, noise_pictures
from pixfound_tasks.attention.measured.errors import NoGradient, NoPlace, NotMeasurable
from pixfound_tasks.attention.measured.image_tokens import changed_count, counts_per_image, image_ids, image_mask
from pixfound_tasks.attention.measured.mixed_tokens import check_local, interpolated_boxes, mixed_block
from pixfound_tasks.attention.measured.picture_scale import Process
from pixfound_tasks.attention.measured.queries import KeysPart, find_reading
from pixfound_tasks.attention.measured.query_reading import Reading
from pixfound_tasks.attention.measured.reach import Gradients, Reach, reach
from pixfound_tasks.attention.measured.token_boxes import Tokens, exact_tokens
from pixfound_tasks.attention.measured.vision_part import VisionPart

if TYPE_CHECKING:
    from jaxtyping import Bool

EXACT, INTERPOLATED, CONVOLVED = "gradient", "interpolated", "convolved"
_ANSWERING = 1e-4  # of the largest change


class Composed(NamedTuple):
    """The geometries of a prompt's images, the ids of the image tokens, and how they were found.

    Attributes:
        part: the part whose outputs the geometries are of, to be proved. These are image tokens, the patches that image
            tokens read, or the cells whose codes they are.
        tokens: what turns the geometries, once they are proved, into those of image tokens; None if they are.
    """

    geometries: tuple[TokenGeometry, ...]
    ids: tuple[int, ...]
    how: str
    part: VisionPart
    tokens: Reading | CodeTokens | None = None


def compose(part: VisionPart, process: Process, sizes: Sequence[Size]) -> Composed:
    """Measure the geometries of a prompt with images of these (height, width), without a last proof.

    Raises:
        NotMeasurable: if a step proves nothing.
    """
    tokens: Reading | CodeTokens | None
    try:
        return _composed(part, process, sizes)
    except NoPlace:
        if part.has_placed_queries and (placed := _of_placed_queries(part, process, sizes)):
            return placed
        tokens = find_reading(part, process, sizes)
        if tokens is None:
            return _composed(part, process, sizes, has_queries=False)
        before: VisionPart = KeysPart(part.model, tokens.sources)
    except NoGradient:
        tokens, before = find_codes(part, process, sizes), CodesPart(part.model)
    found = _composed(before, process, sizes, has_queries=False)
    return found._replace(ids=tokens.ids, tokens=tokens)


def _of_placed_queries(part: VisionPart, process: Process, sizes: Sequence[Size]) -> Composed | None:
    """Return the geometries of image tokens that are queries made of patches of their own; None if they are not."""
    try:
        found = _composed(VisionPart(part.model, own_only=True), process, sizes)
    except NotMeasurable:
        return None
    return found if found.how == EXACT else None


def _composed(part: VisionPart, process: Process, sizes: Sequence[Size], has_queries: bool = True) -> Composed:
    """Raises NoPlace, too, if `has_queries` and something other than patches reads them."""
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
        raise NoGradient
    alone = [len(positions) // len(sizes)] * len(sizes)
    if len(sizes) > 1 and ids:
        alone = [_count_alone(process, size, ids) for size in sizes]
    how, tokens = EXACT, None
    if found.is_exact:
        tokens = exact_tokens(places, found.token, len(positions), sizes)
    elif (local := convolved_tokens(part, inputs, places, positions, sizes)) is not None:
        how, tokens = CONVOLVED, local
    elif has_queries and part.reads_across:
        raise NoPlace(len(positions), "as behind a resampler or a Q-Former")
    else:
        is_answering = _is_answering((after - embedded)[positions])
        how, tokens = _mixed(gradients, places, found, is_answering, alone, sizes)
    counts = counts_per_image(len(positions), alone, tokens.owners.tolist())
    parts = np.split(tokens.boxes, np.cumsum(counts)[:-1])
    return Composed(tuple(TokenGeometry(own, (size[0], size[1])) for own, size in zip(parts, sizes)), ids, how, part)


def _unseen(part: VisionPart, process: Process, sizes: Sequence[Size]) -> NotMeasurable:
    """Return why no token depends on the image if patches see only themselves."""
    before, after = (part.embed(part.cast(process(noise_pictures(sizes, seed))), mixing=True) for seed in (0, 1))
    if count := changed_count(before, after):
        return NoPlace(count, "as learned queries that read it by attention do")
    return NotMeasurable(
        "expected image tokens that enter the decoder, but what enters it does not depend on the picture: the image "
        "reaches it elsewhere"
    )


def _mixed(
    gradients: Gradients,
    places: dict[str, Places],
    found: Reach,
    is_answering: Bool[np.ndarray, " tokens"],
    alone: Sequence[int],
    sizes: Sequence[Size],
) -> tuple[str, Tokens]:
    """Return tokens some of which share their numbers, and how they were found."""
    count = len(is_answering)
    block = mixed_block(gradients, found, is_answering)
    if block.columns is not None:
        elsewhere = {
            name: np.where((token >= block.start) & (token < block.stop), -1, token)
            for name, token in found.token.items()
        }
        boxes, owners = exact_tokens(places, elsewhere, count, sizes)
        more, image = interpolated_boxes(gradients, places, block, count, sizes)
        return INTERPOLATED, Tokens(np.where(image[:, None] < 0, boxes, more), np.where(image < 0, owners, image))
    if block.start or block.stop != count or sum(alone) != count:
        check_local(gradients, places, block.start, block.stop, count)
        raise NotMeasurable("numbers reach several tokens in a part of the prompt's image tokens")
    for index, (end, length) in enumerate(zip(np.cumsum(alone), alone)):
        check_local(gradients, places, int(end - length), int(end), count, index)
    raise NotMeasurable(
        "numbers reach several tokens, even if convolutions look at nothing beside: neither patches nor convolutions"
    )


def _is_answering(change: Tensor) -> Bool[np.ndarray, " tokens"]:
    size = change.norm(dim=1)
    return (size > _ANSWERING * size.max()).cpu().numpy()


def _count_alone(process: Process, size: Size, ids: tuple[int, ...]) -> int:
    """Return how many image tokens an image has as the only one of a prompt."""
    return int(image_mask(process(noise_pictures([size], 0))["input_ids"], torch.tensor(ids)).sum())
