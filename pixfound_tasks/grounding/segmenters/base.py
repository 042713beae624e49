"""From points and boxes on an image to masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.segmenters.region import RegionSegmenter
from pixfound_tasks.response import Box, Candidate, Point

# The segmenter of the study: SAM with its largest image encoder.
DEFAULT = "sam:facebook/sam-vit-huge"

# What a family stands for when no checkpoint is named.
CHECKPOINTS = {"sam": "facebook/sam-vit-huge", "sam2": "facebook/sam2.1-hiera-large", "sam3": "facebook/sam3"}


class Segmenter(Protocol):
    """Segments what lies under points or in boxes; the work an image needs is done once, in `set_image`.

    A segmenter holds one image at a time: callers that share one between threads lock from `set_image` to the last
    `segment` of that image.
    """

    name: str
    """What goes into a response's provenance, such as `sam:facebook/sam-vit-huge`."""

    def set_image(self, image: np.ndarray) -> None:
        """Take an image, uint8 (height, width, 3) RGB, in place of the one before."""

    def segment(self, prompts: Sequence[Point | Box]) -> list[tuple[Candidate, ...]]:
        """Three candidates for every prompt, in order, with masks of the image's size.

        Points are `(x, y)` and boxes `(x_min, y_min, x_max, y_max)` in fractions of width and height; they may be
        mixed. No prompts give an empty list.
        """


def check_segmenter(name: str) -> None:
    """Raise ValueError unless `make_segmenter` knows the name; whether there is such a checkpoint is not looked at."""
    family, colon, checkpoint = name.partition(":")
    check_choice("the segmenter", family if family in CHECKPOINTS else name, ["region", *CHECKPOINTS])
    if colon and not checkpoint:
        raise ValueError(f"expected a checkpoint after {name!r}, but got none; leave out the colon for the default one")


def make_segmenter(name: str, device: str | None = None, dtype: str = "float32") -> Segmenter:
    """The segmenter of this name: `region`, or `FAMILY:CHECKPOINT` with a folder or a name on the hub.

    The families are `sam` (SAM and SAM-HQ), `sam2` and `sam3` (its tracker); alone they stand for `CHECKPOINTS`.

    Args:
        name: see above.
        device: where a SAM runs, such as "cuda:0"; CUDA where there is one, else the CPU.
        dtype: a SAM's precision: "float32", "bfloat16" or "float16".

    Raises:
        ValueError: an unknown name, or a checkpoint that cannot be loaded or is of another family.
    """
    check_segmenter(name)
    family, _, checkpoint = name.partition(":")
    if family == "region":
        return RegionSegmenter()

    from pixfound_tasks.grounding.segmenters.sam import SamSegmenter  # torch and transformers take their time

    return SamSegmenter(family, checkpoint or CHECKPOINTS[family], device, dtype)
