"""Families that cut an image into tiles, each of which becomes a block of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pixfound_tasks.attention.geometry import Size, grid_boxes
from pixfound_tasks.hosts.image_processors import internvl_tiles, mllama_sizes

if TYPE_CHECKING:
    from jaxtyping import Float64

    from pixfound_tasks.attention.families.registry import Settings


def tile_boxes(
    tiles: Float64[np.ndarray, "tiles 4"], side: int, span: tuple[float, float] = (0.0, 1.0)
) -> Float64[np.ndarray, "tiles tokens 4"]:
    """Return the boxes of the tokens of tiles, tile by tile and row by row, with `side * side` tokens in each.

    `tiles` holds the boxes of the tiles. `span` holds the start of the first token and the end of the last along a
    tile's sides, as fractions of the side. They differ from 0 and 1 if the tile is cropped or its patches do not fill
    it.
    """
    corner, extent = tiles[:, :2], tiles[:, 2:] - tiles[:, :2]
    regions = np.concatenate([corner + span[0] * extent, corner + span[1] * extent], axis=1)
    return np.stack([grid_boxes(side, side, tuple(region)) for region in regions])


def internvl_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """InternVL: resized to the canvas of square tiles with the nearest aspect ratio. The tiles come in reading order.

    If there is more than one tile, the whole image follows as a thumbnail. In each of them, neighboring patches are
    shuffled into one token. The vision tower's class token is always dropped, because the model cannot arrange it into
    squares.
    """
    target = dict(settings.size)
    canvas = int(target["height"]), int(target["width"])
    rows = columns = 1
    if settings.crop_to_patches:
        rows, columns = internvl_tiles(size, canvas, settings.min_patches, settings.max_patches)
    image = (0, 0, size[1], size[0])
    tiles = grid_boxes(rows, columns, image)
    if len(tiles) > 1:
        tiles = np.concatenate([tiles, grid_boxes(1, 1, image)])
    patch = config.vision_config.patch_size[0]
    side = int(canvas[0] // patch * config.downsample_ratio)
    filled = side / config.downsample_ratio * patch / canvas[0]
    return tile_boxes(tiles, side, (0, filled)).reshape(-1, 4)


def mllama_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """Llama 3.2 Vision: resized to fit a canvas of square tiles, keeping the aspect ratio, and padded right and bottom.

    The tokens are the keys of the cross-attention: for each tile its class token, then its patches. Every image has the
    keys of `max_image_tiles` tiles. Class tokens and unused tiles have no position (NaN).
    """
    height, width = size
    tile, most = int(dict(settings.size)["height"]), int(settings.max_image_tiles)
    (canvas_height, canvas_width), (new_height, new_width) = mllama_sizes(size, tile, most)
    canvas = (0, 0, canvas_width * width / new_width, canvas_height * height / new_height)
    tiles = grid_boxes(canvas_height // tile, canvas_width // tile, canvas)
    patch = config.vision_config.patch_size
    side = tile // patch
    boxes = np.full((most, 1 + side * side, 4), np.nan)
    boxes[: len(tiles), 1:] = tile_boxes(tiles, side, (0, side * patch / tile))
    return boxes.reshape(-1, 4)
