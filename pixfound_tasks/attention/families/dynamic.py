"""Families whose grid of tokens follows the size and aspect of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pixfound_tasks.attention.geometry import Size, grid_boxes

if TYPE_CHECKING:
    from pixfound_tasks.attention.families.registry import Settings

Region = tuple[float, float, float, float]  # (x0, y0, x1, y1) in pixels of the original image


def patch_boxes(picture: Size, side: int, region: Region) -> np.ndarray:
    """Boxes of the squares that a picture, given by its (height, width), is cut into, row by row.

    `side` is in pixels of the picture, which shows a region of the original image. What is left over at its right and
    bottom is in no box.
    """
    (height, width), (x0, y0, x1, y1) = picture, region
    rows, columns = height // side, width // side
    right, bottom = x0 + (x1 - x0) * columns * side / width, y0 + (y1 - y0) * rows * side / height
    return grid_boxes(rows, columns, (x0, y0, right, bottom))


def whole(size: Size) -> Region:
    """The region that is all of an image of (height, width)."""
    return 0, 0, size[1], size[0]


def qwen_vl_geometry(config: Any, settings: Settings, size: Size) -> np.ndarray:
    """Qwen2-VL and after: both sides become multiples of a token's side, the area kept within limits.

    A token merges a square of patches. Tokens come row by row: the vision tower undoes its windows.
    """
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    side, picture = settings.patch_size * settings.merge_size, size
    if settings.do_resize:
        least = settings.min_pixels or settings.size["shortest_edge"]
        most = settings.max_pixels or settings.size["longest_edge"]
        picture = smart_resize(*size, factor=side, min_pixels=least, max_pixels=most)
    return patch_boxes(picture, side, whole(size))


def glm4v_geometry(config: Any, settings: Settings, size: Size) -> np.ndarray:
    """GLM-4.1V and after: as Qwen2-VL, but the limits count the frames that an image is repeated to."""
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
    """Pixtral and Mistral 3: shrunk where an edge is too long, never enlarged, then stretched to whole tokens.

    A token is a patch, or a merged square of them. Row breaks have an id of their own and are no image tokens, and the
    vision tower has no class token.
    """
    from transformers.models.pixtral.image_processing_pixtral import get_resize_output_image_size

    # The processor ignores its image processor's patch size and passes the model's.
    side, picture = config.vision_config.patch_size * getattr(config, "spatial_merge_size", 1), size
    if settings.do_resize:
        limits = dict(settings.size)
        longest = limits.get("longest_edge")
        most = (longest, longest) if longest else (limits["height"], limits["width"])
        picture = get_resize_output_image_size(np.broadcast_to(0, (3, *size)), most, side, "channels_first")
    return patch_boxes(picture, side, whole(size))
