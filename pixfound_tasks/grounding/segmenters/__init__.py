"""From points on an image to masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.segmenters.region import RegionSegmenter
from pixfound_tasks.response import Candidate, Point


class Segmenter(Protocol):
    """Segments what lies under points; the work an image needs is done once, in `set_image`."""

    def set_image(self, image: np.ndarray) -> None:
        """Take an image, uint8 (height, width, 3) RGB."""

    def segment(self, points: list[Point]) -> list[tuple[Candidate, ...]]:
        """Three candidates for every point, given in fractions of width and height."""


SEGMENTERS: dict[str, Callable[[], Segmenter]] = {"region": RegionSegmenter}


def make_segmenter(name: str) -> Segmenter:
    """The segmenter of this name."""
    check_choice("the segmenter", name, SEGMENTERS)
    return SEGMENTERS[name]()
