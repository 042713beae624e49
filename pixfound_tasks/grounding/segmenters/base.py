"""The segmenter protocol, and `make_segmenter`: segmenters turn points and boxes on an image into masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.segmenters.region import RegionSegmenter
from pixfound_tasks.response import Box, Candidate, Point

# PixFoundation's segmenter: SAM with its largest image encoder.
DEFAULT = "sam:facebook/sam-vit-huge"

# The checkpoint of each family if none is named.
CHECKPOINTS = {"sam": "facebook/sam-vit-huge", "sam2": "facebook/sam2.1-hiera-large", "sam3": "facebook/sam3"}


class Segmenter(Protocol):
    """Segments the objects at points or in boxes. `set_image` does the work that each image needs once.

    A segmenter holds one image at a time. Threads that share a segmenter must hold a lock from `set_image` to the last
    `segment` call for that image.
    """

    name: str
    """The name in a response's provenance, such as `sam:facebook/sam-vit-huge`."""

    def set_image(self, image: np.ndarray) -> None:
        """Set the image, uint8 (height, width, 3) RGB. It replaces the previous one."""

    def segment(self, prompts: Sequence[Point | Box]) -> list[tuple[Candidate, ...]]:
        """Return three candidates for each prompt, in order, with masks of the image's size.

        Points are `(x, y)` and boxes `(x_min, y_min, x_max, y_max)`, in fractions of width and height. They may be
        mixed. Returns an empty list if there are no prompts.
        """


def check_segmenter(name: str) -> None:
    """Raise ValueError unless `make_segmenter` knows the name. It does not check that the checkpoint exists."""
    family, colon, checkpoint = name.partition(":")
    check_choice("the segmenter", family if family in CHECKPOINTS else name, ["region", *CHECKPOINTS])
    if colon and not checkpoint:
        raise ValueError(
            f"expected a checkpoint after {name!r}, but got none; name one, or leave out the colon for the default"
        )


def make_segmenter(name: str, device: str | None = None, dtype: str = "float32") -> Segmenter:
    """Return the segmenter with this name.

    Args:
        name: `region`, or `FAMILY:CHECKPOINT`. The families are `sam` (SAM and SAM-HQ), `sam2` and `sam3` (its
            tracker). The checkpoint is a folder or a name on the hub; a family alone means the one in `CHECKPOINTS`.
        device: the device of a SAM, such as "cuda:0". The default is CUDA if available, else the CPU.
        dtype: the precision of a SAM: "float32", "bfloat16" or "float16".

    Raises:
        ValueError: the name is unknown, or the checkpoint cannot be loaded or is of another family.
    """
    check_segmenter(name)
    family, _, checkpoint = name.partition(":")
    if family == "region":
        return RegionSegmenter()

    from pixfound_tasks.grounding.segmenters.sam import SamSegmenter  # torch and transformers are slow to import

    return SamSegmenter(family, checkpoint or CHECKPOINTS[family], device, dtype)
