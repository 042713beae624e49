"""Families whose token grid follows the size and aspect ratio of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pixfound_tasks.attention.geometry import Size, grid_boxes

if TYPE_CHECKING:
    from pixfound_tasks.attention.families.registry import Settings

Region = tuple[float, float, float, float]  # (x0, y0, x1, y1) in pixels of the original image


def patch_boxes(picture: Size, side: int, region: Region) -> np.ndarray:
    """Return the boxes of the squares that a resized image, given by its (height, width), is cut into, row by row.

    `side` is the side of a square in pixels of the resized image, which shows `region` of the original image. Pixels
    left over at its right and bottom edges are in no box.
    """
    (height, width), (x0, y0, x1, y1) = picture, region
    rows, columns = height // side, width // side
    right, bottom = x0 + (x1 - x0) * columns * side / width, y0 + (y1 - y0) * rows * side / height
    return grid_boxes(rows, columns, (x0, y0, right, bottom))


def whole(size: Size) -> Region:
    """Return the region that covers all of an image of (height, width)."""
    return 0, 0, size[1], size[0]


def qwen_vl_geometry(config: Any, settings: Settings, size: Size) -> np.ndarray:
    """Qwen2-VL and later: both sides become multiples of a token's side, and the area is kept within limits.

    A token merges a square of patches. Tokens come row by row, because the vision tower undoes its window order.
    """
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    side, picture = settings.patch_size * settings.merge_size, size
    if settings.do_resize:
        least = settings.min_pixels or settings.size["shortest_edge"]
        most = settings.max_pixels or settings.size["longest_edge"]
        picture = smart_resize(*size, factor=side, min_pixels=least, max_pixels=most)
    return patch_boxes(picture, side, whole(size))


def glm4v_geometry(config: Any, settings: Settings, size: Size) -> np.ndarray:
    """GLM-4.1V and later: as Qwen2-VL, but the limits count the frames to which an image is repeated."""
    from transformers.models.glm4v.image_processing_glm4v import smart_resize

    side, frames, picture = settings.patch_size * settings.merge_size, settings.temporal_patch_size, size
    if settings.do_resize:
        picture = smart_resize(
            frames,
            *size,
            temporal_factor=frames,
            factor=side,
            min_pixels=settings.size["shortest_edge"],
            max_pixels=settings.size["longest_edge"],
        )
    return patch_boxes(picture, side, whole(size))


def pixtral_geometry(config: Any, settings: Settings, size: Size) -> np.ndarray:
    """Pixtral and Mistral 3: downscaled if a side is too long, never upscaled, then stretched to whole tokens.

    A token is a patch or a merged square of patches. Row breaks have their own id and are not image tokens. The vision
    tower has no class token.
    """
    from transformers.models.pixtral.image_processing_pixtral import get_resize_output_image_size

    # The processor ignores its image processor's patch size and uses the model's.
    side, picture = config.vision_config.patch_size * getattr(config, "spatial_merge_size", 1), size
    if settings.do_resize:
        limits = dict(settings.size)
        longest = limits.get("longest_edge")
        most = (longest, longest) if longest else (limits["height"], limits["width"])
        picture = get_resize_output_image_size(np.broadcast_to(0, (3, *size)), most, side, "channels_first")
    return patch_boxes(picture, side, whole(size))
