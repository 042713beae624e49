"""The segmenter protocol, and `make_segmenter`: segmenters turn points and boxes on an image into masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.segmenters.region import RegionSegmenter
from pixfound_tasks.registry import Registry
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


def _make_region(checkpoint: str, device: str | None, dtype: str) -> Segmenter:
    return RegionSegmenter()


def _make_sam(family: str, checkpoint: str, device: str | None, dtype: str) -> Segmenter:
    from pixfound_tasks.grounding.segmenters.sam import SamSegmenter  # torch and transformers are slow to import

    return SamSegmenter(family, checkpoint or CHECKPOINTS[family], device, dtype)


# Makes a segmenter of a checkpoint (empty for the default one), a device and a dtype, see `make_segmenter`.
SegmenterFactory = Callable[[str, "str | None", str], Segmenter]

SEGMENTERS: Registry[SegmenterFactory] = Registry(
    "a segmenter",
    "pixfound_tasks.segmenters",
    {"region": _make_region, **{family: partial(_make_sam, family) for family in CHECKPOINTS}},
)


def register_segmenter(name: str, make: SegmenterFactory) -> SegmenterFactory:
    """Add a family of segmenters, which `make` makes, and return `make`.

    Raises ValueError if another family has the name.
    """
    return SEGMENTERS.register(name, make)


def check_segmenter(name: str) -> None:
    """Raise ValueError unless `make_segmenter` knows the name. It does not check that the checkpoint exists."""
    family, colon, checkpoint = name.partition(":")
    takes_checkpoint = family in SEGMENTERS and family != "region"
    check_choice("the segmenter", family if takes_checkpoint else name, SEGMENTERS)
    if colon and not checkpoint:
        raise ValueError(
            f"expected a checkpoint after {name!r}, but got none; name one, or leave out the colon for the default"
        )


def make_segmenter(name: str, device: str | None = None, dtype: str = "float32", multimask: bool = True) -> Segmenter:
    """Return the segmenter with this name.

    Args:
        name: `region`, or `FAMILY:CHECKPOINT`. The families are `sam` (SAM and SAM-HQ), `sam2`, `sam3` (its tracker),
            and those that were registered. The checkpoint is a folder or a name on the hub; a family alone means the
            one in `CHECKPOINTS`.
        device: the device of a SAM, such as "cuda:0". The default is CUDA if available, else the CPU.
        dtype: the precision of a SAM: "float32", "bfloat16" or "float16".
        multimask: whether a SAM gives three masks for each prompt, or else its own single mask.

    Raises:
        ValueError: the name is unknown, the checkpoint cannot be loaded or is of another family, or the segmenter has
            no single mask.
    """
    check_segmenter(name)
    family, _, checkpoint = name.partition(":")
    segmenter = SEGMENTERS[family](checkpoint, device, dtype)
    if not multimask:
        if not hasattr(segmenter, "multimask"):
            raise ValueError(
                f"expected a SAM for mask=single, but got {name!r}, which gives several masks; use mask=highest"
            )
        segmenter.multimask = False
    return segmenter
