"""Families whose token grid follows the size and aspect ratio of the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pixfound_tasks.attention.geometry import Size, grid_boxes
from pixfound_tasks.hosts.image_processors import glm4v_size, paddleocr_vl_size, pixtral_size, qwen2_vl_size

if TYPE_CHECKING:
    from jaxtyping import Float64

    from pixfound_tasks.attention.families.registry import Settings

Region = tuple[float, float, float, float]  # (x0, y0, x1, y1) in pixels of the original image


def patch_boxes(resized: Size, side: int, region: Region) -> Float64[np.ndarray, "tokens 4"]:
    """Return the boxes of the squares that a resized image, given by its (height, width), is cut into, row by row.

    `side` is the side of a square in pixels of the resized image, which shows `region` of the original image. Pixels
    left over at its right and bottom edges are in no box.
    """
    (height, width), (x0, y0, x1, y1) = resized, region
    rows, columns = height // side, width // side
    right, bottom = x0 + (x1 - x0) * columns * side / width, y0 + (y1 - y0) * rows * side / height
    return grid_boxes(rows, columns, (x0, y0, right, bottom))


def whole(size: Size) -> Region:
    """Return the region that covers all of an image of (height, width)."""
    return 0, 0, size[1], size[0]


def qwen_vl_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """Qwen2-VL and later: both sides become multiples of a token's side, and the area is kept within limits.

    A token merges a square of patches. Tokens come row by row, because the vision tower undoes its window order. Some
    pixel-level models resize in the same way before, with (side, least, most) of their own in `resized_before`.
    """
    before = qwen2_vl_size(size, *settings.resized_before) if settings.resized_before else size
    return _merged_boxes(settings, size, before, qwen2_vl_size)


def paddleocr_vl_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """PaddleOCR-VL: as Qwen2-VL, but thin images are enlarged before until both sides have a token."""
    return _merged_boxes(settings, size, size, paddleocr_vl_size)


def _merged_boxes(
    settings: Settings, size: Size, resized: Size, resize: Callable[[Size, int, int, int], Size]
) -> Float64[np.ndarray, "tokens 4"]:
    """Return the boxes of an image that is `resized` already, and resized once more to whole tokens."""
    side = settings.patch_size * settings.merge_size
    if settings.do_resize:
        least = settings.min_pixels or settings.size["shortest_edge"]
        most = settings.max_pixels or settings.size["longest_edge"]
        resized = resize(resized, side, least, most)
    return patch_boxes(resized, side, whole(size))


def glm4v_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """GLM-4.1V and later: as Qwen2-VL, but the limits count the frames to which an image is repeated."""
    side, resized = settings.patch_size * settings.merge_size, size
    if settings.do_resize:
        least, most = settings.size["shortest_edge"], settings.size["longest_edge"]
        resized = glm4v_size(size, settings.temporal_patch_size, side, least, most)
    return patch_boxes(resized, side, whole(size))


def pixtral_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """Pixtral and Mistral 3: downscaled if a side is too long, never upscaled, then stretched to whole tokens.

    A token is a patch or a merged square of patches. Row breaks have their own id and are not image tokens. The vision
    tower has no class token.

    Raises:
        ValueError: if the image is so thin that nothing is left of it once it is downscaled. The processor refuses it.
    """
    # The processor ignores its image processor's patch size and uses the model's.
    side, resized = config.vision_config.patch_size * getattr(config, "spatial_merge_size", 1), size
    if settings.do_resize:
        limits = dict(settings.size)
        longest = limits.get("longest_edge")
        most = (longest, longest) if longest else (limits["height"], limits["width"])
        resized = pixtral_size(size, most, side)
        if not all(resized):
            raise ValueError(
                f"expected an image of which at least a pixel is left within (height, width) {most}, but one of {size} "
                "is too thin: its processor refuses it; crop it, or pad it"
            )
    return patch_boxes(resized, side, whole(size))
