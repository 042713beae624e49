"""Families that see an image as tiles, then as a whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pixfound_tasks.attention.families.dynamic_resolution import patch_boxes, whole
from pixfound_tasks.attention.geometry import Size, grid_boxes
from pixfound_tasks.hosts.image_processors import idefics3_size

if TYPE_CHECKING:
    from jaxtyping import Float64

    from pixfound_tasks.attention.families.registry import Settings

_ROUNDING = 1e-6  # in pixels


def idefics3_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """Idefics3 and SmolVLM: resized to the longest edge, then stretched to whole tiles. A token merges patches.

    The tiles come row by row, followed by the whole image resized to one tile. If one tile is enough or splitting is
    off, there is only the whole image.

    A very elongated image is only a few pixels wide after the first resizing. A token sees no less than one of them.
    """
    tile = settings.max_image_size["longest_edge"]
    resized = _resized(size, settings) if settings.do_resize else size
    rows, columns = _tiles(resized, tile) if settings.do_image_splitting else (1, 1)
    regions = [*(grid_boxes(rows, columns, whole(size)) if rows * columns > 1 else ()), whole(size)]
    side = config.vision_config.patch_size * config.scale_factor
    return _widened(np.concatenate([patch_boxes((tile, tile), side, region) for region in regions]), resized, size)


def _widened(boxes: Float64[np.ndarray, "tokens 4"], resized: Size, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """Return boxes that hold whole pixels of the resized image along each axis on which they are smaller than one."""
    pixel = np.array([size[1] / resized[1], size[0] / resized[0]])
    low, high = boxes[:, :2] / pixel, boxes[:, 2:] / pixel
    is_small = high - low < 1 - _ROUNDING
    low = np.where(is_small, np.floor(low + _ROUNDING), low)
    high = np.where(is_small, np.ceil(high - _ROUNDING), high)
    return np.concatenate([low * pixel, high * pixel], axis=1)


def _tiles(size: Size, tile: int) -> tuple[int, int]:
    """Return the rows and columns of tiles of a resized image.

    The long edge grows to whole tiles first, then the short edge with it.
    """
    height, width = size
    # Same order of operations as in the processor. Other rounding could give another number of tiles.
    aspect = width / height
    if width >= height:
        columns = math.ceil(width / tile)
        return math.ceil(int(columns * tile / aspect) / tile), columns
    rows = math.ceil(height / tile)
    return rows, math.ceil(int(rows * tile * aspect) / tile)


def _resized(size: Size, settings: Settings) -> Size:
    target = dict(settings.size)
    longest = target.get("longest_edge")
    if not longest:
        return target["height"], target["width"]
    return idefics3_size(size, longest)
