"""Families that see the whole image at low resolution, then at high resolution as tiles without padding."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pixfound_tasks.attention.families.tiles import tile_boxes
from pixfound_tasks.attention.geometry import Size, grid_boxes
from pixfound_tasks.hosts.image_processors import anyres_sizes, unpadded

if TYPE_CHECKING:
    from jaxtyping import Float64

    from pixfound_tasks.attention.families.registry import Settings


def llava_next_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """LLaVA-NeXT: a thumbnail, then the image as tiles.

    The thumbnail is the whole image resized to a square, ignoring its aspect ratio. For the tiles, the image is resized
    to fit the best of `image_grid_pinpoints`, keeping its aspect ratio, then padded on both sides and cut into squares.
    The patches of all squares form one grid. Rows and columns of padding are removed, and a newline token ends each
    row.

    With the "full" feature selection, the vision tower's class token comes first, if it has one.
    """
    is_full = config.vision_feature_select_strategy == "full"
    class_tokens = (settings.num_additional_image_tokens or 0) if is_full else 0
    tiles = _with_newlines(_unpadded(config, settings, size))
    return np.concatenate([np.full((class_tokens, 4), np.nan), _whole(config, settings, size), tiles])


def llava_onevision_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """LLaVA-OneVision: as LLaVA-NeXT, but without a class token and with a limit on the number of patches.

    With "anyres_max_N", a grid with clearly more patches than N squares hold is scaled down to about that many.

    This applies if the prompt has one image. If it has several, the model sees each only as a thumbnail, padded to a
    square and followed by one newline token.
    """
    if settings.images_in_prompt > 1:
        height, width = size
        longest = max(size)
        left, top = (longest - width) // 2, (longest - height) // 2
        square = grid_boxes(1, 1, (-left, -top, longest - left, longest - top))
        boxes = tile_boxes(square, _side(config), _patch_range(config, _square(settings)))[0]
        return np.concatenate([boxes, np.full((1, 4), np.nan)])
    patches = _unpadded(config, settings, size)
    rows, columns = patches.shape[:2]
    most = int(config.vision_aspect_ratio.removeprefix("anyres_max_")) * _side(config) ** 2
    ratio = math.sqrt(rows * columns / most)
    if ratio > 1.1:
        rows, columns = int(rows // ratio), int(columns // ratio)
        # If the patches do not fill their squares, small gaps remain. The scaled grid has no gaps.
        patches = grid_boxes(rows, columns, (*patches[0, 0, :2], *patches[-1, -1, 2:])).reshape(rows, columns, 4)
    return np.concatenate([_whole(config, settings, size), _with_newlines(patches)])


def _whole(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "patches 4"]:
    """Return the boxes of the thumbnail, which shows the whole image."""
    image = grid_boxes(1, 1, (0, 0, size[1], size[0]))
    return tile_boxes(image, _side(config), _patch_range(config, _square(settings)))[0]


def _unpadded(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "rows columns 4"]:
    """Return the boxes of the patch grid that all squares form together, without padding."""
    height, width = size
    best, (new_height, new_width) = anyres_sizes(size, settings.image_grid_pinpoints)
    if (packed := anyres_sizes(size, config.image_grid_pinpoints)[0]) != best:
        raise ValueError(
            f"expected image_grid_pinpoints of the processor as in the model's config, but an image of (height, width) "
            f"{size} is cut for {tuple(best)} by the one and put together for {tuple(packed)} by the other: make them "
            "equal, or use geometry=measured"
        )
    top, left = (best[0] - new_height) // 2, (best[1] - new_width) // 2
    scale = np.array([width / new_width, height / new_height] * 2)
    canvas = np.array([-left, -top, best[1] - left, best[0] - top]) * scale

    square, side = _square(settings), _side(config)
    tile = int(dict(settings.crop_size or {}).get("height") or square)
    rows, columns = best[0] // tile, best[1] // tile
    span = _patch_range(config, square if settings.do_resize else tile)
    boxes = tile_boxes(grid_boxes(rows, columns, tuple(canvas)), side, span)
    patches = boxes.reshape(rows, columns, side, side, 4).transpose(0, 2, 1, 3, 4)
    return unpadded(patches.reshape(rows * side, columns * side, 4), size)


def _with_newlines(patches: Float64[np.ndarray, "rows columns 4"]) -> Float64[np.ndarray, "tokens 4"]:
    """Add a newline token, which has no position (NaN), after each row of a grid."""
    return np.pad(patches, [(0, 0), (0, 1), (0, 0)], constant_values=np.nan).reshape(-1, 4)


def _side(config: Any) -> int:
    """Return the number of patches along a square's side."""
    return config.vision_config.image_size // config.vision_config.patch_size


def _square(settings: Settings) -> int:
    """Return the side of the squares before the center crop, in pixels."""
    target = dict(settings.size)
    return int(target.get("height") or target["shortest_edge"])


def _patch_range(config: Any, square: int) -> tuple[float, float]:
    """Return the start of the first patch and the end of the last along a square's side, as fractions of the side.

    The vision tower's input is cropped from the center of the square. If nothing is cropped, `square` is the size of
    the crop.

    Raises:
        ValueError: if the square is smaller than the crop.
    """
    crop = config.vision_config.image_size
    if square < crop:
        raise ValueError(f"expected squares of {crop} pixels or more for a center crop of {crop}, but got {square}")
    start = (square - crop) // 2
    return start / square, (start + _side(config) * config.vision_config.patch_size) / square
