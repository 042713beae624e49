"""Composes a geometry: places of numbers, tokens that numbers reach, images that tokens belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixfound_tasks.attention.geometry import Size, TokenGeometry
from pixfound_tasks.attention.measured.codes import CodeTokens
from pixfound_tasks.attention.measured.image_tokens import counts_per_image
from pixfound_tasks.attention.measured.layouts import Layouts, layout_of
from pixfound_tasks.attention.measured.picture_scale import Process
from pixfound_tasks.attention.measured.query_reading import Reading
from pixfound_tasks.attention.measured.sight import Shown, Sight, find_sight
from pixfound_tasks.attention.measured.vision_part import VisionPart


class Composed(NamedTuple):
    """The geometries of a prompt's images, the ids of the image tokens, and how they were found.

    Attributes:
        part: the part whose outputs the geometries are of, to be proved. These are image tokens, the patches that image
            tokens read, or the cells whose codes they are.
        tokens: what turns the geometries, once they are proved, into those of image tokens; None if they are.
        layout: the layout of the model's inputs.
        sight: what the image tokens of this layout see.
        is_known: whether that was measured and proved before.
    """

    geometries: tuple[TokenGeometry, ...]
    ids: tuple[int, ...]
    how: str
    part: VisionPart
    tokens: Reading | CodeTokens | None
    layout: str
    sight: Sight
    is_known: bool


def compose(part: VisionPart, process: Process, sizes: Sequence[Size], layouts: Layouts | None = None) -> Composed:
    """Measure the geometries of a prompt with images of these (height, width), without a last proof.

    Args:
        part: the vision part of a model.
        process: see `Process`.
        sizes: (height, width) of the images.
        layouts: the model's layouts that were measured before.

    Raises:
        NotMeasurable: if a step proves nothing.
    """
    shown = Shown(process, sizes)
    layout = layout_of(shown.first, shown.places)
    known = None if layouts is None else layouts.find(layout)
    sight = find_sight(part, shown) if known is None else known
    if known is not None:
        known.part.forwards = known.part.backwards = 0  # those of this measurement are counted
    geometries = _geometries(sight, shown)
    return Composed(geometries, sight.ids, sight.how, sight.part, sight.tokens, layout, sight, known is not None)


def _geometries(sight: Sight, shown: Shown) -> tuple[TokenGeometry, ...]:
    boxes, owners = sight.placed(shown)
    # What image tokens read, or are codes of, has no ids.
    alone = shown.alone(sight.ids if sight.tokens is None else (), sight.total)
    counts = counts_per_image(sight.total, alone, owners.tolist())
    parts = np.split(boxes, np.cumsum(counts)[:-1])
    return tuple(TokenGeometry(own, (size[0], size[1])) for own, size in zip(parts, shown.sizes))
