"""Finds out which numbers of the pixel tensors each image token sees, whatever pictures these are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pixfound_tasks.attention.geometry import Size
from pixfound_tasks.attention.measured.codes import CodesPart, CodeTokens, find_codes
from pixfound_tasks.attention.measured.convolved import convolved_numbers, convolved_tokens
from pixfound_tasks.attention.measured.coordinate_pictures import Places, locate, noise_pictures
from pixfound_tasks.attention.measured.errors import NoGradient, NoPlace, NotMeasurable
from pixfound_tasks.attention.measured.image_tokens import changed_count, image_ids, image_mask
from pixfound_tasks.attention.measured.mixed_tokens import check_local, interpolated_boxes, mixed_block
from pixfound_tasks.attention.measured.picture_scale import Process
from pixfound_tasks.attention.measured.queries import KeysPart, find_reading
from pixfound_tasks.attention.measured.query_reading import Reading
from pixfound_tasks.attention.measured.reach import Gradients, Reach, reach
from pixfound_tasks.attention.measured.token_boxes import Tokens, exact_tokens
from pixfound_tasks.attention.measured.vision_cells import CellsAlone
from pixfound_tasks.attention.measured.vision_part import VisionPart

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

    from pixfound_tasks.attention.measured.convolved import Numbers

EXACT, INTERPOLATED, CONVOLVED = "gradient", "interpolated", "convolved"
_ANSWERING = 1e-4  # of the largest change


@dataclass
class Shown:
    """What a model's processor makes of the pictures that a prompt is measured with.

    Attributes:
        process: see `Process`.
        sizes: (height, width) of the prompt's images.
    """

    process: Process
    sizes: Sequence[Size]

    @cached_property
    def places(self) -> dict[str, Places]:
        """Where the numbers of each pixel tensor come from. Raises NotMeasurable as `locate` does."""
        return locate(self.process, self.sizes)

    @cached_property
    def first(self) -> dict[str, Any]:
        """The inputs for pictures of noise."""
        return dict(self.process(noise_pictures(self.sizes, 0)))

    @cached_property
    def second(self) -> dict[str, Any]:
        """The inputs for other pictures of noise."""
        return dict(self.process(noise_pictures(self.sizes, 1)))

    def alone(self, ids: Sequence[int], count: int) -> list[int]:
        """Return how many of `count` image tokens each image has as the only one of a prompt."""
        if len(self.sizes) == 1 or not ids:
            return [count // len(self.sizes)] * len(self.sizes)
        known = torch.tensor(ids)
        each = [self.process(noise_pictures([size], 0))["input_ids"] for size in self.sizes]
        return [int(image_mask(own, known).sum()) for own in each]


class Sight(NamedTuple):
    """Which numbers the image tokens of a prompt see.

    Attributes:
        part: the part of the model whose outputs these are. They are image tokens, the patches that image tokens read,
            or the cells whose codes they are.
        total: how many there are.
        ids: the ids of the image tokens.
        how: how they were found.
        runs: the one that each number reaches, -1 for none, by pixel tensor. With convolutions there may be two runs.
        boxes: boxes of interpolated tokens, which hold for images of this size alone.
        tokens: what turns geometries of patches or cells into those of image tokens.
    """

    part: VisionPart
    total: int
    ids: tuple[int, ...]
    how: str
    runs: tuple[Numbers, ...] = ()
    boxes: Tokens | None = None
    tokens: Reading | CodeTokens | None = None

    def placed(self, shown: Shown) -> Tokens:
        """Return the boxes of what sees the numbers, for pictures of these sizes.

        Raises:
            NotMeasurable: if some see places far apart.
        """
        if self.boxes is not None:
            return self.boxes
        if self.how == CONVOLVED:
            return convolved_tokens(self.runs, shown.places, self.total, shown.sizes)
        return exact_tokens(shown.places, self.runs[0], self.total, shown.sizes)


def find_sight(part: VisionPart, shown: Shown) -> Sight:
    """Find out what the image tokens of a prompt see.

    Raises:
        NotMeasurable: if a step proves nothing.
    """
    tokens: Reading | CodeTokens | None
    try:
        return _seen(part, shown)
    except NoPlace:
        if part.has_placed_queries and (placed := _of_placed_queries(part, shown)):
            return placed
        tokens = find_reading(part, part.cast(shown.first), part.cast(shown.second))
        if tokens is None:
            return _seen(part, shown, has_queries=False)
        before: VisionPart = KeysPart(part.model, tokens.sources)
    except NoGradient:
        tokens, before = find_codes(part, shown.process, shown.sizes), CodesPart(part.model)
    return _seen(before, shown, has_queries=False)._replace(ids=tokens.ids, tokens=tokens)


def _of_placed_queries(part: VisionPart, shown: Shown) -> Sight | None:
    """Return the sight of image tokens that are queries made of patches of their own; None if they are not."""
    try:
        found = _seen(VisionPart(part.model, own_only=True), shown)
    except NotMeasurable:
        return None
    return found if found.how == EXACT else None


class _Run:
    """A forward pass with gradients, and one with other pictures."""

    def __init__(self, part: VisionPart, shown: Shown) -> None:
        inputs = part.cast(shown.first)
        self.gradients = Gradients(part, inputs, list(shown.places))
        before = self.gradients.embedded.detach()
        self.change = part.embed(part.cast(shown.second)) - before
        self.ids: tuple[int, ...] = ()
        self.positions: Int[Tensor, " tokens"] = torch.arange(len(before))
        if not part.is_crossing:
            known = image_ids(inputs["input_ids"], before, before + self.change)
            self.ids = tuple(known.tolist())
            self.positions = image_mask(inputs["input_ids"], known).flatten().nonzero()[:, 0].cpu()


def _seen(part: VisionPart, shown: Shown, has_queries: bool = True) -> Sight:
    """Raises NoPlace, too, if `has_queries` and something other than patches reads them."""
    with CellsAlone(late=True) as cells:
        run = _Run(part, shown)
    if cells.is_mixing and len(run.positions):
        runs = convolved_numbers(run.gradients, cells, run.positions, part.cast(shown.first))
        if runs is not None:
            return Sight(part, len(run.positions), run.ids, CONVOLVED, runs)
    if cells.is_changing:
        run = _Run(part, shown)
    count = len(run.positions)
    if not count:
        raise _unseen(part, shown)
    is_read = has_queries and part.reads_across
    found = reach(run.gradients, run.positions, is_rough=is_read)
    if found is not None and found.is_exact and is_read:
        found = reach(run.gradients, run.positions)
    if found is None:
        raise NoGradient
    if found.is_exact:
        return Sight(part, count, run.ids, EXACT, (found.token,))
    if is_read:
        raise NoPlace(count, "as behind a resampler or a Q-Former")
    boxes = _interpolated(run, found, shown)
    return Sight(part, count, run.ids, INTERPOLATED, boxes=boxes)


def _unseen(part: VisionPart, shown: Shown) -> NotMeasurable:
    """Return why no token depends on the image if patches see only themselves."""
    before, after = (part.embed(part.cast(inputs), mixing=True) for inputs in (shown.first, shown.second))
    if count := changed_count(before, after):
        return NoPlace(count, "as learned queries that read it by attention do")
    return NotMeasurable(
        "expected image tokens that enter the decoder, but what enters it does not depend on the picture: the image "
        "reaches it elsewhere"
    )


def _interpolated(run: _Run, found: Reach, shown: Shown) -> Tokens:
    """Return tokens some of which share their numbers."""
    gradients, places, sizes = run.gradients, shown.places, shown.sizes
    is_answering = _is_answering(run.change[run.positions])
    count = len(is_answering)
    block = mixed_block(gradients, found, is_answering)
    if block.columns is not None:
        elsewhere = {
            name: np.where((token >= block.start) & (token < block.stop), -1, token)
            for name, token in found.token.items()
        }
        boxes, owners = exact_tokens(places, elsewhere, count, sizes)
        more, image = interpolated_boxes(gradients, places, block, count, sizes)
        return Tokens(np.where(image[:, None] < 0, boxes, more), np.where(image < 0, owners, image))
    alone = shown.alone(run.ids, count)
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
